"""Which members a private step works on, drawn inside the compiled step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

_RUN = 32  # members whose inclusions are counted by one small matrix product


class Sample(NamedTuple):
    """A batch of static width.

    Attributes:
      rows: ``int32[width]``, places in a model's list of members; past ``used`` padding.
      used: ``int32[]``, how many of them were sampled.
    """

    rows: jax.Array
    used: jax.Array


def poisson_sample(key: Key[Array, ""], capacity: int, count: Int[Array, ""], rate: float, width: int) -> Sample:
    """Each of ``count`` members by itself with probability ``rate``; a larger sample loses all but a random ``width``.

    Args:
      key: secret; the amplification by sampling rests on it.
      capacity: upper bound of ``count``.
      count: members of this model.
      rate: a multiple of 2^-32.
      width: static size of the batch.
    """
    bits = jax.random.bits(key, (capacity,), jnp.uint32)
    inside = jnp.arange(capacity) < count
    limit = jnp.uint32(min(round(rate * 2**32), 2**32 - 1))  # at rate 1 a member is left out once in 2^32 draws

    def number_below(limit):
        return jnp.sum(inside & (bits < limit))

    if width < capacity:
        limit = _largest_limit(number_below, limit, width)
    included = inside & (bits < limit)
    return _compacted(included, width)


def _largest_limit(number_below, limit: jax.Array, width: int) -> jax.Array:
    """The given limit, or where it lets in more than ``width`` the largest that doesn't: the smallest draws stay.

    Draws are independent and alike, so those that stay are a random subset. Almost no step gets past the first test.
    """
    over = number_below(limit) > width
    low = jnp.where(over, jnp.uint32(0), limit)
    high = jnp.where(over, limit, limit + jnp.uint32(1))

    def halve(bounds):
        low, high = bounds
        middle = low + (high - low) // 2
        fits = number_below(middle) <= width
        return jnp.where(fits, middle, low), jnp.where(fits, high, middle)

    return jax.lax.while_loop(lambda bounds: bounds[1] - bounds[0] > 1, halve, (low, high))[0]


def _compacted(included: jax.Array, width: int) -> Sample:
    """The places of true entries, in order: a cumulative count in two levels, then a search for 1, 2, ..., width."""
    runs = -(-len(included) // _RUN)
    grid = jnp.pad(included, (0, runs * _RUN - len(included))).reshape(runs, _RUN)
    within = (grid.astype(jnp.float32) @ jnp.triu(jnp.ones((_RUN, _RUN), jnp.float32))).astype(jnp.int32)
    before = jnp.cumsum(within[:, -1]) - within[:, -1]
    counts = (within + before[:, None]).reshape(-1)
    rows = jnp.searchsorted(counts, jnp.arange(1, width + 1, dtype=jnp.int32), method="scan_unrolled")
    return Sample(jnp.minimum(rows, len(included) - 1).astype(jnp.int32), jnp.minimum(counts[-1], width))


def fixed_size_sample(key: Key[Array, ""], capacity: int, width: int) -> Sample:
    """Exactly ``width`` of ``capacity`` members without replacement.

    Args:
      key: secret.
      capacity: members of every model.
      width: batch size.
    """
    draws = (jax.random.bits(key, (capacity,), jnp.uint32) >> 1).astype(jnp.int32)
    return Sample(jax.lax.top_k(draws, width)[1].astype(jnp.int32), jnp.int32(width))
