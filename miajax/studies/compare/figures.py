"""Paired differences of two runs: of every attack's figures, of accuracies, of single examples' exposure."""

import numpy as np

from miajax.metrics.accuracy import share_by_model
from miajax.metrics.changes import Changes, exposure_changes, models_to_see_one
from miajax.metrics.claims import against
from miajax.metrics.groups import JOINS, Join
from miajax.metrics.intervals import CONFIDENCE
from miajax.metrics.paired import Influence, difference_over_models, influences_at, mean_difference, mean_rate
from miajax.metrics.summary import FPRS
from miajax.studies import common
from miajax.studies.attacked.groups import join_of
from miajax.studies.compare.results import (
    Accuracies,
    AccuracyChanged,
    AttackChanged,
    ByGroup,
    ByUnit,
    Changed,
    Exposure,
)
from miajax.studies.compare.side import Side

_Figures = tuple[Influence, dict[float, Influence | None]]


def attack_changes(
    before: Side,
    after: Side,
    attack: str,
    paired: bool,
    comparisons: int,
    exposure: Exposure,
    of_groups: Exposure | None = None,
) -> AttackChanged:
    """One attack's AUC and TPRs before and after, and how they changed.

    Args:
      before, after: the runs.
      attack: scored in both.
      paired: model m of the one has the members of model m of the other.
      comparisons: how many attacks are compared; ``change_ci_of_all`` holds for all of them at once (Bonferroni).
      exposure: of single examples to it.
      of_groups: the same of groups, where members were drawn by group.
    """
    one, other = _both_valid(before, after, paired)

    def by_row(side: Side, valid: np.ndarray) -> _Figures:
        return influences_at(side.score(attack), side.member, valid, FPRS, side.groups)

    def by_group(side: Side, valid: np.ndarray, join: Join) -> _Figures:
        return influences_at(*side.of_groups(attack, join), valid, FPRS)

    def joins(join: Join) -> ByUnit:
        return ByUnit(*_changes(by_group(before, one, join), by_group(after, other, join), paired, comparisons))

    whole = None
    if of_groups is not None and before.groups is not None:
        each, leads, count = {join: joins(join) for join in JOINS}, join_of(attack), int(before.groups.max()) + 1
        whole = ByGroup(
            each[leads].auc, each[leads].tpr_at_fpr, headline=leads, num_groups=count, exposure=of_groups,
            sum=each["sum"], mean=each["mean"], max=each["max"],
        )  # fmt: skip
    changes = _changes(by_row(before, one), by_row(after, other), paired, comparisons)
    return AttackChanged(*changes, exposure=exposure, per_group=whole)


def _changes(
    before: _Figures, after: _Figures, paired: bool, comparisons: int
) -> tuple[Changed, dict[float, Changed | None]]:
    """AUC and TPRs of one kind, by row or by group."""
    (auc, tprs), (auc_after, tprs_after) = before, after
    whole = changed(auc, auc_after, paired, comparisons)
    assert whole is not None, "the AUC of an attack with scores is always there"
    return whole, {fpr: changed(tpr, tprs_after[fpr], paired, comparisons) for fpr, tpr in tprs.items()}


def changed(one: Influence | None, other: Influence | None, paired: bool, comparisons: int) -> Changed | None:
    """A figure before and after with its change; None where a run cannot resolve it."""
    if one is None or other is None:
        return None
    wide = 1 - (1 - CONFIDENCE) / comparisons
    change, of_all = (_difference(other, one, paired, confidence) for confidence in (CONFIDENCE, wide))
    return Changed(
        before=mean_rate([one]),
        after=mean_rate([other]),
        change=change,
        change_ci_of_all=of_all.interval,
        standing=against(of_all.ci, 0.0),
    )


def _difference(one: Influence, other: Influence, paired: bool, confidence: float):
    if paired:
        return mean_difference([(one, other)], confidence)
    return difference_over_models(one, other, confidence)


def accuracy_changes(before: Side, after: Side, paired: bool) -> Accuracies | None:
    """Accuracy on members, on non-members and their gap; None where a run kept no answers."""
    if before.correct is None or after.correct is None:
        return None
    found: list[tuple[Influence, ...]] = []
    for side, models in zip((before, after), _both_valid(before, after, paired), strict=True):
        parts = [share_by_model(side.correct, of, models, side.groups) for of in (side.member, ~side.member)]  # type: ignore[arg-type]
        found.append((*parts, parts[0].minus(parts[1])))

    def of(one: Influence, other: Influence) -> AccuracyChanged:
        change = _difference(other, one, paired, CONFIDENCE)
        return AccuracyChanged(one.value, other.value, change, against(change.ci, 0.0))

    return Accuracies(*(of(one, other) for one, other in zip(*found, strict=True)))


def example_changes(
    before: Side, after: Side, attack: str, paired: bool, by_group: bool = False
) -> tuple[Changes, Exposure]:
    """Whose exposure to an attack changed: by example, or by group, and counted."""
    if by_group:
        (one, member), (other, member_after) = (side.of_groups(attack, join_of(attack)) for side in (before, after))
    else:
        one, other = (np.asarray(side.score(attack)) for side in (before, after))
        member, member_after = before.member, after.member
    valid, valid_after = _both_valid(before, after, paired)
    found = exposure_changes(
        one, other, member, member_after, valid, valid_after, fpr=common.EXPOSURE_FPR, paired=paired
    )
    tested = np.isfinite(found.p)
    counts = Exposure(
        gained_protection=int((found.direction < 0).sum()),
        lost_protection=int((found.direction > 0).sum()),
        tested=int(tested.sum()),
        median_models=float(np.median(found.models[tested])) if tested.any() else None,
        models_to_see_one=models_to_see_one(max(1, int(tested.sum()))),
    )
    return found, counts


def _both_valid(before: Side, after: Side, paired: bool) -> tuple[np.ndarray, np.ndarray]:
    """The models that count; of pairs both must have trained well."""
    together = before.valid & after.valid if paired else None
    return (before.valid, after.valid) if together is None else (together, together)
