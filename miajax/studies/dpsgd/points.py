"""One point of the study of private training: utility, what LiRA finds, and how far it refutes epsilon."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.attacks.lira import lira_scores
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import run_attacks, why_not
from miajax.campaign.gathered import Campaign
from miajax.metrics import one_run, privacy_bounds
from miajax.metrics.accuracy import share_correct
from miajax.metrics.claims import against, chance_of_tpr
from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.groups import joined, of_groups
from miajax.metrics.intervals import CONFIDENCE
from miajax.metrics.paired import difference_over_models, influences, mean_rate
from miajax.metrics.summary import summarise
from miajax.notes import not_done
from miajax.signals.bundle import Signals
from miajax.studies.attacked.groups import join_of, with_groups
from miajax.studies.dpsgd.figures import FPR, Attacked, Guarantee, Point
from miajax.training.dp import accounting
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
IN_VERDICT = ("clopper_pearson", "one_run")
"""Bounds that assume nothing of the mechanism: only they refute a guarantee."""


@dataclasses.dataclass(frozen=True, eq=False)
class Models:
    """The models of one point.

    Attributes:
      signals: ``float32[M, N, Q]``.
      correct, member: ``bool[M, N]``.
      valid: ``bool[M]``.
      labels: ``int32[N]``.
      steps: ``int32[M]``, private steps that each ran, or None.
      apart: whether each record was drawn into each model by itself: models with and without it differ in nothing else.
      fair: whether that was by a fair coin.
      groups: ``int32[N]``, whose row each is, where whole groups were drawn: then bounds are about groups.
    """

    signals: Float[np.ndarray, "models examples queries"]
    correct: Bool[np.ndarray, "models examples"]
    member: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    labels: Int[np.ndarray, " examples"]
    steps: Int[np.ndarray, " models"] | None
    apart: bool
    fair: bool
    groups: Int[np.ndarray, " examples"] | None = None

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
            config.split == "bernoulli",
            config.split == "bernoulli" and config.member_fraction == 0.5,
            campaign.setup.dataset.groups,
        )


class Evidence(NamedTuple):
    """What lower bounds rest on, all of it of models that chose nothing.

    Attributes:
      single: one record over the measured models.
      guesses: about the records of the measured models, or None where no fair coins drew them.
      pooled: counts over all records and measured models.
    """

    single: privacy_bounds.ManyModels
    guesses: one_run.Guesses | None
    pooled: privacy_bounds.Counts


def measured(
    models: Models,
    mechanism: Mechanism | None,
    target: float | None,
    delta: float,
    significance: float,
    budgets: int = 1,
) -> tuple[Point, list[str]]:
    """A point of the study, and notes on what it lacks.

    Args:
      models: trained alike.
      mechanism: that they trained under, or None.
      target: epsilon that was asked for, None for none.
      delta: at which lower bounds are taken.
      significance: of each lower bound; and of all verdicts of the study together.
      budgets: how many guarantees the study tests.
    """
    known = models.valid[:, None]
    inside, outside = models.member & known, ~models.member & known
    attacked, notes = _attacked(models, max(1, budgets))
    evidence, guarantee = gathered(models, delta, significance), _guarantee(mechanism, models, delta)
    refuted: tuple[str, ...] = ()
    if mechanism is not None and guarantee.epsilon is not None:
        promise = (guarantee.epsilon, delta)
        if not models.apart and mechanism.step.adjacency == accounting.ADD_OR_REMOVE_ONE:
            promise = accounting.replacing(*promise)  # models with and without a record differ in another one too
        refuted = refuting(evidence, *promise, significance / budgets)
    point = Point(
        epsilon_target=None if target is None else finite_or_none(target),
        guarantee=guarantee,
        num_models=int(models.valid.sum()),
        train_accuracy=mean_rate([share_correct(models.correct, inside, models.groups)]),
        test_accuracy=mean_rate([share_correct(models.correct, outside, models.groups)]),
        attacked=attacked,
        epsilon_lower=lower_bounds(evidence, delta, significance),
        epsilon_lower_detail=_detail(evidence, delta, significance),
        largest_possible=largest_possible(evidence, delta, significance),
        refuted_by=refuted,
    )
    return point, notes


def accuracy_lost(models: Models, others: Models) -> Figure:
    """Accuracy on non-members of other models minus that of these, whose splits are others' own."""
    theirs, ours = (
        share_correct(each.correct, ~each.member & each.valid[:, None], each.groups) for each in (others, models)
    )
    return difference_over_models(theirs, ours)


