"""Order statistics along the first axis, masked or not, and the medians and quantiles that rest on them.

No sort: XLA sorts on the CPU one column at a time. An order statistic is found by bisection on the bits of its value,
32 counts along the axis, which is exact, vectorises over everything else and needs no memory. The median without one
member of a set then follows from the three order statistics around the middle and from where the member lies.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.attack import Partners, without_partners
from miajax.signals.bundle import AnyArray
from miajax.typed import fori_loop


class Medians(NamedTuple):
    """Medians of a set of models.

    Attributes:
      whole: ``[...]``, the median of the set.
      without: ``[M, ...]``, the median of the set without each model and its complementary partner.
      An even number of values has the mean of the middle two as its median, no value has NaN.
    """

    whole: Float[Array, "..."]
    without: Float[Array, "models ..."]


def medians(
    values: Float[AnyArray, "models ..."], side: Bool[AnyArray, "models ..."], partners: Partners = None
) -> Medians:
    """Medians over the models of one side, and over it without each model and its complementary partner.

    Args:
      values: ``float32[M, ...]`` or ``float64``; NaN is allowed where ``side`` is False.
      side: the models that count, ``[M, ...]``, broadcastable against ``values``; never both of a pair.
      partners: see ``Partners``.
    """
    values = jnp.asarray(values)
    side = jnp.broadcast_to(side, values.shape)
    count = side.sum(0)
    low, mid, high = _around(values, side, count // 2)

    odd = count % 2 == 1
    whole = jnp.where(odd, mid, (low + mid) / 2)
    even_rest = jnp.where(values <= low, mid, low)
    odd_rest = (jnp.where(values <= low, mid, low) + jnp.where(values <= mid, high, mid)) / 2
    without = jnp.where(side, jnp.where(odd, odd_rest, even_rest), whole)
    empty = jnp.where(side, count <= 1, count == 0)
    without = jnp.where(empty, jnp.nan, without)
    return Medians(jnp.where(count == 0, jnp.nan, whole), without_partners(without, side, partners))


def nanquantile(values: Float[AnyArray, "n ..."], level: float) -> Float[Array, "..."]:
    """The quantile along the first axis of what is not NaN, linear between order statistics as in ``numpy``."""
    values = jnp.asarray(values)
    known = ~jnp.isnan(values)
    position = level * (known.sum(0) - 1)
    rank = jnp.floor(position).astype(jnp.int32)
    _, at, after = _around(values, known, rank)
    share = position - rank
    return jnp.where(known.any(0), jnp.where(share == 0, at, at + share * (after - at)), jnp.nan)


def order_statistic(values: Float[AnyArray, "n ..."], rank: int) -> Float[Array, "..."]:
    """The value with ``rank`` smaller or equal ones before it along the first axis."""
    values = jnp.asarray(values)
    side, ranks = jnp.ones(values.shape, bool), jnp.full(values.shape[1:], rank)
    return _values(_bisect(_ordered_bits(values), side, ranks), values.dtype)


def _around(values: Array, side: Array, rank: Array) -> tuple[Array, Array, Array]:
    """The order statistics at ``rank - 1``, ``rank`` and ``rank + 1`` of the side; meaningless where there is none."""
    keys = _ordered_bits(values)
    info = jnp.iinfo(keys.dtype)
    middle = _bisect(keys, side, rank)
    smaller, larger = side & (keys < middle), side & (keys > middle)
    below = jnp.where(smaller, keys, info.min).max(0)
    above = jnp.where(larger, keys, info.max).min(0)
    below = jnp.where(smaller.sum(0) == rank, below, middle)
    above = jnp.where(side.sum(0) - larger.sum(0) == rank + 1, above, middle)
    low, mid, high = (_values(key, values.dtype) for key in (below, middle, above))
    return low, mid, high


def _bisect(keys: Int[Array, "n ..."], side: Bool[Array, "n ..."], rank: Int[Array, "..."]) -> Array:
    """The key with ``rank`` smaller or equal ones before it, settled bit by bit from the sign down."""
    info = jnp.iinfo(keys.dtype)

    def settle(step: Array, found: Array) -> Array:
        candidate = found ^ lax.shift_left(jnp.ones((), keys.dtype), jnp.asarray(info.bits - 1 - step, keys.dtype))
        smaller = (side & (keys < candidate)).sum(0)
        return jnp.where(smaller <= rank, candidate, found)

    # the first step asks whether the answer is non-negative, which is what flipping info.min's sign bit means
    return fori_loop(0, info.bits, settle, jnp.full(keys.shape[1:], info.min, keys.dtype))


def _ordered_bits(values: Array) -> Array:
    """Integers in the order of the floats: the bits, with those of negative numbers reversed."""
    integer = {4: jnp.int32, 8: jnp.int64}[values.dtype.itemsize]
    bits = lax.bitcast_convert_type(values + 0, integer)  # + 0 makes one zero of two
    return jnp.where(bits < 0, bits ^ jnp.iinfo(integer).max, bits)


def _values(keys: Array, dtype: DTypeLike) -> Array:
    return lax.bitcast_convert_type(jnp.where(keys < 0, keys ^ jnp.iinfo(keys.dtype).max, keys), dtype)
