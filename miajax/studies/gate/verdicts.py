"""What a study's figures say of a ceiling: kept, exceeded, or not resolved."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from miajax.attacks.registry import ATTACKS
from miajax.errors import UserError
from miajax.studies.found import reading_results
from miajax.studies.gate.rules import ALL, Rule
from miajax.typed import Json

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
    interval: tuple[float, float] | None
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


def verdicts_on(rules: Sequence[Rule], found: Mapping[Path, Json]) -> list[Verdict]:
    """Every rule's verdict, in order; a rule for all attacks has one an attack.

    Args:
      rules: the ceilings.
      found: of ``found_results``; an attack is read from the first file that has it.

    Raises:
      UserError: a rule names an attack or a figure that does not exist.
    """
    with reading_results(next(iter(found))):
        return [verdict for rule in rules for verdict in _of(rule, found)]


def _of(rule: Rule, found: Mapping[Path, Json]) -> Iterator[Verdict]:
    if not rule.attack:
        source = next((file for file, results in found.items() if rule.path[0] in results), next(iter(found)))
        yield _judged(rule, found[source], found[source], source)
        return
    ran = {name: file for file in reversed(list(found)) for name in found[file].get("attacks") or {}}
    if rule.attack == ALL:
        if not ran:
            yield Verdict(rule, "unresolved", None, None, "no attack ran", next(iter(found)))
        for name in dict.fromkeys(name for file in found for name in found[file].get("attacks") or {}):
            one = dataclasses.replace(rule, attack=name)
            yield _judged(one, found[ran[name]]["attacks"][name], found[ran[name]], ran[name])
        return
    if rule.attack in ran:
        source = ran[rule.attack]
        yield _judged(rule, found[source]["attacks"][rule.attack], found[source], source)
        return
    skipped = {name: why for results in found.values() for name, why in (results.get("attacks_not_run") or {}).items()}
    if rule.attack not in skipped and rule.attack not in ATTACKS:
        near = difflib.get_close_matches(rule.attack, {*ran, *skipped, *ATTACKS}, n=3)
        raise UserError(
            f"--at_most {rule}: {rule.attack} is no attack",
            expected=f"{ALL}, or one of {', '.join(ran) or 'none that ran'}",
            remedy=f"Did you mean {' or '.join(near)}?" if near else "",
        )
    why = f": it {skipped[rule.attack]}" if rule.attack in skipped else ""
    yield Verdict(rule, "unresolved", None, None, f"{rule.attack} was not run{why}", next(iter(found)))


def _judged(rule: Rule, entry: Json, results: Json, source: Path) -> Verdict:
    *above, figure = rule.path
    of: Any = entry
    for key in above:
        if not isinstance(of, Mapping) or key not in of:
            _unknown(rule, key, of)
        of = of[key]
        if of is None:
            return Verdict(rule, "unresolved", None, None, f"{key} is null", source)
    if not isinstance(of, Mapping) or figure not in of or f"{figure}_ci" not in of:
        _unknown(rule, figure, of)
    value: Any = of[figure]
    interval: Any = of[f"{figure}_ci"]
    if rule.fpr is not None and isinstance(value, Mapping):
        if rule.fpr not in value:
            raise UserError(
                f"--at_most {rule}: {source} has no TPR at FPR {rule.fpr}", expected=f"one of {', '.join(value)}"
            )
        value, interval = value[rule.fpr], interval[rule.fpr]
    elif rule.fpr is not None or isinstance(value, Mapping):
        _unknown(rule, figure, of)
    if value is None or interval is None or None in interval:
        return Verdict(rule, "unresolved", None, None, _why_null(rule, of, results), source)
    try:
        low, high = map(float, interval)
        value = float(value)
    except (TypeError, ValueError):
        raise UserError(f"{source}: {rule} is {value} {interval}", expected="a number and the two ends of it") from None
    return _against(rule, value, (low, high), entry, source)


def _against(rule: Rule, value: float, interval: tuple[float, float], entry: Json, source: Path) -> Verdict:
    upper, remark = interval[1], ""
    below = (entry.get("auc_ci") or [0, 1])[1] < 0.5
    if below and rule.path[-1] in ("auc", "balanced_accuracy") and upper < 0.5:
        upper = 1 - interval[0]  # who turns the scores round has this
        remark = f"below chance: turned round, the same scores reach up to {upper:.4g}"
    elif below:
        remark = "the attack's AUC is below chance: turned round, the same scores may reach more"
    if upper > rule.ceiling:
        return Verdict(rule, "exceeded", value, interval, remark, source)
    name = rule.attack
    if entry.get("comparable") is False and (name not in ATTACKS or ATTACKS[name].shadow_based):
        why = "the target is not comparable with the shadow models, so this bounds its leakage from below only"
        return Verdict(rule, "unresolved", value, interval, "; ".join(filter(None, [remark, why])), source)
    return Verdict(rule, "kept", value, interval, remark, source)


def _why_null(rule: Rule, of: Json, results: Json) -> str:
    """The note of the study that tells it, or what can be counted here."""
    where = "single target" if "per_target" in rule.path else "pooled"
    for note in results.get("notes") or () if rule.fpr else ():
        text = note.rpartition(": TPR at FPR ")[2].removeprefix("TPR at FPR ")
        if text.startswith(f"{rule.fpr} ") and " is null: " in text and (where in text or "of a" not in text):
            return text.partition(" is null: ")[2].rstrip(".")
    others = of.get("num_non_members", results.get("num_non_members"))
    if rule.fpr and isinstance(others, int) and others * float(rule.fpr) < 1 - 1e-9:
        return f"too few non-members: {others}"
    return "the study gives no figure with an interval"


def _unknown(rule: Rule, key: str, of: Any) -> NoReturn:
    held = [name for name in of if f"{name}_ci" in of] if isinstance(of, Mapping) else []
    nested = [name for name, value in of.items() if isinstance(value, Mapping)] if isinstance(of, Mapping) else []
    apart = [f"{name}:FPR" if name == "tpr_at_fpr" else name for name in held]
    within = [f"{name}:FIGURE" for name in nested if name not in held and not name.endswith(("_ci", "_fpr"))]
    raise UserError(
        f"--at_most {rule}: there is no figure {key} with an interval",
        expected=f"one of {', '.join([*apart, *within]) or 'none is held here'}",
    )
