"""Statistics of the shadow models seen by each target in turn: all models of one side except the target.

Every model is a target, so M leave-one-out statistics are wanted where a loop would take M passes. They come from one
sweep forwards and one backwards over the models: the statistics of the models *before* a target, merged with those
*after* it. Subtracting the target's own term from totals is a little shorter, but cancels where the target is an
outlier of its side: at 8 models of plain Gaussian signals it keeps only one digit of some variances, and this all.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from miajax.attacks.attack import Partners, without_partners
from miajax.signals.bundle import AnyArray


class LeaveOneOut(NamedTuple):
    """Moments of one side for each target, the target and its partner left out.

    Attributes:
      count: ``[M, ...]``, how many models stand behind the moments; shaped like the side, not like the values.
      mean: ``[M, ...]``; the mean of nothing is the side's mean or 0, and 0 where models have partners.
      sum_squares: ``[M, ...]``, the sum of squared deviations from that mean.
    """

    count: Float[Array, "models ..."]  # pyright: ignore[reportIncompatibleMethodOverride]  # not the method of tuples
    mean: Float[Array, "models ..."]
    sum_squares: Float[Array, "models ..."]


class Moments(NamedTuple):
    """Moments of a sample: how many values, their mean (0 of none) and the sum of squared deviations from it.

    Arrays of one shape, or ``count`` of a shape that broadcasts against the others.
    """

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]  # not the method of tuples
    mean: Array
    sum_squares: Array


def _squared(delta: Array) -> Array:
    return delta * delta


def _products(delta: Array) -> Array:
    """Of all pairs of numbers, ``[k, k, ...]`` of ``[k, ...]``."""
    return delta[:, None] * delta[None, :]


def leave_one_out_products(
    values: Float[AnyArray, "models k ..."], side: Bool[AnyArray, "models 1 ..."], partners: Partners = None
) -> LeaveOneOut:
    """``leave_one_out`` of vectors: ``sum_squares`` holds their sums of products, ``[M, k, k, ...]``."""
    return leave_one_out(values, side, partners, square=_products)


def leave_one_out(
    values: Float[AnyArray, "models ..."],
    side: Bool[AnyArray, "models ..."],
    partners: Partners = None,
    *,
    square: Callable[[Array], Array] = _squared,
) -> LeaveOneOut:
    """Moments over the models of one side, leaving out each model and its complementary partner in turn.

    Args:
      values: ``[M, ...]``; NaN is allowed where ``side`` is False.
      side: the models that count, ``[M, ...]``, broadcastable against ``values``; never both of a pair.
      partners: see ``Partners``.
      square: of what the deviations' sum is wanted.

    Returns:
      For target t the moments over ``{i : side[i], i != t, i != partner of t}``: for a target on the other side and
      without a partner those of the whole side.
      The values are centred by their side's mean first, so IN and OUT may lie any distance apart.
    """
    weight = jnp.asarray(side, values.dtype)
    values = jnp.where(side, values, 0)
    centre = values.sum(0) / jnp.maximum(weight.sum(0), 1)
    values = jnp.where(side, values - centre, 0)
    nothing = Moments(jnp.zeros_like(weight[0]), jnp.zeros_like(centre), jnp.zeros_like(square(centre)))

    def forwards(before: Moments, model: tuple[Array, Array]) -> tuple[Moments, Moments]:
        value, weight = model
        return _add(before, value, weight, square), before

    def backwards(after: Moments, model: tuple[Array, Array, Moments]) -> tuple[Moments, Moments]:
        value, weight, before = model
        return _add(after, value, weight, square), merged(before, after, square)

    _, before = lax.scan(forwards, nothing, (values, weight))
    _, others = lax.scan(backwards, nothing, (values, weight, before), reverse=True)
    count, mean, sum_squares = (
        without_partners(moment, side.reshape(len(side), *[1] * (moment.ndim - side.ndim), *side.shape[1:]), partners)
        for moment in others
    )
    mean = mean + centre
    if partners is not None:  # the centre of a side of one model is that model, which may be the one to leave out
        mean = jnp.where(count > 0, mean, 0)
    return LeaveOneOut(count, mean, sum_squares)


def _add(moments: Moments, value: Array, weight: Array, square: Callable[[Array], Array]) -> Moments:
    """Welford's update by one value of weight 0 or 1."""
    count = moments.count + weight
    share = weight / jnp.maximum(count, 1)
    delta = value - moments.mean
    return Moments(count, moments.mean + share * delta, moments.sum_squares + (share * moments.count) * square(delta))


def merged(a: Moments, b: Moments, square: Callable[[Array], Array] = _squared) -> Moments:
    """The moments of two disjoint samples together, by Chan, Golub and LeVeque."""
    count = a.count + b.count
    share = b.count / jnp.maximum(count, 1)
    delta = b.mean - a.mean
    return Moments(count, a.mean + share * delta, a.sum_squares + b.sum_squares + (share * a.count) * square(delta))
