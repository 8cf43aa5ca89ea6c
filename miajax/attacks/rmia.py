"""RMIA: how often the example's likelihood ratio beats that of population examples by a factor gamma.

Zarifzadeh et al. 2024 (arXiv 2312.03262). With r(x) = p_target(x) / p(x), the score is the share of the population with
r(x) / r(z) > gamma, written as log r(z) < log r(x) - log gamma: in floats the three forms can differ, and this one is
the definition here. p(x) is the mean over all shadow models online, and offline ((1 + a) p_out(x) + 1 - a) / 2.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.attack import (
    Member,
    Names,
    Partners,
    Scores,
    Valid,
    online_and_offline,
    partners_in,
    shadow_counts,
)
from miajax.attacks.likelihood_ratios import estimated, log_ratios, outside_population
from miajax.attacks.options import AttackOptions
from miajax.attacks.population import count_below, own_entries, pool_sample
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit

_PUBLISHED_A = 0.3
_OFFLINE_A_GRID = tuple(round(0.1 * step, 1) for step in range(11))


def _scores(
    signals: Signals,
    member: Member,
    valid: Valid,
    partners: Partners,
    offline_a: Float[AnyArray, " models"],
    *,
    online: bool,
    options: AttackOptions,
) -> Float[Array, "models examples"]:
    deciding, plain, others = log_ratios(
        signals, member, valid, partners, offline_a, online=online, options=options.rmia, views="majority"
    )
    if others is not None:
        return _beaten(deciding, others, gamma=options.rmia.gamma)
    ids = pool_sample(plain.shape[1], options.population_size)
    usable = ~jnp.asarray(member) & estimated(member, valid, partners, online=online)
    return _beaten_in_pool(deciding, plain, ids, usable, gamma=options.rmia.gamma)


@jit(static_argnames="gamma")
def _beaten(
    deciding: Float[AnyArray, "models examples"], population: Float[AnyArray, "models population"], *, gamma: float
) -> Float[Array, "models examples"]:
    usable = jnp.isfinite(population)
    return count_below(deciding - math.log(gamma), population, usable) / usable.sum(1, keepdims=True)


@jit(static_argnames="gamma")
def _beaten_in_pool(
    deciding: Float[AnyArray, "models examples"],
    plain: Float[AnyArray, "models examples"],
    ids: Int[AnyArray, " population"],
    usable: Bool[AnyArray, "models examples"],
    *,
    gamma: float,
) -> Float[Array, "models examples"]:
    """An example of the population does not beat itself, but counts: one fewer to divide by would rank non-members up.

    Most scores are shares of a few outliers that everyone beats, so dividing these equal counts by m - 1 in place of m
    takes the AUC of signals that know nothing of membership to .46.
    """
    usable = usable & jnp.isfinite(plain)
    thresholds = deciding - math.log(gamma)
    count = count_below(thresholds, plain[:, ids], usable[:, ids]) - (own_entries(plain, usable, ids) < thresholds)
    return count / usable[:, ids].sum(1, keepdims=True)


def offline_a_of(
    signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners = None, *, online: bool
) -> Float[AnyArray, " models"]:
    """Each target's ``offline_a``: the options' own, or the chosen ones where they leave it open; unused online."""
    fixed = options.rmia.offline_a
    if fixed is None and not online:
        return choose_offline_a(signals, member, valid, options, partners)
    return np.full(len(member), 0.0 if fixed is None else fixed, np.float32)


def choose_offline_a(
    signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners = None
) -> Float[Array, " models"]:
    """The ``offline_a`` of each target: of 0, .1, ..., 1 the one with which its stand-in is attacked best (AUC).

    Models 2k and 2k + 1 stand in for each other. A target's stand-in is attacked with the models of its own parity
    only, so the target has no part in the choice. Of complementary pairs whole pairs take turns instead of models: a
    target's partner has no part in the choice either.

    Args:
      signals: with ``logits`` and ``labels``, and a population if there is one.
      member: ``bool[M, N]``, M at least 4.
      valid: ``bool[M]``; where the stand-in failed or has no shadow model, the published default is taken.
      options: of RMIA.
      partners: see ``Attack.score``.

    Returns:
      ``float[M]``.
    """
    partners = partners_in(member) if partners is None else partners
    places = np.arange(len(member))
    if partners is None:
        unit, order = 1, places
        halves = [slice(turn, None, 2) for turn in (0, 1)]  # no copy of the signals
    else:
        first = jnp.minimum(jnp.asarray(partners), places)
        unit, order = 2, jnp.lexsort((places, first, partners == places))  # pairs first, each side by side
        halves = [order[places // unit % 2 == turn] for turn in (0, 1)]
    best = [_best_offline_a(signals, member, valid, partners, rows, options) for rows in halves]
    place = places // (2 * unit) * unit + places % unit  # in the other half; the last models may have to share one
    of_first, of_second = (best[turn][jnp.minimum(place, len(best[turn]) - 1)] for turn in (1, 0))
    chosen = jnp.where(places // unit % 2 == 0, of_first, of_second)
    return chosen if partners is None else jnp.zeros_like(chosen).at[order].set(chosen)


def _best_offline_a(
    signals: Signals, member: Member, valid: Valid, partners: Partners, rows: Any, options: AttackOptions
) -> Float[Array, " rows"]:
    """With which ``offline_a`` each of some models is attacked best by the others of them."""
    logits, population = signals.logits, signals.population_logits
    some = signals._replace(
        logits=None if logits is None else logits[rows],
        population_logits=None if population is None else population[rows],
    )
    member, valid = member[rows], jnp.asarray(valid)[rows]
    if partners is not None:  # as places among the rows, which hold whole pairs
        place = jnp.zeros(len(partners), jnp.int32).at[rows].set(jnp.arange(len(rows)))
        partners = place[jnp.asarray(partners)[rows]]
    aucs: list[Array] = []
    known = estimated(member, valid, partners, online=False)
    for a in _OFFLINE_A_GRID:
        offline_a = np.full(len(member), a, np.float32)
        scores = _scores(some, member, valid, partners, offline_a, online=False, options=options)
        aucs.append(_aucs(scores, member & known, ~member & known))
    winner = jnp.asarray(_OFFLINE_A_GRID)[jnp.argmax(jnp.stack(aucs), 0)]
    told = valid
    if partners is not None:
        told = valid & shadow_counts(member, valid, partners)[1].any(1)
    return jnp.where(told, winner, _PUBLISHED_A)


@jit
def _aucs(
    scores: Float[AnyArray, "models examples"],
    inside: Bool[AnyArray, "models examples"],
    outside: Bool[AnyArray, "models examples"],
) -> Float[Array, " models"]:
    """The AUC of each model's scores of some members and some non-members, ties counted half."""
    twice = count_below(scores, scores, outside) + count_below(scores, scores, outside, ties="below")
    return jnp.where(inside, twice, 0).sum(1) / (2 * inside.sum(1) * outside.sum(1))


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    scores: dict[str, Array] = {}
    for name in names:
        online = name == "rmia_online"
        a = offline_a_of(signals, member, valid, options, partners, online=online)
        scores[name] = _scores(signals, member, valid, partners, a, online=online, options=options)
    return scores


ATTACKS = online_and_offline(
    "rmia",
    "RMIA",
    _family_scores,
    outside_population=outside_population,
    source="Zarifzadeh et al. 2024 (arXiv 2312.03262); privacytrustlab/ml_privacy_meter",
    cost="shadow models, even few; a sort of the population per target",
)
