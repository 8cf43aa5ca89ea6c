"""How far an example lies from its class: centroids, covariance, and the leverage of a linear layer.

``vectors`` are pixels, penultimate features or logits, ``[N, F]``; the caller chooses and says which. Higher means more
outlying in every function. The only example of its class is its own centroid: what is measured from there would be 0,
"least outlying", and is NaN.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.signals.bundle import AnyArray


def class_centroids(
    vectors: Float[AnyArray, "examples features"], labels: Int[AnyArray, " examples"], num_classes: int
) -> Float[Array, "classes features"]:
    """The mean vector of each class; NaN for a class without examples."""
    one_hot = jax.nn.one_hot(labels, num_classes, dtype=vectors.dtype)
    return one_hot.T @ vectors / one_hot.sum(0)[:, None]


def centroid_distance(
    vectors: Float[AnyArray, "examples features"], labels: Int[AnyArray, " examples"], num_classes: int
) -> Float[Array, " examples"]:
    """Euclidean distance to the centroid of the example's own class, the example included in it; NaN for a lone one."""
    distances = jnp.linalg.norm(vectors - class_centroids(vectors, labels, num_classes)[labels], axis=-1)
    return _unless_alone(distances, labels, num_classes)


def centroid_angle(
    vectors: Float[AnyArray, "examples features"], labels: Int[AnyArray, " examples"], num_classes: int
) -> Float[Array, " examples"]:
    """``1 - cos`` between an example and its own class's centroid, 0 to 2; NaN for a lone example.

    A zero vector has no direction and counts as orthogonal to all: 1 where example or centroid is one.
    """
    centroids = class_centroids(vectors, labels, num_classes)[labels]
    lengths = jnp.linalg.norm(vectors, axis=-1) * jnp.linalg.norm(centroids, axis=-1)
    products = (vectors * centroids).sum(-1)
    angles = 1.0 - jnp.where(lengths > 0, products / jnp.where(lengths > 0, lengths, 1.0), 0.0)
    return _unless_alone(angles, labels, num_classes)


def centroid_ratio(
    vectors: Float[AnyArray, "examples features"], labels: Int[AnyArray, " examples"], num_classes: int
) -> Float[Array, " examples"]:
    """Distance to the own centroid over distance to the nearest other one; above 1, another class is nearer.

    NaN for a lone example, and for all where there is one class only; infinite at another class's centroid.
    """
    centroids = class_centroids(vectors, labels, num_classes)
    # One class after the other: the differences of all pairs would be [N, C, F].
    distances = jax.lax.map(lambda centroid: jnp.linalg.norm(vectors - centroid, axis=-1), centroids).T
    own = labels[:, None] == jnp.arange(num_classes)
    nearest_other = jnp.where(own | jnp.isnan(distances), jnp.inf, distances).min(-1)
    ratios = jnp.where(own, distances, 0.0).sum(-1) / nearest_other
    return _unless_alone(jnp.where(jnp.isinf(nearest_other), jnp.nan, ratios), labels, num_classes)


def mahalanobis(
    vectors: Float[AnyArray, "examples features"],
    labels: Int[AnyArray, " examples"],
    num_classes: int,
    ridge: float = 1e-2,
) -> Float[Array, " examples"]:
    """Mahalanobis distance to the own class's centroid under the covariance that all classes share.

    The pooled within-class covariance (divisor N) gets ``ridge`` times its mean variance added to its diagonal, so
    that features that never vary, and more features than examples, leave it invertible. Lee et al. 2018
    (arXiv 1807.03888) use the distance, without a ridge, to tell out-of-distribution inputs. NaN for a lone example.

    Args:
      vectors: ``[N, F]``.
      labels: ``int[N]`` in ``0..num_classes-1``.
      num_classes: C.
      ridge: a share of the mean variance, above 0.
    """
    residuals = vectors - class_centroids(vectors, labels, num_classes)[labels]
    distances = jnp.sqrt(_inverse_quadratic(residuals, residuals.T @ residuals / len(vectors), ridge))
    return _unless_alone(distances, labels, num_classes)


def leverage(vectors: Float[AnyArray, "examples features"], ridge: float = 1e-6) -> Float[Array, " examples"]:
    """How much a least-squares last layer's fit of an example rests on that example: the hat matrix's diagonal.

    ``h_i = f_i^T (F^T F + lambda I)^{-1} f_i`` of features with a constant appended (the bias), between 0 and 1;
    lambda is ``ridge`` times the mean diagonal of ``F^T F``. Features of the same length everywhere have equal leverage
    unless they point away from the others.
    """
    augmented = jnp.concatenate([vectors, jnp.ones((len(vectors), 1), vectors.dtype)], axis=1)
    return _inverse_quadratic(augmented, augmented.T @ augmented, ridge)


def _unless_alone(values: AnyArray, labels: AnyArray, num_classes: int) -> Array:
    """The values, NaN where no other example has the label."""
    size = jax.nn.one_hot(labels, num_classes, dtype=values.dtype).sum(0)
    return jnp.where(size[labels] > 1, values, jnp.nan)


def _inverse_quadratic(rows: AnyArray, matrix: AnyArray, ridge: float) -> Array:
    """``r^T (A + ridge mean(diag A) I)^{-1} r`` of every row r."""
    scale = jnp.trace(matrix) / len(matrix)
    scale = jnp.where(scale > 0, scale, 1.0)  # rows that are all zero are at no distance
    factor = jnp.linalg.cholesky(matrix + ridge * scale * jnp.eye(len(matrix), dtype=matrix.dtype))
    return (jax.scipy.linalg.solve_triangular(factor, rows.T, lower=True) ** 2).sum(0)