def _guarantee(mechanism: Mechanism | None, models: Models, delta: float) -> Guarantee:
    if mechanism is None or models.steps is None:
        return Guarantee(delta=delta)
    ran = int(models.steps.max())
    steps = mechanism.steps_to_answer_for(ran)
    return Guarantee(
        epsilon=finite_or_none(mechanism.epsilon(steps)),
        delta=delta,
        epsilon_by_accountant=mechanism.by_accountant(steps),
        clip_norm=mechanism.clip_norm,
        noise_multiplier=mechanism.step.noise_multiplier,
        private_steps=ran,
    )


def _attacked(models: Models, budgets: int) -> tuple[Attacked, list[str]]:
    """What LiRA finds, every model a target."""
    signals = Signals(scaled_logit=models.signals, correct=models.correct, labels=models.labels)
    if reason := why_not(ATTACK, signals, models.member, models.valid):
        nothing = Estimate(None, reason="LiRA did not run.")
        return Attacked(above_chance=None, auc=nothing, tpr_at_fpr={}), [not_done(ATTACK, "run", reason)]
    scores = run_attacks((ATTACK,), signals, models.member, models.valid, AttackOptions())[ATTACK][0]
    summary = summarise(scores, models.member, models.valid, each_target=False, groups=models.groups)
    beside = with_groups(
        {ATTACK: summary}, {ATTACK: np.asarray(scores)}, models.member, models.valid, models.groups, each_target=False
    )[ATTACK].per_group
    asked, member = np.asarray(scores), models.member
    if models.groups is not None:  # what is promised is about groups
        asked, member = joined(asked, models.groups, join_of(ATTACK)), of_groups(member, models.groups)
    found = influences(asked, member, models.valid, FPR)
    level = 1 - (1 - CONFIDENCE) / (2 * budgets)
    held = [(found.auc, 0.5), *([] if found.tpr is None else [(found.tpr, chance_of_tpr(FPR, found.tpr.chance))])]
    above = any(against(mean_rate([one], level).ci, chance) == "above" for one, chance in held)
    attacked = Attacked(above_chance=above, auc=summary.auc, tpr_at_fpr=summary.tpr_at_fpr, per_group=beside)
    return attacked, list(summary.notes)


def gathered(models: Models, delta: float, significance: float) -> Evidence | None:
    """What the models show, or None where they are too few to show anything.

    Models of even place choose records and thresholds and shadow those of odd place, which are measured.

    Args:
      models: trained alike.
      delta, significance: of the bounds that the choices aim at.
    """
    even = np.arange(len(models.valid)) % 2 == 0
    choosing, measuring = models.valid & even, models.valid & ~even
    if choosing.sum() < 2 or not measuring.any():
        return None
    signal, member = models.signals.mean(-1), models.member
    # Models that shadow nobody are scored all the same: against the choosing models alone.
    scores = np.array(lira_scores(models.signals, models.member, choosing)[ATTACK])
    scores[~np.isfinite(scores)] = np.nan
    if models.groups is not None:  # a group's rows share one coin: what can be guessed is the group
        signal, scores = joined(signal, models.groups, "mean"), joined(scores, models.groups, "sum")
        member = of_groups(member, models.groups)
    return Evidence(
        privacy_bounds.many_models(signal, member, choosing, measuring, delta, significance),
        _guesses(scores, member, choosing, measuring, delta, significance) if models.fair else None,
        _pooled(scores, member, choosing, measuring),
    )


