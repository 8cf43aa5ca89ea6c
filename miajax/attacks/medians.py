"""Medians over models, of a side and of a side without each of its members in turn.

No sort: XLA sorts on the CPU one column at a time. An order statistic is found by bisection on the bits of its value,
32 counts over the models, which is exact, vectorises over examples and needs no memory. The median without one member
then follows from the three order statistics around the middle and from which side of them the member lies.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int


class Medians(NamedTuple):
    """Medians of a set of models.

    Attributes:
      whole: ``[...]``, the median of the set.
      without: ``[M, ...]``, for a model of the set the median of the rest of it, for any other model ``whole``.
      An even number of values has the mean of the middle two as its median, no value has NaN.
    """

    whole: Float[Array, "..."]
    without: Float[Array, "models ..."]


def medians(values: Float[Array, "models ..."], side: Bool[Array, "models ..."]) -> Medians:
    """Medians over the models of one side, and over it without each of its models.

    Args:
      values: ``float32[M, ...]`` or ``float64``; NaN is allowed where ``side`` is False.
      side: the models that count, ``[M, ...]``, broadcastable against ``values``.
    """
    side = jnp.broadcast_to(side, values.shape)
    keys = _ordered_bits(values)
    count = side.sum(0)
    half = count // 2
    middle = _order_statistic(keys, side, half)
    below, above = _neighbours(keys, side, middle, half)
    low, mid, high = (_values(k, values.dtype) for k in (below, middle, above))

    odd = count % 2 == 1
    whole = jnp.where(odd, mid, (low + mid) / 2)
    even_rest = jnp.where(values <= low, mid, low)
    odd_rest = (jnp.where(values <= low, mid, low) + jnp.where(values <= mid, high, mid)) / 2
    without = jnp.where(side, jnp.where(odd, odd_rest, even_rest), whole)
    empty = jnp.where(side, count <= 1, count == 0)
    return Medians(jnp.where(count == 0, jnp.nan, whole), jnp.where(empty, jnp.nan, without))


def _ordered_bits(values: Array) -> Array:
    """Integers in the order of the floats: the bits, with those of negative numbers reversed."""
    integer = {4: jnp.int32, 8: jnp.int64}[values.dtype.itemsize]
    bits = lax.bitcast_convert_type(values + 0, integer)  # + 0 makes one zero of two
    return jnp.where(bits < 0, bits ^ jnp.iinfo(integer).max, bits)


def _values(keys: Array, dtype) -> Array:
    return lax.bitcast_convert_type(jnp.where(keys < 0, keys ^ jnp.iinfo(keys.dtype).max, keys), dtype)


def _order_statistic(keys: Int[Array, "models ..."], side: Bool[Array, "models ..."], rank: Int[Array, "..."]) -> Array:
    """The key with ``rank`` smaller or equal ones before it, found bit by bit from the sign down."""
    info = jnp.iinfo(keys.dtype)

    def settle(step, found):
        candidate = found ^ lax.shift_left(jnp.ones((), keys.dtype), jnp.asarray(info.bits - 1 - step, keys.dtype))
        smaller = (side & (keys < candidate)).sum(0)
        return jnp.where(smaller <= rank, candidate, found)

    # the first step asks whether the answer is non-negative, which is what flipping info.min's sign bit means
    return lax.fori_loop(0, info.bits, settle, jnp.full(keys.shape[1:], info.min, keys.dtype))


def _neighbours(keys: Array, side: Array, middle: Array, half: Array) -> tuple[Array, Array]:
    """The order statistics just before and after ``middle``, which is the one at ``half``."""
    info = jnp.iinfo(keys.dtype)
    smaller, larger = side & (keys < middle), side & (keys > middle)
    below = jnp.where(smaller, keys, info.min).max(0)
    above = jnp.where(larger, keys, info.max).min(0)
    alone_below = smaller.sum(0) == half
    alone_above = side.sum(0) - larger.sum(0) == half + 1
    return jnp.where(alone_below, below, middle), jnp.where(alone_above, above, middle)
