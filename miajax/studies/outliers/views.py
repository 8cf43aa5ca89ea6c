"""One model's training set as pictures: embeddings by class, and which examples lie nearest to the centroid."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.outliers.geometry import centroid_distance

_MOST_CLASSES = 10  # panels that fit a page
_SHOWN = 6  # pictures at either end of a class
_SEED = 0


class Panel(NamedTuple):
    """One class of one model's training set.

    Attributes:
      label: the class.
      examples: ``int[n]``, its members.
      named: ``{fpr: bool[n]}``, whether LiRA names each at that false-positive rate.
      points: by space, ``float32[n, 2]``, t-SNE of the class alone; empty where it has too few members.
      order: ``int[n]``, positions from the nearest to the centroid to the farthest, in the first space there is.
    """

    label: int
    examples: Int[np.ndarray, " members"]
    named: Mapping[float, Bool[np.ndarray, " members"]]
    points: Mapping[str, Float[np.ndarray, "members 2"]]
    order: Int[np.ndarray, " members"]

    @property
    def ends(self) -> tuple[Int[np.ndarray, " shown"], Int[np.ndarray, " shown"]]:
        """Positions of the nearest and of the farthest few, the farthest first."""
        few = min(_SHOWN, len(self.order) // 2)
        return self.order[:few], self.order[::-1][:few]


def panels(
    vectors: Mapping[str, Float[np.ndarray, "examples features"]],
    member: Bool[np.ndarray, " examples"],
    labels: Int[np.ndarray, " examples"],
    num_classes: int,
    named: Mapping[float, Bool[np.ndarray, " examples"]],
) -> list[Panel]:
    """The classes of a model's training set, at most ten: those with the most members named.

    Args:
      vectors: by space, the model's own view of all examples; the first space orders examples by distance.
      member: what it trained on.
      labels, num_classes: of all examples.
      named: by false-positive rate, the examples that LiRA names.
    """
    trained = np.flatnonzero(member)
    space = next(iter(vectors.values()))
    distance = np.asarray(centroid_distance(jnp.asarray(space[trained]), jnp.asarray(labels[trained]), num_classes))
    widest = max(named)
    counts = [int((named[widest] & member & (labels == label)).sum()) for label in range(num_classes)]
    shown = sorted(np.argsort(counts, kind="stable")[::-1][:_MOST_CLASSES])
    found: list[Panel] = []
    for label in shown:
        rows = np.flatnonzero(labels[trained] == label)
        own = trained[rows]
        found.append(
            Panel(
                int(label),
                own,
                {fpr: hit[own] for fpr, hit in named.items()},
                {name: embedded(array[own]) for name, array in vectors.items()},
                np.argsort(distance[rows], kind="stable"),
            )
        )
    return found


def embedded(vectors: Float[np.ndarray, "members features"]) -> Float[np.ndarray, "members 2"]:
    """t-SNE in two dimensions, from the same seed always; no points of fewer than 8 vectors."""
    from sklearn.manifold import TSNE

    if len(vectors) < 8:
        return np.empty((0, 2), np.float32)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    start = "pca" if vectors.shape[1] >= 2 else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=_SEED).fit_transform(np.asarray(vectors, np.float32))
