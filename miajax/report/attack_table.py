"""Figures of attacks as people read them, and set as a table."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from miajax.metrics import figures as measured
from miajax.metrics.figures import Figures
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Column, Table

NOT_COMPUTED = "Not computed in this run."
_SCALARS: Mapping[str, Callable[[Figures], measured.Estimate]] = {
    "AUC": lambda figures: figures.auc,
    "Balanced accuracy": lambda figures: figures.balanced_accuracy,
    "Advantage": lambda figures: figures.advantage,
}


@dataclasses.dataclass(frozen=True)
class AttackFigures:
    """One attack's figures, pooled or per target, under the attack's name.

    Attributes:
      attack: the name.
      figures: what was measured; None where nothing was.
      reason: why nothing was.
    """

    attack: str
    figures: Figures | None
    reason: str = NOT_COMPUTED

    @property
    def auc(self) -> Estimate:
        """The area under the ROC."""
        return self.shown(lambda figures: figures.auc, 3)

    def tpr(self, fpr: float) -> Estimate:
        """The true-positive rate at a false-positive rate; what was not asked for was not computed."""
        return self.shown(lambda figures: figures.tpr_at_fpr.get(fpr, measured.Estimate(None, reason=NOT_COMPUTED)))

    def chance(self, fpr: float) -> float:
        """The true-positive rate that an attack without power shows there."""
        found = None if self.figures is None else self.figures.tpr_at_fpr[fpr].chance
        return fpr if found is None else found

    def shown(self, pick: Callable[[Figures], measured.Estimate], decimals: int | None = None) -> Estimate:
        """Any of the figures, or the reason why there is none."""
        if self.figures is None:
            return Estimate(None, reason=self.reason)
        return numbers.shown(pick(self.figures), decimals)


def reported_fprs(figures: Sequence[AttackFigures]) -> tuple[float, ...]:
    """Every false-positive rate that any of the attacks reports on, ascending."""
    return tuple(sorted({fpr for each in figures if each.figures is not None for fpr in each.figures.tpr_at_fpr}))


def chance_remark(figures: Sequence[AttackFigures]) -> str:
    """Where attacks without power show more than the false-positive rate, so that readers do not call it a leak."""
    raised: dict[str, list[str]] = {}
    for each in figures:
        known = [fpr for fpr in reported_fprs(figures) if each.tpr(fpr).value is not None]
        above = [f"{each.chance(fpr):.2g} at FPR {fpr:g}" for fpr in known if each.chance(fpr) > 1.1 * fpr]
        if above:
            raised.setdefault(", ".join(above), []).append(face(each.attack).label)
    if not raised:
        return ""
    parts = [f"{rates} ({'every attack' if len(n) == len(figures) else ', '.join(n)})" for rates, n in raised.items()]
    return f" With so few non-members, chance reaches a TPR of {'; '.join(parts)}."


def attack_table(figures: Sequence[AttackFigures], *, caption: str, emphasis: Sequence[int] = ()) -> Table:
    """One row an attack: AUC, balanced accuracy, advantage, TPR at each reported FPR and at zero false positives."""
    fprs = reported_fprs(figures)
    columns = [
        Column("Attack"),
        *(Column(title, "number") for title in _SCALARS),
        *(Column("TPR", "number", f"at FPR {fpr:g}") for fpr in fprs),
        Column("TPR", "number", "at no false alarm"),
    ]
    rows = [
        [
            face(each.attack).label,
            *(each.shown(pick, 3) for pick in _SCALARS.values()),
            *(each.tpr(fpr) for fpr in fprs),
            each.shown(lambda figures: figures.tpr_at_zero_fp),
        ]
        for each in figures
    ]
    return Table(columns, rows, caption, emphasis)
