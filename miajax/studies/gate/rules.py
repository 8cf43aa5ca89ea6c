"""A ceiling as it is typed: ``ATTACK:FIGURE=CEILING``."""

import dataclasses
import math
from collections.abc import Sequence

from miajax.errors import UserError
from miajax.metrics.summary import fpr_key

FORM = "ATTACK:FIGURE=CEILING, such as lira_online:tpr_at_fpr:0.001=0.01 or lira_online:auc=0.55"
ALL = "all"
"""In the place of an attack: every attack that ran."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One ceiling.

    Attributes:
      attack: its name, or ``ALL``; empty for a figure of the models such as ``generalization_gap``.
      path: keys in the attack's entry of ``results.json`` down to the figure: ``("per_target", "auc")``.
      fpr: for a TPR at a false-positive rate, the rate's key in ``results.json``; else None.
      ceiling: what the upper end of the figure's interval may reach, a fraction.
    """

    attack: str
    path: tuple[str, ...]
    fpr: str | None
    ceiling: float

    def __str__(self) -> str:
        return ":".join([*filter(None, [self.attack]), *self.path, *filter(None, [self.fpr])])


def rule_of(text: str) -> Rule:
    """The rule that somebody typed.

    Raises:
      UserError: it is none.
    """
    name, equals, typed = text.rpartition("=")
    parts = [part.strip() for part in name.split(":")]
    if not equals or not all(parts):
        raise UserError(f"--at_most {text}", expected=FORM)
    ceiling = _number(typed)
    if ceiling is None or not 0 <= ceiling <= 1:
        raise UserError(f"--at_most {text}: the ceiling is {typed or 'missing'}", expected="a fraction from 0 to 1")
    attack, *path = parts if len(parts) > 1 else ["", *parts]
    fpr = None
    if "tpr_at_fpr" in path:
        *path, last = path
        rate = _number(last)
        if rate is None or not 0 < rate < 1:
            raise UserError(
                f"--at_most {text}", expected="a false-positive rate after tpr_at_fpr, such as tpr_at_fpr:0.001"
            )
        fpr = fpr_key(rate)
    return Rule(attack, tuple(path), fpr, ceiling)


def rules_of(texts: Sequence[str]) -> tuple[Rule, ...]:
    """All rules.

    Raises:
      UserError: there is none, one is no rule, or two hold one figure to different ceilings.
    """
    rules = [rule_of(text) for text in texts]
    if not rules:
        raise UserError("--at_most names no ceiling", expected=FORM)
    ceilings: dict[str, float] = {}
    for rule in rules:
        if ceilings.setdefault(str(rule), rule.ceiling) != rule.ceiling:
            raise UserError(f"--at_most holds {rule} to {ceilings[str(rule)]:g} and to {rule.ceiling:g}",
                            expected="one ceiling a figure")  # fmt: skip
    return tuple(dict.fromkeys(rules))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
