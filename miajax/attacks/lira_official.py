"""The numbers of the published LiRA script, for every model as the target at once.

tensorflow/privacy, research/mi_lira_2021/plot.py. What it does differently from ``lira``: medians as centres; standard
deviations with divisor n; the IN and OUT lists of every example are cut, in model order, to the length of the shortest
list of any example; a fixed deviation is that of all listed values, means not removed, and the online attack takes the
IN one for both sides; the offline score has two sides. Its 1e-30 beside a deviation of zero has no meaning in float32:
such a score is NaN here.

The script has one target. With K the shortest list over all models, a target's lists have K entries, or K - 1 if it
(or its complementary partner, left out with it) is itself on a shortest list. A list without a model that is on it is
the longer prefix less that model; so three prefixes, each with every model left out in turn, give all lists.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.attacks.attack import Member, Partners, ScaledLogit, Valid, left_out, sides
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.leave_one_out import leave_one_out
from miajax.attacks.order_statistics import medians
from miajax.signals.bundle import AnyArray
from miajax.typed import jit


def official_scores(
    scaled_logit: Float[AnyArray, "models examples queries"], member: Member, valid: Valid, partners: Partners = None
) -> dict[str, Float[Array, "models examples"]]:
    """All four LiRA variants as published, higher = member (the script's sign is the opposite one).

    Args:
      scaled_logit: ``float32[M, N, Q]``; rows of failed models are NaN.
      member: ``bool[M, N]``.
      valid: ``bool[M]``.
      partners: see ``Partners``.

    Returns:
      ``{variant: float32[M, N]}``; NaN where a deviation is zero or a list empty.
    """
    lengths = _list_lengths(member, valid, partners)
    width = block_width(scaled_logit.shape[0] * scaled_logit.shape[2])
    cells = map_examples(_cells, (scaled_logit, member, valid, lengths, partners), (1, 1, *[None] * 3), width)
    return _finish(cells)


@jit
def _list_lengths(member: Member, valid: Valid, partners: Partners) -> Array:
    """How many models every list of each target has: ``int32[2, M]``, IN and OUT."""
    both = sides(member, valid)
    removed = jax.vmap(left_out, (0, None))(both, partners)
    return (both.sum(1, keepdims=True) - removed).min(2)


@jit
def _cells(
    scaled_logit: ScaledLogit, member: Member, valid: Valid, lengths: Array, partners: Partners
) -> dict[str, Array]:
    phi = jnp.swapaxes(scaled_logit, 1, 2)
    both = sides(member, valid)
    rank = jnp.cumsum(both, 1) - both
    shortest = lengths.min(1)[:, None, None]
    prefixes = jnp.stack([both & (rank < shortest + extra) for extra in range(3)])[:, :, :, None, :]

    moments = jax.vmap(jax.vmap(leave_one_out, (None, 0, None)), (None, 0, None))(phi, prefixes, partners)
    without = jax.vmap(jax.vmap(medians, (None, 0, None)), (None, 0, None))(phi, prefixes, partners).without
    listed = jax.vmap(jax.vmap(left_out, (0, None)), (0, None))(prefixes, partners)
    longer = (lengths - lengths.min(1, keepdims=True) == 1)[:, :, None, None]

    def of_lists(statistic: Array) -> Array:
        """``[2, M, Q, block]`` from the statistic of the three prefixes."""
        short = jnp.where(listed[1], statistic[1], statistic[0])
        long = jnp.where(listed[2], statistic[2], statistic[1])
        return jnp.where(longer, long, short)

    centre, mean, sum_squares = map(of_lists, (without, moments.mean, moments.sum_squares))
    variance = sum_squares / lengths[:, :, None, None]
    variance = jnp.where(variance > 0, variance, jnp.nan)
    squared = (phi - centre) ** 2
    log_density = -0.5 * (jnp.log(2 * jnp.pi * variance) + squared / variance)
    cell_mean = mean.mean(2)
    return {
        "online": (log_density[0] - log_density[1]).mean(1),
        "offline": -log_density[1].mean(1),
        "squared": squared.mean(2),
        "mean": cell_mean,
        "within": (sum_squares / lengths[:, :, None, None] + (mean - cell_mean[:, :, None]) ** 2).mean(2),
    }


@jit
def _finish(cells: dict[str, Array]) -> dict[str, Array]:
    fixed = cells["within"].mean(-1) + cells["mean"].var(-1)
    fixed = jnp.where(fixed > 0, fixed, jnp.nan)[..., None]
    return {
        "lira_online": cells["online"],
        "lira_online_fixed": 0.5 * (cells["squared"][1] - cells["squared"][0]) / fixed[0],
        "lira_offline": cells["offline"],
        "lira_offline_fixed": 0.5 * (jnp.log(2 * jnp.pi * fixed[1]) + cells["squared"][1] / fixed[1]),
    }
