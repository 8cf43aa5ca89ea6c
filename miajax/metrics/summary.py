"""What one attack shows: its figures of merit, pooled and by target, with their intervals."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from miajax.errors import UserError
from miajax.metrics.clusters import Groups, renumbered
from miajax.metrics.figures import Estimate, Figures, fpr_key, unresolved
from miajax.metrics.json_form import from_json
from miajax.metrics.per_target import per_target_figures
from miajax.metrics.pooled import pooled_figures
from miajax.notes import noted

if TYPE_CHECKING:
    from miajax.metrics.groups import GroupFigures

FPRS = (1e-4, 1e-3, 1e-2)
POOLED = " pooled over targets"
_NOTEWORTHY = 1.25  # times the FPR, from which on a note says what chance reaches


@dataclasses.dataclass(frozen=True, repr=False)
class AttackSummary(Figures):
    """An attack's figures of merit over all targets together, and what they rest on.

    Attributes:
      num_targets: targets with scores of members and of non-members: the figures are about them.
      num_members, num_non_members: their scores.
      num_scores_missing: cells to judge that have no score that counts.
      per_target: means over targets of each target's own figures; None where they were not asked for.
      notes: what the figures leave out, a sentence each.
      per_group: figures of groups of rows, such as people; None where rows have none.
    """

    num_targets: int
    num_members: int
    num_non_members: int
    num_scores_missing: int
    per_target: Figures | None
    notes: tuple[str, ...]
    per_group: "GroupFigures | None" = None

    def to_json(self) -> dict[str, Any]:
        """The attack's entry of ``results.json``; the notes stand elsewhere in it."""
        own = self.per_target
        return super().to_json() | {
            "num_members": self.num_members,
            "num_non_members": self.num_non_members,
            "num_scores_missing": self.num_scores_missing,
            "per_target": None if own is None else own.to_json() | {"num_targets": self.num_targets},
            **({} if self.per_group is None else {"per_group": self.per_group.to_json()}),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "AttackSummary":
        """The summary that ``to_json`` made an entry of; without the notes, and with 0 targets where it counts none.

        Rates that are null have their reason again: it follows from the counts.
        """
        from miajax.metrics.groups import GroupFigures  # which holds summaries itself

        own, groups, others = entry["per_target"], entry.get("per_group"), entry["num_non_members"]
        targets = 0 if own is None else own["num_targets"]
        return cls(
            **vars(_explained(from_json(Figures, entry), lambda fpr: unresolved(fpr, others))),
            num_targets=targets,
            num_members=entry["num_members"],
            num_non_members=others,
            num_scores_missing=entry["num_scores_missing"],
            per_target=None
            if own is None
            else _explained(from_json(Figures, own), lambda fpr: _unresolved_alone(fpr, others, targets)),
            notes=(),
            per_group=None if groups is None else GroupFigures.from_json(groups),
        )


def _explained(figures: Figures, why: Callable[[float], Estimate]) -> Figures:
    """The figures with the reason why a rate is missing."""
    rates = {
        fpr: tpr if tpr.value is not None else dataclasses.replace(why(fpr), chance=tpr.chance)
        for fpr, tpr in figures.tpr_at_fpr.items()
    }
    return dataclasses.replace(figures, tpr_at_fpr=rates)


def _unresolved_alone(fpr: float, non_members: int, targets: int) -> Estimate:
    """What stands for a single target's rate; a file does not say how many non-members the poorest target has."""
    if targets == 1:
        return unresolved(fpr, non_members)
    needed = math.ceil(1.0 / fpr - 1e-9)
    mean = non_members // max(1, targets)
    return Estimate(
        None,
        reason=f"Not resolvable for every single target: a false-positive rate of {fpr:g} takes {needed:,} non-members "
        f"of each, and they have {mean:,} on average.",
    )


def summarise(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"] | None = None,
    *,
    fprs: Sequence[float] = FPRS,
    targets: Sequence[int] | None = None,
    where: Bool[np.ndarray, "models examples"] | None = None,
    each_target: bool = True,
    groups: Groups = None,
) -> AttackSummary:
    """Returns an attack's figures of merit with 95 % intervals.

    Top-level figures pool the scores of all targets; ``per_target`` holds means over targets of each target's own
    figures. Both intervals let models and examples vary; where rows have groups, whole groups. A TPR has a reason
    instead of a value where its FPR is below 1 / (non-members it rests on). The ``chance`` of a TPR is what an attack
    without power shows on average in a sample of this size: more than the FPR where non-members are few. The advantage
    has one for a single target's best threshold, and None where targets are pooled.

    Args:
      scores: ``float[M, N]``, higher = more likely a member; NaN where the attack had no score to give.
      member: ``bool[M, N]``, True where the model trained on the example.
      valid: ``bool[M]``, False for models that did not train well; they are no targets. All did by default.
      fprs: false-positive rates (fractions) at which to give the TPR.
      targets: rows to treat as targets; all by default.
      where: cells to judge, all by default; the others are neither counted nor missing.
      groups: of each example, such as the person it is about; examples of a group are one draw.
      each_target: False leaves ``per_target`` of several targets None, for half of the time.

    Raises:
      UserError: no target is left with a score for a member and for a non-member.

    Example:
      >>> scores, member = np.array([[0.9, 0.8, 0.3, 0.1]]), np.array([[True, True, False, False]])
      >>> figures = summarise(scores, member, fprs=(0.001, 0.5))
      >>> figures.auc.value, figures.tpr_at_fpr[0.5].value
      (1.0, 1.0)
      >>> figures.tpr_at_fpr[0.001].reason
      'Not resolvable: 2 non-members cannot show a false-positive rate of 0.001.'
    """
    valid = np.ones(len(scores), bool) if valid is None else valid
    rows = np.arange(len(scores)) if targets is None else np.asarray(targets)
    scores, member, valid = scores[rows], member[rows], valid[rows]
    inside = np.ones(scores.shape, bool) if where is None else where[rows]
    num_cells = int(np.count_nonzero(inside))
    scored = ~np.isnan(scores) & valid[:, None] & inside
    usable = (scored & member).any(axis=1) & (scored & ~member).any(axis=1)
    if not usable.any():
        raise UserError(
            f"none of {len(rows)} targets has scores for both members and non-members",
            expected="at least one",
            remedy="Train more shadow models, or choose an attack that needs fewer of them",
        )
    notes = _missing(~valid, valid & ~usable, inside[usable], scored[usable])
    judged = inside.any(axis=0)
    if not (usable.all() and judged.all()):
        kept = np.ix_(usable, judged)
        scores, member, scored = scores[kept], member[kept], scored[kept]
        groups = renumbered(groups, np.asarray(judged))
    if not scored.all():
        scores = np.where(scored, scores, np.nan)

    pooled = pooled_figures(scores, member, fprs, groups)
    own = None
    if len(scores) == 1:
        vary = "the examples" if groups is None else "groups of examples"
        notes.append(f"One target only: intervals let {vary} vary, not the models.")
        own = pooled
    elif each_target:
        own = per_target_figures(scores, member, fprs, groups)
    num_members = int(np.count_nonzero(scored & member))
    non_members = np.count_nonzero(scored & ~member, axis=1)
    notes += unresolved_notes(pooled, int(non_members.sum()), POOLED)
    notes += chance_notes(pooled)
    if own is not None:
        notes += unresolved_notes(own, int(non_members.min()), " of a single target")
    return AttackSummary(
        auc=pooled.auc,
        advantage=pooled.advantage,
        absolute_advantage=pooled.absolute_advantage,
        tpr_at_fpr=pooled.tpr_at_fpr,
        tpr_at_zero_fp=pooled.tpr_at_zero_fp,
        num_targets=len(scores),
        num_members=num_members,
        num_non_members=int(non_members.sum()),
        num_scores_missing=num_cells - num_members - int(non_members.sum()),
        per_target=own,
        notes=tuple(notes),
    )


def chance_notes(figures: Figures) -> list[str]:
    """A note where chance alone reaches clearly more than the false-positive rate."""
    chances = {fpr_key(fpr): tpr.chance / fpr for fpr, tpr in figures.tpr_at_fpr.items() if tpr.chance}
    raised = [each for each in chances.items() if each[1] >= _NOTEWORTHY]
    if not raised:
        return []
    each = " and ".join(["{} is {:.1f} times"] * len(raised))
    return [
        noted(
            f"By chance alone the pooled TPR at FPR {each} that rate: non-members are few, or ranks coincide over "
            "targets.",
            *itertools.chain.from_iterable(raised),
        )
    ]


def _missing(invalid: np.ndarray, one_sided: np.ndarray, inside: np.ndarray, scored: np.ndarray) -> list[str]:
    notes: list[str] = []
    if invalid.any():
        notes.append(noted("{} models did not train well and are no targets.", invalid.sum()))
    if one_sided.any():
        lacking = "{} targets lack scores of members or of non-members and are left out."
        notes.append(noted(lacking, one_sided.sum()))
    cells, present = int(np.count_nonzero(inside)), int(np.count_nonzero(scored))
    if present < cells:
        notes.append(noted("{} of {} scores are missing and left out.", cells - present, cells))
    return notes


def unresolved_notes(figures: Figures, num_non_members: int, where: str = "") -> list[str]:
    """A note on every rate that so few non-members cannot show; ``where`` says which of several figures it is."""
    return [
        noted(
            f"TPR at FPR {{}}{where} is null: it takes {{}} non-members, there are {{}}.",
            fpr_key(fpr),
            math.ceil(1.0 / fpr - 1e-9),
            num_non_members,
            null=True,
        )
        for fpr, tpr in figures.tpr_at_fpr.items()
        if tpr.value is None
    ]