def lower_bounds(evidence: Evidence | None, delta: float, significance: float) -> dict[str, float | None]:
    """Every lower bound on epsilon by name, each at this significance by itself; None where it would not hold."""
    if evidence is None:
        return dict.fromkeys(BOUNDS, 0.0)
    single, guesses, pooled = evidence.single.counts, evidence.guesses, evidence.pooled
    return {
        "clopper_pearson": privacy_bounds.epsilon_from_counts(single, delta, significance),
        "gdp": privacy_bounds.gdp_epsilon_from_counts(single, delta, significance),
        "one_run": None if guesses is None else one_run.one_run_epsilon(guesses, delta, significance),
        "one_run_gdp": None if guesses is None else one_run.gdp_one_run_epsilon(guesses, delta, significance),
        "pooled_clopper_pearson": privacy_bounds.epsilon_from_counts(pooled, delta, significance),
        "pooled_gdp": privacy_bounds.gdp_epsilon_from_counts(pooled, delta, significance),
    }


def largest_possible(evidence: Evidence | None, delta: float, significance: float) -> dict[str, float]:
    """What each bound of the verdict could show with so many models and records, if every call were right."""
    if evidence is None:
        return {}
    perfect = privacy_bounds.perfect(evidence.single.counts)
    found = {"clopper_pearson": privacy_bounds.epsilon_from_counts(perfect, delta, significance)}
    if evidence.guesses is not None:
        found["one_run"] = one_run.ceiling(evidence.guesses.canaries, delta, significance)
    return found


def refuting(evidence: Evidence | None, epsilon: float, delta: float, significance: float) -> tuple[str, ...]:
    """The bounds that refute (epsilon, delta).

    Only ``IN_VERDICT`` can; each gets its share of the significance (Bonferroni).

    Args:
      evidence: of the models.
      epsilon, delta: a guarantee about what models with and without a record differ in.
      significance: probability that a guarantee which holds is refuted.
    """
    if evidence is None or delta >= 1:
        return ()
    bounds = lower_bounds(evidence, delta, significance / len(IN_VERDICT))
    return tuple(name for name in IN_VERDICT if (bounds[name] or 0.0) > epsilon)


def _detail(evidence: Evidence | None, delta: float, significance: float) -> dict[str, float]:
    """What the bounds on one record rest on."""
    if evidence is None:
        return {}
    single, ceilings = evidence.single, largest_possible(evidence, delta, significance)
    return {
        "example": single.example,
        "threshold": single.threshold,
        "true_positives": int(single.counts.true_positives[0]),
        "members": single.counts.members,
        "false_positives": int(single.counts.false_positives[0]),
        "non_members": single.counts.non_members,
        "largest_possible": ceilings["clopper_pearson"],
    }


def _guesses(
    scores: np.ndarray,
    member: np.ndarray,
    choosing: np.ndarray,
    measuring: np.ndarray,
    delta: float,
    significance: float,
) -> one_run.Guesses:
    """Guesses about the records that the choosing models give away most."""
    told, there = scores[choosing], member[choosing]
    known = ~np.isnan(told)
    inside, outside = known & there, known & ~there
    apart = [np.where(side, told, 0).sum(0) / np.maximum(side.sum(0), 1) for side in (inside, outside)]
    given_away = np.where(inside.any(0) & outside.any(0), apart[0] - apart[1], -np.inf)
    canaries = np.argsort(-given_away, kind="stable")[:_CANARIES]
    shares = one_run.shares_to_name(told[:, canaries], there[:, canaries], int(measuring.sum()), delta, significance)
    cells = np.ix_(measuring, canaries)
    return one_run.together(one_run.guess(scores[cells], member[cells], *shares))


def _pooled(
    scores: np.ndarray, member: np.ndarray, choosing: np.ndarray, measuring: np.ndarray
) -> privacy_bounds.Counts:
    """Counts over all records of the measured models, at thresholds that the choosing models place."""
    there = scores[choosing][~member[choosing]]
    there = there[np.isfinite(there)]
    thresholds = np.quantile(there, [1 - fpr for fpr in _POOLED_FPRS]) if len(there) else np.zeros(0)
    return privacy_bounds.pooled_counts(scores[measuring], member[measuring], thresholds)
