"""One point of the study of private training: utility, what LiRA finds, and how far it refutes epsilon."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.attacks.lira import lira_scores
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import run_attacks, why_not
from miajax.metrics import one_run, privacy_bounds
from miajax.metrics.accuracy import share_correct
from miajax.metrics.paired import mean_rate
from miajax.metrics.summary import summarise
from miajax.signals.bundle import Signals
from miajax.studies.campaign import Campaign
from miajax.training.dp import accounting
from miajax.training.dp.accounting import Accountant
from miajax.training.dp.mechanism import Mechanism, finite_or_none

ATTACK = "lira_online"
_POOLED_FPRS = (1e-3, 1e-2, 1e-1)  # where thresholds are placed, on models that are not measured
_CANARIES = 100  # records guessed in every model by the one-run bounds: the more, the more delta costs

BOUNDS: Mapping[str, str] = {
    "clopper_pearson": "one record and threshold chosen on half of the models, measured on the other half",
    "gdp": "the same counts, for mechanisms that are Gaussian in the limit",
    "one_run": f"guesses about {_CANARIES} records of every measured model, chosen on the other models; holds although "
    "they share its run (Steinke et al. 2023)",
    "one_run_gdp": "the same guesses, for mechanisms that are Gaussian in the limit (Mahloujifar et al. 2024)",
    "pooled_clopper_pearson": "heuristic: all records of all measured models, as if each were a run of its own",
    "pooled_gdp": "heuristic: the same counts, for mechanisms that are Gaussian in the limit",
}
HEURISTICS = frozenset({"pooled_clopper_pearson", "pooled_gdp"})


@dataclasses.dataclass(frozen=True, eq=False)
class Models:
    """The models of one point.

    Attributes:
      signals: ``float32[M, N, Q]``.
      correct, member: ``bool[M, N]``.
      valid: ``bool[M]``.
      labels: ``int32[N]``.
      steps: ``int32[M]``, private steps that each ran, or None.
      fair: whether a fair coin of its own drew each record into each model.
    """

    signals: Float[np.ndarray, "models examples queries"]
    correct: Bool[np.ndarray, "models examples"]
    member: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    labels: Int[np.ndarray, " examples"]
    steps: Int[np.ndarray, " models"] | None
    fair: bool

    @classmethod
    def of(cls, campaign: Campaign, place: int = 0, turns: int = 1) -> "Models":
        """The models ``place, place + turns, ...`` of a campaign."""
        every, config = slice(place, None, turns), campaign.setup.config
        steps = campaign.private_steps
        return cls(
            np.asarray(campaign.signals[every]),
            campaign.correct[every],
            campaign.member[every],
            campaign.valid[every],
            campaign.setup.dataset.labels,
            None if steps is None else steps[every],
            config.split == "bernoulli" and config.member_fraction == 0.5,
        )


def measured(
    models: Models, mechanism: Mechanism | None, target: float | None, delta: float, significance: float
) -> tuple[dict[str, Any], list[str]]:
    """A point of ``results.json``, and notes on what it lacks.

    Args:
      models: trained alike.
      mechanism: that they trained under, or None.
      target: epsilon that was asked for, None for none.
      delta: at which lower bounds are taken.
      significance: of each lower bound.
    """
    known = models.valid[:, None]
    inside, outside = models.member & known, ~models.member & known
    test = mean_rate([share_correct(models.correct, outside)])
    train = mean_rate([share_correct(models.correct, inside)])
    found, notes = _attacked(models)
    bounds, detail = lower_bounds(models, delta, significance)
    point = {
        "epsilon_target": None if target is None else finite_or_none(target),
        **_guarantee(mechanism, models, delta),
        "num_models": int(models.valid.sum()),
        "train_accuracy": train.value,
        "train_accuracy_ci": train.ci,
        "test_accuracy": test.value,
        "test_accuracy_ci": test.ci,
        **found,
        "epsilon_lower": bounds,
        "epsilon_lower_detail": detail,
    }
    point["refuted_by"] = [
        name
        for name, bound in bounds.items()
        if bound is not None and point["epsilon"] is not None and bound > point["epsilon"]
    ]
    return point, notes


def _guarantee(mechanism: Mechanism | None, models: Models, delta: float) -> dict[str, Any]:
    """What the accountants say of the steps that ran; None where there is no guarantee."""
    if mechanism is None or models.steps is None:
        nothing = dict.fromkeys(("epsilon", "clip_norm", "noise_multiplier", "private_steps"))
        return {**nothing, "delta": delta, "epsilon_by_accountant": {"pld": None, "rdp": None}}
    steps = int(models.steps.max())
    return {
        "epsilon": finite_or_none(mechanism.epsilon(steps)),
        "delta": delta,
        "epsilon_by_accountant": {name: _by(mechanism, steps, name) for name in ("pld", "rdp")},
        "clip_norm": mechanism.clip_norm,
        "noise_multiplier": mechanism.step.noise_multiplier,
        "private_steps": steps,
    }


def _by(mechanism: Mechanism, steps: int, accountant: Accountant) -> float | None:
    """The epsilon of an accountant that has a bound for this sampling."""
    if not accounting.has_bound(mechanism.step, accountant):
        return None
    return finite_or_none(accounting.epsilon(mechanism.step, steps, mechanism.delta, accountant))


def _attacked(models: Models) -> tuple[dict[str, Any], list[str]]:
    """What LiRA finds, every model a target."""
    signals = Signals(scaled_logit=models.signals, correct=models.correct, labels=models.labels)
    if reason := why_not(ATTACK, signals, models.member, models.valid):
        nothing = dict.fromkeys(("auc", "auc_ci"))
        return {**nothing, "lira_tpr_at_fpr": {}, "lira_tpr_at_fpr_ci": {}}, [f"{ATTACK} was not run: it {reason}."]
    scores = run_attacks((ATTACK,), signals, models.member, models.valid, AttackOptions())[ATTACK][0]
    entry, notes = summarise(scores, models.member, models.valid, each_target=False)
    return {
        "auc": entry["auc"],
        "auc_ci": entry["auc_ci"],
        "lira_tpr_at_fpr": entry["tpr_at_fpr"],
        "lira_tpr_at_fpr_ci": entry["tpr_at_fpr_ci"],
    }, notes


def lower_bounds(models: Models, delta: float, significance: float) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Every lower bound on epsilon by name, None where it would not hold, and what those on one record rest on.

    Models of even place choose records and thresholds and shadow those of odd place, which are measured.
    """
    even = np.arange(len(models.valid)) % 2 == 0
    choosing, measuring = models.valid & even, models.valid & ~even
    if not (choosing.any() and measuring.any()):
        return dict.fromkeys(BOUNDS, 0.0), {}
    signal = models.signals.mean(-1)
    single = privacy_bounds.many_models(signal, models.member, choosing, measuring, delta, significance)
    # Models that shadow nobody are scored all the same: against the choosing models alone.
    scores = np.array(lira_scores(models.signals, models.member, choosing)[ATTACK])
    scores[~np.isfinite(scores)] = np.nan
    pooled = _pooled(scores, models, choosing, measuring)
    bounds = {
        "clopper_pearson": privacy_bounds.epsilon_from_counts(single.counts, delta, significance),
        "gdp": privacy_bounds.gdp_epsilon_from_counts(single.counts, delta, significance),
        **_one_run(scores, models, choosing, measuring, delta, significance),
        "pooled_clopper_pearson": privacy_bounds.epsilon_from_counts(pooled, delta, significance),
        "pooled_gdp": privacy_bounds.gdp_epsilon_from_counts(pooled, delta, significance),
    }
    detail = {
        "example": single.example,
        "threshold": single.threshold,
        "true_positives": int(single.counts.true_positives[0]),
        "members": single.counts.members,
        "false_positives": int(single.counts.false_positives[0]),
        "non_members": single.counts.non_members,
        "largest_possible": _largest(single.counts, delta, significance),
    }
    return bounds, detail


