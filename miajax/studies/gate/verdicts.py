"""What a study's figures say of a ceiling: kept, exceeded, or not resolved."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NoReturn, cast

from miajax.attacks.registry import ATTACKS
from miajax.errors import UserError
from miajax.metrics.figures import Estimate, Figures, Interval, fpr_key
from miajax.metrics.groups import GroupFigures
from miajax.metrics.summary import AttackSummary
from miajax.studies.attacked.entry import Calibrated, InSlice
from miajax.studies.found import AttackFound, StudyFound, reading_results
from miajax.studies.gate.rules import ALL, Rule

Members = Mapping[str, object]
_NO_INTERVAL = "the study gives no figure with an interval"
Outcome = Literal["kept", "exceeded", "unresolved"]
EXCEEDED, UNRESOLVED = 3, 4
"""Exit statuses."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One figure of one rule.

    Attributes:
      rule: with the attack by name, where ``ALL`` was asked for.
      outcome: ``kept`` where the interval's upper end does not pass the ceiling.
      value, interval: the figure; None where there is none.
      remark: why it is not resolved, or what else to know.
      source: the file that it was read from.
    """

    rule: Rule
    outcome: Outcome
    value: float | None
    interval: Interval | None
    remark: str
    source: Path

    def __str__(self) -> str:
        if self.value is None or self.interval is None:
            figure = "no figure"
        else:
            figure = f"{self.value:.4g} [{self.interval[0]:.4g}, {self.interval[1]:.4g}]"
        remark = f"; {self.remark}" if self.remark else ""
        return f"{self.outcome}: {self.rule} {figure}, ceiling {self.rule.ceiling:g}{remark}"


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """0 where every ceiling is kept; a figure that passes one outweighs one that is not resolved."""
    outcomes = {verdict.outcome for verdict in verdicts}
    return EXCEEDED if "exceeded" in outcomes else UNRESOLVED if "unresolved" in outcomes else 0


def verdicts_on(rules: Sequence[Rule], found: Mapping[Path, StudyFound]) -> list[Verdict]:
    """Every rule's verdict, in order; a rule for all attacks has one an attack.

    Args:
      rules: the ceilings.
      found: studies by their file; an attack is read from the first file that has it.

    Raises:
      UserError: a rule names an attack or a figure that does not exist.
    """
    with reading_results(next(iter(found))):
        return [verdict for rule in rules for verdict in _of(rule, found)]


def _of(rule: Rule, found: Mapping[Path, StudyFound]) -> Iterator[Verdict]:
    first = next(iter(found))
    if not rule.attack:
        yield _judged(rule, _of_models(found[first]), None, first)
        return
    ran = {name: file for file in reversed(list(found)) for name in found[file].attacks}
    if rule.attack == ALL:
        if not ran:
            yield Verdict(rule, "unresolved", None, None, "no attack ran", first)
        for name in dict.fromkeys(name for study in found.values() for name in study.attacks):
            attack = found[ran[name]].attacks[name]
            yield _judged(dataclasses.replace(rule, attack=name), attack, attack, ran[name])
        return
    if rule.attack in ran:
        attack = found[ran[rule.attack]].attacks[rule.attack]
        yield _judged(rule, attack, attack, ran[rule.attack])
        return
    skipped = {name: why for study in found.values() for name, why in study.attacks_not_run.items()}
    if rule.attack not in skipped and rule.attack not in ATTACKS:
        near = difflib.get_close_matches(rule.attack, {*ran, *skipped, *ATTACKS}, n=3)
        raise UserError(
            f"--at_most {rule}: {rule.attack} is no attack",
            expected=f"{ALL}, or one of {', '.join(ran) or 'none that ran'}",
            remedy=f"Did you mean {' or '.join(near)}?" if near else "",
        )
    why = f": it {skipped[rule.attack]}" if rule.attack in skipped else ""
    yield Verdict(rule, "unresolved", None, None, f"{rule.attack} was not run{why}", first)


def _of_models(study: StudyFound) -> Members:
    return {
        "train_accuracy": study.train_accuracy,
        "test_accuracy": study.test_accuracy,
        "generalization_gap": study.generalization_gap,
        "official_test_accuracy": study.official_test_accuracy,
    }


def _members(of: object) -> Members:
    """What a part of an attack's entry holds, by the names of ``results.json``."""
    if isinstance(of, AttackFound):
        return {**_members(of.figures), "shadow_calibrated": of.calibrated, "slices": of.slices}
    if isinstance(of, GroupFigures):
        return {**_members(of.figures), **of.by_join}
    if isinstance(of, Figures):
        whole = of if isinstance(of, AttackSummary) else None
        return {
            "auc": of.auc,
            "balanced_accuracy": of.balanced_accuracy,
            "advantage": of.advantage,
            "tpr_at_fpr": of.tpr_at_fpr,
            "tpr_at_zero_fp": of.tpr_at_zero_fp,
            **({} if whole is None or whole.per_target is None else {"per_target": whole.per_target}),
            **({} if whole is None or whole.per_group is None else {"per_group": whole.per_group}),
        }
    if isinstance(of, Calibrated):
        return {"tpr": of.tpr, "fpr": of.fpr}
    if isinstance(of, InSlice):
        return {"auc": of.auc, "tpr_at_fpr": of.tpr_at_fpr}
    if isinstance(of, Mapping):
        named = cast(Mapping[object, object], of)
        return {fpr_key(key) if isinstance(key, float) else str(key): each for key, each in named.items()}
    return {}


