"""Attack results, as ``results.json`` holds them, read as estimates and set as a table."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Column, Table

_SCALARS = (("auc", "AUC"), ("balanced_accuracy", "Balanced accuracy"), ("advantage", "Advantage"))


@dataclasses.dataclass(frozen=True)
class AttackFigures:
    """One attack's entry of ``results.json``, pooled or per target; missing numbers come with their reason.

    Attributes:
      attack: the attack's name.
      entry: its mapping, or an empty one where nothing was computed.
      non_members: non-members that each false-positive rate rests on.
      notes: the run's notes; those naming the attack explain what it lacks.
    """

    attack: str
    entry: Mapping[str, Any]
    non_members: int
    notes: Sequence[str] = ()

    def scalar(self, name: str) -> Estimate:
        """``auc``, ``balanced_accuracy``, ``advantage`` or ``tpr_at_zero_fp``."""
        decimals = None if name.startswith("tpr") else 3
        return numbers.estimate(self.entry.get(name), self.entry.get(f"{name}_ci"), self._not_computed(), decimals)

    def tpr(self, fpr: float) -> Estimate:
        """The true-positive rate at a false-positive rate."""
        if fpr * self.non_members < 1 - 1e-9:
            behind = numbers.counted(self.non_members, "non-member")
            reason = f"Not resolvable: {behind} cannot show a false-positive rate of {fpr:g}."
        else:
            reason = self._not_computed()
        return numbers.estimate(
            _at(self.entry.get("tpr_at_fpr"), fpr), _at(self.entry.get("tpr_at_fpr_ci"), fpr), reason
        )

    def chance(self, fpr: float) -> float:
        """The true-positive rate that an attack without power shows there; the FPR itself in older results."""
        found = _at(self.entry.get("chance_tpr_at_fpr"), fpr)
        return fpr if found is None else float(found)

    def _not_computed(self) -> str:
        named = re.compile(rf"\b{re.escape(self.attack)}\b")
        return next((note for note in self.notes if named.search(note)), "Not computed in this run.")


def pooled(attack: str, results: Mapping[str, Any], non_members: int) -> AttackFigures:
    """The attack's figures over all targets together."""
    entry = results.get("attacks", {}).get(attack) or {}
    return AttackFigures(attack, entry, non_members, results.get("notes") or ())


def per_target(attack: str, results: Mapping[str, Any], non_members: int) -> AttackFigures:
    """The attack's figures as means over targets."""
    entry = (results.get("attacks", {}).get(attack) or {}).get("per_target") or {}
    return AttackFigures(attack, entry, non_members, results.get("notes") or ())


def reported_fprs(figures: Sequence[AttackFigures]) -> tuple[float, ...]:
    """Every false-positive rate that any of the attacks reports on, ascending."""
    return tuple(sorted({float(fpr) for each in figures for fpr in each.entry.get("tpr_at_fpr") or ()}))


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
        *(Column(title, "number") for _, title in _SCALARS),
        *(Column("TPR", "number", f"at FPR {fpr:g}") for fpr in fprs),
        Column("TPR", "number", "at no false alarm"),
    ]
    rows = [
        [
            face(each.attack).label,
            *(each.scalar(name) for name, _ in _SCALARS),
            *(each.tpr(fpr) for fpr in fprs),
            each.scalar("tpr_at_zero_fp"),
        ]
        for each in figures
    ]
    return Table(columns, rows, caption, emphasis)


def _at(by_fpr: Mapping[str, Any] | None, fpr: float) -> Any:
    """The value whose key, a number written as text, is ``fpr``."""
    return next((value for key, value in (by_fpr or {}).items() if abs(float(key) - fpr) <= 1e-9 * fpr), None)