def _one_run(
    scores: np.ndarray, models: Models, choosing: np.ndarray, measuring: np.ndarray, delta: float, significance: float
) -> dict[str, float | None]:
    """Bounds from guesses about the records that the choosing models give away most."""
    if not models.fair:
        return {"one_run": None, "one_run_gdp": None}
    told, member = scores[choosing], models.member[choosing]
    known = ~np.isnan(told)
    inside, outside = known & member, known & ~member
    apart = [np.where(side, told, 0).sum(0) / np.maximum(side.sum(0), 1) for side in (inside, outside)]
    given_away = np.where(inside.any(0) & outside.any(0), apart[0] - apart[1], -np.inf)
    canaries = np.argsort(-given_away, kind="stable")[:_CANARIES]
    shares = one_run.shares_to_name(
        told[:, canaries], member[:, canaries], int(measuring.sum()), delta, significance
    )
    cells = np.ix_(measuring, canaries)
    guesses = one_run.together(one_run.guess(scores[cells], models.member[cells], *shares))
    return {
        "one_run": one_run.one_run_epsilon(guesses, delta, significance),
        "one_run_gdp": one_run.gdp_one_run_epsilon(guesses, delta, significance),
    }


def _pooled(
    scores: np.ndarray, models: Models, choosing: np.ndarray, measuring: np.ndarray
) -> privacy_bounds.Counts:
    """Counts over all records of the measured models, at thresholds that the choosing models place."""
    there = scores[choosing][~models.member[choosing]]
    there = there[np.isfinite(there)]
    thresholds = np.quantile(there, [1 - fpr for fpr in _POOLED_FPRS]) if len(there) else np.zeros(0)
    return privacy_bounds.pooled_counts(scores[measuring], models.member[measuring], thresholds)


def _largest(counts: privacy_bounds.Counts, delta: float, significance: float) -> float:
    """The bound that these numbers of models would give if every guess were right."""
    perfect = privacy_bounds.Counts(np.array([counts.members]), counts.members, np.array([0]), counts.non_members)
    bound = privacy_bounds.epsilon_from_counts(perfect, delta, significance)
    return bound if math.isfinite(bound) else 0.0
