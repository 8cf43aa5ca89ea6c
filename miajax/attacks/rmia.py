"""RMIA: how often the example's likelihood ratio beats that of population examples by a factor gamma.

Zarifzadeh et al. 2024 (arXiv 2312.03262). With r(x) = p_target(x) / p(x), the score is the share of the population with
r(x) / r(z) > gamma, written as log r(z) < log r(x) - log gamma: in floats the three forms can differ, and this one is
the definition here. p(x) is the mean over all other models online, and offline ((1 + a) p_out(x) + 1 - a) / 2.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from miajax.attacks.attack import REFERENCES, WITH_AND_WITHOUT, WITHOUT, Attack, sides
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.likelihood import log_likelihood, others_log_mean
from miajax.attacks.options import AttackOptions
from miajax.attacks.order_statistics import order_statistic
from miajax.attacks.population import count_below, own_entries, pool_sample
from miajax.signals.bundle import AnyArray, Signals

_PUBLISHED_A = 0.3
_OFFLINE_A_GRID = tuple(round(0.1 * step, 1) for step in range(11))


@functools.partial(jax.jit, static_argnames=("online", "options"))
def _log_ratios(logits, labels, member, valid, offline_a, *, online, options):
    """Two log r(x), ``[M, block]`` each: of the unmodified view, and the one that decides a majority of the views.

    More than half of the views beat a threshold exactly if the view of rank ceil(Q/2) - 1 from below does.
    """
    log_p = jnp.moveaxis(log_likelihood(logits, labels[:, None], options), 2, 0)
    _, is_out = sides(member, valid)
    models = jnp.broadcast_to(valid[:, None], is_out.shape) if online else is_out
    log_mean = jax.vmap(others_log_mean, (0, None))(log_p, models)
    if not online:
        a = offline_a[:, None]
        log_mean = jnp.logaddexp(jnp.log1p(a) + log_mean, jnp.log1p(-a)) - math.log(2)
    ratios = log_p - log_mean
    queries = len(ratios)
    return ratios[0], order_statistic(ratios, (queries - 1) // 2) if queries > 1 else ratios[0]


def _scores(signals: Signals, member, valid, offline_a, *, online: bool, options: AttackOptions) -> Array:
    kernel = functools.partial(_log_ratios, online=online, options=options.rmia)

    def ratios(logits, labels, is_member):
        width = block_width(logits.shape[0] * logits.shape[2] * logits.shape[3])
        return map_examples(kernel, (logits, labels, is_member, valid, offline_a), (1, 0, 1, None, None), width)

    plain, deciding = ratios(signals.logits, signals.labels, member)
    if signals.population_logits is not None:
        nowhere = np.zeros(signals.population_logits.shape[:2], bool)
        others, _ = ratios(signals.population_logits[:, :, None, :], signals.population_labels, nowhere)
        return _beaten(deciding, others, gamma=options.rmia.gamma)
    ids = pool_sample(plain.shape[1], options.population_size)
    return _beaten_in_pool(deciding, plain, ids, member, gamma=options.rmia.gamma)


@functools.partial(jax.jit, static_argnames="gamma")
def _beaten(deciding, population, *, gamma):
    usable = jnp.isfinite(population)
    return count_below(deciding - math.log(gamma), population, usable) / usable.sum(1, keepdims=True)


@functools.partial(jax.jit, static_argnames="gamma")
def _beaten_in_pool(deciding, plain, ids, member, *, gamma):
    """An example of the population does not beat itself, but counts: one fewer to divide by would rank non-members up.

    Most scores are shares of a few outliers that everyone beats, so dividing these equal counts by m - 1 in place of m
    takes the AUC of signals that know nothing of membership to .46.
    """
    usable = ~member & jnp.isfinite(plain)
    thresholds = deciding - math.log(gamma)
    count = count_below(thresholds, plain[:, ids], usable[:, ids]) - (own_entries(plain, usable, ids) < thresholds)
    return count / usable[:, ids].sum(1, keepdims=True)


def choose_offline_a(
    signals: Signals,
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
    options: AttackOptions,
) -> Float[Array, " models"]:
    """The ``offline_a`` of each target: of 0, .1, ..., 1 the one with which its paired model is attacked best (AUC).

    Models 2k and 2k + 1 are a pair. A target's paired model is attacked with the models of its own parity only, so the
    target has no part in the choice.

    Args:
      signals: with ``logits`` and ``labels``, and a population if there is one.
      member: ``bool[M, N]``, M at least 4.
      valid: ``bool[M]``; the pair of a failed model takes the published default.

    Returns:
      ``float[M]``.
    """
    num_models = len(member)
    best = []
    for parity in (0, 1):
        half = _every_other(signals, parity)
        is_member, is_valid = member[parity::2], valid[parity::2]
        aucs = []
        for a in _OFFLINE_A_GRID:
            offline_a = np.full(len(is_member), a, np.float32)
            scores = _scores(half, is_member, is_valid, offline_a, online=False, options=options)
            aucs.append(_aucs(scores, is_member))
        winner = jnp.asarray(_OFFLINE_A_GRID)[jnp.argmax(jnp.stack(aucs), 0)]
        best.append(jnp.where(jnp.asarray(is_valid), winner, _PUBLISHED_A))
    targets = jnp.arange(num_models)
    pair = jnp.minimum(targets // 2, num_models // 2 - 1)  # an odd number leaves the last model to share a pair
    return jnp.where(targets % 2 == 0, best[1][pair], best[0][pair])


def _every_other(signals: Signals, parity: int) -> Signals:
    """The signals of the models of one parity, as far as RMIA reads them."""
    logits, population = signals.logits, signals.population_logits
    return signals._replace(
        logits=None if logits is None else logits[parity::2],
        population_logits=None if population is None else population[parity::2],
    )


@jax.jit
def _aucs(scores: Array, member: Array) -> Array:
    """The AUC of each model's scores, ties counted half."""
    twice = count_below(scores, scores, ~member) + count_below(scores, scores, ~member, ties="below")
    return jnp.where(member, twice, 0).sum(1) / (2 * member.sum(1) * (~member).sum(1))


def _family_scores(names, signals, member, valid, options):
    scores = {}
    fixed = options.rmia.offline_a
    for name in names:
        online = name == "rmia_online"
        if online or fixed is not None:
            a = np.full(len(member), 0.0 if fixed is None else fixed, np.float32)
        else:
            a = choose_offline_a(signals, member, valid, options)
        scores[name] = _scores(signals, member, valid, a, online=online, options=options)
    return scores


_SOURCE = "Zarifzadeh et al. 2024 (arXiv 2312.03262); privacytrustlab/ml_privacy_meter"
_COST = "shadow models, even few; a sort of the population per target"
ATTACKS = (
    Attack(
        "rmia_online", "RMIA online", _family_scores, "rmia", ("logits", "labels"), 1, 1,
        requires=f"{WITH_AND_WITHOUT}, {REFERENCES}",
        knowledge="shadow models trained with and without the example, and a population, on data like the target's",
        source=_SOURCE, cost=_COST,
    ),
    Attack(
        "rmia_offline", "RMIA offline", _family_scores, "rmia", ("logits", "labels"), 0, 1,
        requires=f"{WITHOUT}, {REFERENCES}",
        knowledge="shadow models trained without the example, and a population, on data like the target's",
        source=_SOURCE, cost=_COST,
    ),
)
