"""LiRA: how likely is the target's scaled logit under models that saw the example, and under models that did not.

Carlini et al. 2022, "Membership Inference Attacks From First Principles" (arXiv 2112.03570). Four variants: *online*
compares both sides, *offline* knows the models without the example only; *fixed* shares one variance per side among all
examples. This file is the ``default`` mode, ``lira_official`` the published script's numbers. All variants fall out of
one pass over the signals.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from miajax.attacks.attack import (
    WITH_AND_WITHOUT,
    WITHOUT,
    Attack,
    Member,
    Names,
    Partners,
    Scores,
    Valid,
    needed,
    partners_in,
    sides,
)
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.leave_one_out import leave_one_out
from miajax.attacks.lira_official import official_scores
from miajax.attacks.options import AttackOptions, LiraMode
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit


def online_variant(num_models: int) -> str:
    """The online variant for so many models: below 64 a variance of each example's own is too uncertain.

    Carlini et al. 2022 (arXiv 2112.03570, section VI-B) fix the variance below 64 shadow models.
    """
    return "lira_online" if num_models >= 64 else "lira_online_fixed"


def lira_scores(
    scaled_logit: Float[AnyArray, "models examples queries"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
    mode: LiraMode = "default",
    *,
    targets: Float[AnyArray, "models examples queries"] | None = None,
    partners: Partners = None,
) -> dict[str, Float[Array, "models examples"]]:
    """Scores of every model as the target under all four variants, higher = member.

    With mean and variance of each side's scaled logits over the shadow models, the target and its complementary partner
    left out (divisor n; where
    fixed, the residuals of all examples and queries, divisor their degrees of freedom), averaged over queries:

    * ``lira_online``, ``lira_online_fixed``: log N(phi; in) - log N(phi; out)
    * ``lira_offline``, ``lira_offline_fixed``: (phi - mean_out) / sigma_out

    Args:
      scaled_logit: ``float32[M, N, Q]``, any array or memory map; rows of failed models are NaN.
      member: ``bool[M, N]``.
      valid: ``bool[M]``; failed models shadow nobody and score NaN.
      mode: ``default``, or ``official`` for the published script's numbers.
      targets: what the targets say, where that is not what they say as shadow models (a defence that the attacker
        does not know of); row t has the members of row t, and shadow model t is still left out.
      partners: see ``Attack.score``.

    Returns:
      ``{variant: float32[M, N]}``; NaN where a side has no variance. ``Attack.score`` also blanks the cells with too
      few shadow models, which are noise here.
    """
    partners = partners_in(member) if partners is None else partners
    if mode == "official":
        if targets is not None:
            raise ValueError("the published script has no targets besides its shadow models")
        return official_scores(scaled_logit, member, valid, partners)
    width = block_width(scaled_logit.shape[0] * scaled_logit.shape[2])
    arrays = (scaled_logit, member, valid, partners, targets)
    cells = map_examples(_cells, arrays, (1, 1, None, None, None if targets is None else 1), width)
    return _finish(cells)


@jit
def _cells(
    scaled_logit: Array, member: Array, valid: Array, partners: Partners, targets: Array | None
) -> dict[str, Array]:
    """Everything that one example says on its own, ``[M, block]`` each."""
    phi = jnp.swapaxes(scaled_logit, 1, 2)  # examples last: contiguous, and aligned with the mask
    both = sides(member, valid)[:, :, None, :]
    others = jax.vmap(leave_one_out, (None, 0, None))(phi, both, partners)
    deviation = (phi if targets is None else jnp.swapaxes(targets, 1, 2)) - others.mean
    squared = deviation * deviation
    variance = others.sum_squares / others.count
    variance = jnp.where(variance > 0, variance, jnp.nan)
    log_density = -0.5 * (jnp.log(variance) + squared / variance)
    return {
        "online": (log_density[0] - log_density[1]).mean(1),
        "offline": (deviation[1] * jax.lax.rsqrt(variance[1])).mean(1),
        "squared": squared.mean(2),
        "deviation_out": deviation[1].mean(1),
        "sum_squares": others.sum_squares.sum(2),
        "freedom": phi.shape[1] * jnp.maximum(others.count[:, :, 0] - 1, 0),
    }


@jit
def _finish(cells: dict[str, Array]) -> dict[str, Array]:
    """Adds the variances pooled over the pool, one per target and side."""
    pooled = cells["sum_squares"].sum(-1) / cells["freedom"].sum(-1)
    pooled = jnp.where(pooled > 0, pooled, jnp.nan)[..., None]
    fixed = -0.5 * (jnp.log(pooled) + cells["squared"] / pooled)
    return {
        "lira_online": cells["online"],
        "lira_online_fixed": fixed[0] - fixed[1],
        "lira_offline": cells["offline"],
        "lira_offline_fixed": cells["deviation_out"] / jnp.sqrt(pooled[1]),
    }


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    scores = lira_scores(needed(signals.scaled_logit), member, valid, options.lira_mode, partners=partners)
    return {name: scores[name] for name in names}


def _variant(name: str, label: str, min_in: int, min_out: int, requires: str) -> Attack:
    return Attack(
        name,
        label,
        _family_scores,
        "lira",
        ("scaled_logit",),
        min_in,
        min_out,
        requires=requires,
        source="Carlini et al. 2022 (arXiv 2112.03570); tensorflow/privacy research/mi_lira_2021",
        cost="shadow models; one pass over their scaled logits for all targets and all variants",
        log_likelihood_ratio="online" in name,  # offline scores are distances from models without the example
    )


ATTACKS = (
    _variant("lira_online", "LiRA online", 2, 2, WITH_AND_WITHOUT),
    _variant("lira_online_fixed", "LiRA online (fixed variance)", 1, 1, WITH_AND_WITHOUT),
    _variant("lira_offline", "LiRA offline", 0, 2, WITHOUT),
    _variant("lira_offline_fixed", "LiRA offline (fixed variance)", 0, 1, WITHOUT),
)