def _judged(rule: Rule, of: object, attack: AttackFound | None, source: Path) -> Verdict:
    for key in rule.path:
        members = _members(of)
        if key not in members:
            _unknown(rule, key, members)
        above, of = members, members[key]
        if of is None:
            return Verdict(rule, "unresolved", None, None, f"{key} is null", source)
        if key == rule.path[-1] and rule.fpr is not None and key == "tpr_at_fpr":
            rates = _members(of)
            if rule.fpr not in rates:
                expected = f"one of {', '.join(rates)}"
                raise UserError(f"--at_most {rule}: {source} has no TPR at FPR {rule.fpr}", expected=expected)
            of = rates[rule.fpr]
        elif key == rule.path[-1] and (rule.fpr is not None or not isinstance(of, Estimate)):
            _unknown(rule, key, above)
    assert isinstance(of, Estimate)
    if of.value is None or of.interval is None:
        why = f"{of.reason[:1].lower()}{of.reason[1:]}".rstrip(".") or _NO_INTERVAL
        return Verdict(rule, "unresolved", None, None, why, source)
    return _against(rule, of.value, of.interval, attack, source)


def _against(rule: Rule, value: float, interval: Interval, attack: AttackFound | None, source: Path) -> Verdict:
    upper, remark = interval[1], ""
    below = attack is not None and attack.figures.auc.interval[1] < 0.5
    if below and rule.path[-1] in ("auc", "balanced_accuracy") and upper < 0.5:
        upper = 1 - interval[0]  # who turns the scores round has this
        remark = f"below chance: turned round, the same scores reach up to {upper:.4g}"
    elif below:
        remark = "the attack's AUC is below chance: turned round, the same scores may reach more"
    if upper > rule.ceiling:
        return Verdict(rule, "exceeded", value, interval, remark, source)
    name = rule.attack
    if attack is not None and not attack.comparable and (name not in ATTACKS or ATTACKS[name].shadow_based):
        why = "the target is not comparable with the shadow models, so this bounds its leakage from below only"
        return Verdict(rule, "unresolved", value, interval, "; ".join(filter(None, [remark, why])), source)
    return Verdict(rule, "kept", value, interval, remark, source)


def _unknown(rule: Rule, key: str, members: Members) -> NoReturn:
    apart = [f"{name}:FPR" if name == "tpr_at_fpr" else name for name, of in members.items() if _is_figure(name, of)]
    within = [f"{name}:FIGURE" for name, of in members.items() if not _is_figure(name, of) and _members(of)]
    raise UserError(
        f"--at_most {rule}: there is no figure {key} with an interval",
        expected=f"one of {', '.join([*apart, *within]) or 'none is held here'}",
    )


def _is_figure(name: str, of: object) -> bool:
    return isinstance(of, Estimate) or name == "tpr_at_fpr"
