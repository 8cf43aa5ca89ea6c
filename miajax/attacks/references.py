"""Attacks that compare a target's loss with losses known for certain not to come from membership.

Attack-P compares it with other examples' losses under the same model, Attack-R with the same example's losses under
models that did not train on it, and calibrated difficulty subtracts those.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.attack import (
    REFERENCES,
    WITHOUT,
    Attack,
    Member,
    Names,
    Partners,
    ScaledLogit,
    Scores,
    Valid,
    needed,
    sides,
)
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.leave_one_out import leave_one_out
from miajax.attacks.options import AttackOptions, CalibrationOptions
from miajax.attacks.order_statistics import medians
from miajax.attacks.population import count_below, own_entries, pool_sample
from miajax.signals.bundle import AnyArray, Signals
from miajax.signals.scaled_logit import loss, scaled_logit
from miajax.typed import jit, lax_map

_GREATEST_LOSS = 1000.0  # Attack-R's upper end point; its lower one is 0


def _width(signals: Signals) -> int:
    num_models, _, queries = needed(signals.scaled_logit).shape
    return block_width(num_models * queries)


@jit
def _mean(scaled_logit: ScaledLogit) -> Float[Array, "models examples"]:
    return scaled_logit.mean(-1)


@jit
def _attack_p(
    values: Float[AnyArray, "models examples"],
    logits: Float[AnyArray, "models population classes"],
    labels: Int[AnyArray, " population"],
) -> Float[Array, "models examples"]:
    population = scaled_logit(logits, labels)
    usable = jnp.isfinite(population)
    return count_below(values, population, usable, ties="below") / usable.sum(1, keepdims=True)


@jit
def _attack_p_in_pool(
    values: Float[AnyArray, "models examples"], ids: Int[AnyArray, " population"], member: Member
) -> Float[Array, "models examples"]:
    usable = ~member
    own = own_entries(values, usable, ids) <= values
    total = usable[:, ids].sum(1, keepdims=True)
    return (count_below(values, values[:, ids], usable[:, ids], ties="below") - own) / (total - own)


def _attack_p_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    """One minus the share of the population with a lower loss, compared by scaled logits, which keep more digits."""
    values = map_examples(_mean, (needed(signals.scaled_logit),), (1,), _width(signals))
    if signals.population_logits is not None:
        return {"attack_p": _attack_p(values, signals.population_logits, needed(signals.population_labels))}
    ids = pool_sample(values.shape[1], options.population_size)
    return {"attack_p": _attack_p_in_pool(values, ids, member)}


@jit
def _attack_r(
    scaled_logit: ScaledLogit, member: Member, valid: Valid, partners: Partners
) -> Float[Array, "models examples"]:
    """One minus the level at which the example's loss is a quantile of its OUT losses with both end points."""
    losses = jnp.minimum(loss(scaled_logit).mean(-1), _GREATEST_LOSS)
    _, is_out = sides(member, valid)

    def of_target(target: tuple[Array, ...]) -> Array:
        own, *pair = target
        others = is_out & ~_among(pair, len(losses))
        lower = others & (losses <= own)
        below = jnp.where(lower, losses, 0).max(0)
        above = jnp.where(others & ~lower, losses, _GREATEST_LOSS).min(0)
        step = jnp.where(above > below, (own - below) / (above - below), 0)
        return 1 - (lower.sum(0) + step) / (others.sum(0) + 1)

    return lax_map(of_target, (losses, *_pairs(len(losses), partners)))


def _pairs(num_models: int, partners: Partners) -> tuple[Array, ...]:
    """The models to leave out for each target: itself, and its partner where models have one."""
    itself = jnp.arange(num_models)
    return (itself,) if partners is None else (itself, jnp.asarray(partners))


def _among(models: Sequence[Array], num_models: int) -> Bool[Array, "models 1"]:
    return functools.reduce(jnp.logical_or, (jnp.arange(num_models) == model for model in models))[:, None]


def _attack_r_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    arrays = (needed(signals.scaled_logit), member, valid, partners)
    return {"attack_r": map_examples(_attack_r, arrays, (1, 1, None, None), _width(signals))}


@jit(static_argnames="options")
def _calibrated(
    scaled_logit: ScaledLogit, member: Member, valid: Valid, partners: Partners, *, options: CalibrationOptions
) -> Float[Array, "models examples"]:
    values = -loss(scaled_logit).mean(-1)
    is_in, is_out = sides(member, valid)
    models = {"out": is_out, "in": is_in, "both": is_in | is_out}[options.models]
    if partners is not None and options.models == "both":  # both of a pair are there, for every example
        return values - lax_map(
            lambda pair: _centre(values, models & ~_among(pair, len(values)), options), _pairs(len(values), partners)
        )
    if options.centre == "median":
        return values - medians(values, models, partners).without
    others = leave_one_out(values, models, partners)
    return values - jnp.where(others.count > 0, others.mean, jnp.nan)


def _centre(values: Array, models: Array, options: CalibrationOptions) -> Array:
    if options.centre == "median":
        return medians(values, models).whole
    return jnp.where(models, values, 0).sum(0) / models.sum(0)


def _calibrated_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    kernel = functools.partial(_calibrated, options=options.calibration)
    arrays = (needed(signals.scaled_logit), member, valid, partners)
    return {"calibrated": map_examples(kernel, arrays, (1, 1, None, None), _width(signals))}


ATTACKS = (
    Attack(
        "attack_p",
        "Attack-P",
        _attack_p_scores,
        "attack_p",
        ("scaled_logit",),
        0,
        0,
        requires=REFERENCES,
        knowledge="the target's loss on the example and on a population without the target's members",
        source="Ye et al. 2022 (arXiv 2111.09679), attack P; privacytrustlab/ml_privacy_meter",
        cost="queries of the population; a sort of it per target",
    ),
    Attack(
        "attack_r",
        "Attack-R",
        _attack_r_scores,
        "attack_r",
        ("scaled_logit",),
        0,
        1,
        requires=WITHOUT,
        source="Ye et al. 2022 (arXiv 2111.09679), attack R; privacytrustlab/ml_privacy_meter",
        cost="shadow models; all pairs of models per example",
    ),
    Attack(
        "calibrated",
        "Calibrated difficulty",
        _calibrated_scores,
        "calibrated",
        ("scaled_logit",),
        0,
        1,
        requires=WITHOUT,
        source="Watson et al. 2022 (arXiv 2111.08440)",
        cost="shadow models, even one; one pass over their scaled logits for all targets",
    ),
)
