"""Which examples a saliency study looks at: the ends of vulnerability, and the ends of each class."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.outliers.geometry import centroid_distance

_MOST_CLASSES = 10  # classes that fit a gallery


def by_vulnerability(
    vulnerability: Float[np.ndarray, " examples"], count: int
) -> tuple[Int[np.ndarray, " count"], Int[np.ndarray, " count"]]:
    """The most vulnerable examples, the most vulnerable first, and the least vulnerable, the least first.

    Args:
      vulnerability: an AUC an example; NaN, not known, counts as 0.5.
      count: how many of either; at most half of the examples are taken.
    """
    order = np.argsort(np.where(np.isnan(vulnerability), 0.5, vulnerability), kind="stable")
    count = min(count, len(order) // 2)
    return order[::-1][:count], order[:count]


def distance_in_training_set(
    vectors: Float[np.ndarray, "examples features"],
    member: Bool[np.ndarray, " examples"],
    labels: Int[np.ndarray, " examples"],
    num_classes: int,
) -> Float[np.ndarray, " examples"]:
    """Each member's distance to the centroid of its class's members; NaN for the others.

    Args:
      vectors: where one model sees each example.
      member: what that model trained on.
      labels, num_classes: of all examples.
    """
    trained = np.flatnonzero(member)
    distance = np.full(len(labels), np.nan)
    distance[trained] = centroid_distance(jnp.asarray(vectors[trained]), jnp.asarray(labels[trained]), num_classes)
    return distance


def ends_by_class(
    distance: Float[np.ndarray, " examples"], labels: Int[np.ndarray, " examples"], num_classes: int, each: int
) -> tuple[Int[np.ndarray, " nearest"], Int[np.ndarray, " farthest"]]:
    """The nearest and the farthest few of each class, class by class; of many classes the first ten.

    Args:
      distance: from the centroid of the own class; examples with NaN are passed over.
      labels, num_classes: of all examples.
      each: examples of a class at either end; at most half of the class are taken.
    """
    nearest: list[np.ndarray] = []
    farthest: list[np.ndarray] = []
    for label in range(min(num_classes, _MOST_CLASSES)):
        own = np.flatnonzero((labels == label) & np.isfinite(distance))
        order = own[np.argsort(distance[own], kind="stable")]
        few = min(each, len(order) // 2)
        nearest.append(order[:few])
        farthest.append(order[::-1][:few])
    return np.concatenate(nearest), np.concatenate(farthest)
