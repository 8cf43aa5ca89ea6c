"""An example's nearest neighbours: how far they are, and whether they carry its label."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.signals.bundle import AnyArray

_BLOCK = 256  # rows whose distances to all others are held at once


def nearest_neighbours(
    vectors: Float[AnyArray, "examples features"], k: int
) -> tuple[Int[Array, "examples k"], Float[Array, "examples k"]]:
    """The ``k`` nearest other examples of each example, and their Euclidean distances, ascending.

    Candidates are ranked by inner products of centred vectors, distances taken from differences: copies of an example
    are at distance 0 exactly, and only neighbours within float32's rounding of each other may change places.

    Args:
      vectors: ``[N, F]``.
      k: at least 1 and below N.

    Raises:
      ValueError: ``k`` is not below N.
    """
    vectors = jnp.asarray(vectors)
    num_examples = len(vectors)
    if not 1 <= k < num_examples:
        raise ValueError(f"{k} neighbours of {num_examples} examples: expected 1 to {num_examples - 1}")
    centred = vectors - vectors.mean(0)  # a common offset would eat the digits of the distances
    squares = (centred**2).sum(-1)

    def of_block(rows):
        apart = squares - 2.0 * centred[rows] @ centred.T
        apart = jnp.where(rows[:, None] == jnp.arange(num_examples), jnp.inf, apart)
        neighbours = jax.lax.top_k(-apart, k)[1]
        # One neighbour rank after the other: all differences of a block would be [block, k, F].
        exact = jax.lax.map(lambda ids: jnp.linalg.norm(centred[rows] - centred[ids], axis=-1), neighbours.T).T
        order = jnp.argsort(exact, axis=-1)
        return jnp.take_along_axis(neighbours, order, -1), jnp.take_along_axis(exact, order, -1)

    blocks = -(-num_examples // _BLOCK)
    rows = jnp.minimum(jnp.arange(blocks * _BLOCK), num_examples - 1).reshape(blocks, _BLOCK)
    ids, distances = jax.lax.map(of_block, rows)
    return ids.reshape(-1, k)[:num_examples], distances.reshape(-1, k)[:num_examples]


def knn_distance(vectors: Float[AnyArray, "examples features"], k: int = 10) -> Float[Array, " examples"]:
    """Mean distance to the ``k`` nearest other examples of any class, or to all others where they are fewer."""
    return nearest_neighbours(vectors, _no_more_than_there_are(vectors, k))[1].mean(-1)


def knn_disagreement(
    vectors: Float[AnyArray, "examples features"], labels: Int[AnyArray, " examples"], k: int = 10
) -> Float[Array, " examples"]:
    """Share of the ``k`` nearest other examples whose label differs; near 1 for a mislabelled example.

    All others are neighbours where they are fewer than ``k``. Examples of a class of n ``<= k`` have ``1 - (n-1)/k`` at
    least, and the only example of its class has 1: no neighbour can carry its label.
    """
    neighbours, distances = nearest_neighbours(vectors, _no_more_than_there_are(vectors, k))
    labels = jnp.asarray(labels)
    return (labels[neighbours] != labels[:, None]).mean(-1, dtype=distances.dtype)


def _no_more_than_there_are(vectors: AnyArray, k: int) -> int:
    return min(k, len(vectors) - 1)
