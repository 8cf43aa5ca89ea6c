"""The likelihood ratio of RMIA and InfoRMIA, r(x) = p_target(x) / p(x), of the pool and of the population, in logs."""

import functools
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from miajax.attacks.attack import Labels, Logits, Member, Partners, Valid, needed, shadow_counts, sides
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.likelihood import log_likelihood, others_log_mean
from miajax.attacks.options import AttackOptions, RmiaOptions
from miajax.attacks.order_statistics import order_statistic
from miajax.attacks.population import pool_sample
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit

Views = Literal["majority", "mean"]


class LogRatios(NamedTuple):
    """log r under every target.

    Attributes:
      deciding: ``[M, N]``, of all views of x together.
      plain: ``[M, N]``, of the unmodified view, as which examples of the pool stand in the population.
      population: ``[M, P]``, of examples outside the pool; None where signals bring none.
    """

    deciding: Float[AnyArray, "models examples"]
    plain: Float[AnyArray, "models examples"]
    population: Float[AnyArray, "models population"] | None


def log_ratios(
    signals: Signals,
    member: Member,
    valid: Valid,
    partners: Partners,
    offline_a: Float[AnyArray, " models"],
    *,
    online: bool,
    options: RmiaOptions,
    views: Views,
) -> LogRatios:
    """log r(x), with p(x) the mean over all shadow models online, ((1 + a) p_out(x) + 1 - a) / 2 offline.

    Args:
      signals: with ``logits`` and ``labels``, and a population if there is one.
      member, valid, partners: see ``Attack.score``.
      offline_a: a of each target.
      online: which p(x).
      options: the likelihood.
      views: how those of x decide together: by the ``mean``, or by the one that decides a ``majority`` of them.
    """
    kernel = functools.partial(_log_ratios, online=online, options=options, views=views)

    def ratios(logits: Logits, labels: Labels, is_member: Member) -> tuple[Array, Array]:
        width = block_width(logits.shape[0] * logits.shape[2] * logits.shape[3])
        arrays = (logits, labels, is_member, valid, partners, offline_a)
        return map_examples(kernel, arrays, (1, 0, 1, *[None] * 3), width)

    deciding, plain = ratios(needed(signals.logits), needed(signals.labels), member)
    if signals.population_logits is None:
        return LogRatios(deciding, plain, None)
    nowhere = np.zeros(signals.population_logits.shape[:2], bool)
    _, others = ratios(signals.population_logits[:, :, None, :], needed(signals.population_labels), nowhere)
    return LogRatios(deciding, plain, others)


@jit(static_argnames=("online", "options", "views"))
def _log_ratios(
    logits: Logits,
    labels: Labels,
    member: Member,
    valid: Valid,
    partners: Partners,
    offline_a: Float[AnyArray, " models"],
    *,
    online: bool,
    options: RmiaOptions,
    views: Views,
) -> tuple[Array, Array]:
    """``[M, block]`` each: of the views together, and of the unmodified one.

    More than half of the views beat a threshold exactly if the view of rank ceil(Q/2) - 1 from below does.
    """
    log_p = jnp.moveaxis(log_likelihood(logits, labels[:, None], options), 2, 0)
    _, is_out = sides(member, valid)
    models = jnp.broadcast_to(valid[:, None], is_out.shape) if online else is_out
    log_mean = jax.vmap(others_log_mean, (0, None, None))(log_p, models, partners)
    if not online:
        a = offline_a[:, None]
        log_mean = jnp.logaddexp(jnp.log1p(a) + log_mean, jnp.log1p(-a)) - math.log(2)
    ratios = log_p - log_mean
    queries = len(ratios)
    if queries == 1:
        return ratios[0], ratios[0]
    together = ratios.mean(0) if views == "mean" else order_statistic(ratios, (queries - 1) // 2)
    return together, ratios[0]


def estimated(member: Member, valid: Valid, partners: Partners, *, online: bool) -> Bool[AnyArray, "models examples"]:
    """Of which examples each target has a p; offline, p_out(z) = 0 of no model trained without z is no estimate."""
    num_in, num_out = shadow_counts(member, valid, partners)
    return num_out + online * num_in > 0


def outside_population(
    signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> int:
    """How many non-members of valid targets their offline populations from the pool lack, for want of a p."""
    if signals.population_logits is not None:
        return 0
    lacking = ~member & ~estimated(member, valid, partners, online=False) & valid[:, None]
    return int(np.asarray(lacking)[:, pool_sample(member.shape[1], options.population_size)].sum())
