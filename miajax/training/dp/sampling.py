"""Which members a private step works on, drawn inside the compiled step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from miajax.training.dp.threefry import Words, stream

_RUN = 32  # members whose inclusions are counted by one small matrix product


class Sample(NamedTuple):
    """A batch of static width.

    Attributes:
      rows: ``int32[width]``, places in a model's list of members; past ``used`` padding.
      used: ``int32[]``, how many of them were sampled.
    """

    rows: jax.Array
    used: jax.Array


def poisson_sample(key: Words, capacity: int, count: Int[Array, ""], rate: float, width: int) -> Sample:
    """Each of ``count`` members by itself with probability ``rate``; a larger sample loses all but a random ``width``.

    Args:
      key: secret; the amplification by sampling rests on it.
      capacity: upper bound of ``count``.
      count: members of this model.
      rate: a multiple of 2^-32.
      width: static size of the batch.
    """
    draws, inside = _draws(key, capacity, count)
    limit = jnp.uint32(min(round(rate * 2**32), 2**32 - 1))  # at rate 1 a member is left out once in 2^32 draws
    if width < capacity:
        limit = _largest_limit(draws, inside, limit, width)
    return _compacted(inside & (draws < limit), width, capacity)


def fixed_size_sample(key: Words, capacity: int, width: int) -> Sample:
    """``width`` members without replacement: those of the smallest draws.

    Equal draws at the limit would leave the sample smaller, once in about 10^7 steps, whatever the data.

    Args:
      key: secret.
      capacity: members of every model.
      width: batch size.
    """
    draws, inside = _draws(key, capacity, jnp.int32(capacity))
    limit = _largest_limit(draws, inside, jnp.uint32(2**32 - 1), width)
    return _compacted(inside & (draws < limit), width, capacity)


def _draws(key: Words, capacity: int, count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A word for each member, and whose words are members': whole runs, as padding later costs sixty times the draw."""
    size = -(-capacity // _RUN) * _RUN
    return stream(key, 0, size)[0], jnp.arange(size) < count


def _largest_limit(draws: jax.Array, inside: jax.Array, limit: jax.Array, width: int) -> jax.Array:
    """The given limit, or where it lets in more than ``width`` the largest that doesn't: the smallest draws stay.

    Draws are independent and alike, so those that stay are a random subset. Almost no Poisson step gets past the first
    test.
    """

    def number_below(limit):
        return jnp.sum(inside & (draws < limit))

    over = number_below(limit) > width
    low = jnp.where(over, jnp.uint32(0), limit)
    high = jnp.where(over, limit, limit + jnp.uint32(1))

    def halve(bounds):
        low, high = bounds
        middle = low + (high - low) // 2
        fits = number_below(middle) <= width
        return jnp.where(fits, middle, low), jnp.where(fits, high, middle)

    return jax.lax.while_loop(lambda bounds: bounds[1] - bounds[0] > 1, halve, (low, high))[0]


def _compacted(included: jax.Array, width: int, capacity: int) -> Sample:
    """The places of true entries, in order: a count in two levels, then a search for 1, 2, ..., width in each."""
    grid = included.reshape(-1, _RUN)
    within = (grid.astype(jnp.float32) @ jnp.triu(jnp.ones((_RUN, _RUN), jnp.float32))).astype(jnp.int32)
    after = jnp.cumsum(within[:, -1])
    before = after - within[:, -1]
    wanted = jnp.arange(1, width + 1, dtype=jnp.int32)
    run = jnp.minimum(_number_true(after < wanted[:, None]), len(grid) - 1)
    place = _number_true(within[run] < (wanted - before[run])[:, None])
    return Sample(jnp.minimum(run * _RUN + place, capacity - 1).astype(jnp.int32), jnp.minimum(after[-1], width))


def _number_true(rows: jax.Array) -> jax.Array:
    """By row, as a product: XLA would fuse a sum into the gather of examples and repeat it for each pixel."""
    return (rows.astype(jnp.float32) @ jnp.ones(rows.shape[1], jnp.float32)).astype(jnp.int32)
