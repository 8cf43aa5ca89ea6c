"""Figures of merit as values: a number with its interval, or the reason why there is none; and an attack's set of them.

They become JSON by ``to_json``, once, where ``results.json`` is made.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from html import escape
from typing import Annotated, Any

import numpy as np

from miajax.metrics.forms import BARE, Form

Interval = tuple[float, float]
"""The lower and the upper end of an interval, 95 % unless said otherwise."""


def fpr_key(fpr: float) -> str:
    """The rate as results name it: plain decimals, ``"0.0001"``."""
    return np.format_float_positional(fpr, trim="-")


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number that was measured, or the reason why there is none.

    Attributes:
      value: the number (rates are fractions), or None.
      interval: ``(low, high)``, or None.
      reason: one sentence that says why ``value`` is None.
      chance: what an attack without power shows on average in so small a sample; None where it was not worked out.
    """

    value: float | None
    interval: Interval | None = None
    reason: str = ""
    chance: float | None = None

    @property
    def ci(self) -> list[float] | None:
        """The interval as JSON holds it."""
        return None if self.interval is None else list(self.interval)

    def __str__(self) -> str:
        if self.value is None:
            return self.reason or "not measured"
        return f"{self.value:.4g}" + ("" if self.interval is None else " [{:.4g}, {:.4g}]".format(*self.interval))

    def _repr_html_(self) -> str:
        return f"<span>{escape(str(self))}</span>"


@dataclasses.dataclass(frozen=True)
class Figure(Estimate):
    """A number that was measured, with its interval."""

    value: float
    interval: Interval = dataclasses.field()  # none is no default
    reason: str = dataclasses.field(default="", init=False, repr=False)

    @property
    def ci(self) -> list[float]:
        """The interval as JSON holds it."""
        return list(self.interval)


def unresolved(fpr: float, num_non_members: int) -> Estimate:
    """What stands for the TPR at a false-positive rate that so few non-members cannot show."""
    behind = "1 non-member" if num_non_members == 1 else f"{num_non_members:,} non-members"
    return Estimate(None, reason=f"Not resolvable: {behind} cannot show a false-positive rate of {fpr:g}.")


@dataclasses.dataclass(frozen=True, repr=False)
class Figures:
    """What is said about one attack.

    Attributes:
      auc: area under the ROC.
      advantage: the largest TPR - FPR.
      absolute_advantage: the largest ``|TPR - FPR|``; it has no interval.
      tpr_at_fpr: by false-positive rate, a fraction, the true-positive rate; without a value where non-members are too
        few for that rate.
      tpr_at_zero_fp: the true-positive rate without a false positive.
    """

    auc: Figure
    advantage: Annotated[Figure, Form(chance="chance_advantage")]
    absolute_advantage: Annotated[Estimate, BARE]
    tpr_at_fpr: Annotated[Mapping[float, Estimate], Form(chance="chance_tpr_at_fpr")]
    tpr_at_zero_fp: Annotated[Figure, Form(chance="chance_tpr_at_zero_fp")]

    @property
    def balanced_accuracy(self) -> Figure:
        """(1 + advantage) / 2, interval included."""
        low, high = self.advantage.interval
        return Figure((1.0 + self.advantage.value) / 2.0, ((1.0 + low) / 2.0, (1.0 + high) / 2.0))

    def to_json(self) -> dict[str, Any]:
        """The figures as ``results.json`` holds them: intervals and chance under names of their own."""
        tprs = {fpr_key(fpr): tpr for fpr, tpr in self.tpr_at_fpr.items()}
        return {
            "auc": self.auc.value,
            "auc_ci": self.auc.ci,
            "balanced_accuracy": self.balanced_accuracy.value,
            "balanced_accuracy_ci": self.balanced_accuracy.ci,
            "advantage": self.advantage.value,
            "advantage_ci": self.advantage.ci,
            "chance_advantage": self.advantage.chance,
            "absolute_advantage": self.absolute_advantage.value,
            "tpr_at_fpr": {key: tpr.value for key, tpr in tprs.items()},
            "tpr_at_fpr_ci": {key: tpr.ci for key, tpr in tprs.items()},
            "chance_tpr_at_fpr": {key: tpr.chance for key, tpr in tprs.items()},
            "tpr_at_zero_fp": self.tpr_at_zero_fp.value,
            "tpr_at_zero_fp_ci": self.tpr_at_zero_fp.ci,
            "chance_tpr_at_zero_fp": self.tpr_at_zero_fp.chance,
        }

    def named(self) -> Iterator[tuple[str, Estimate]]:
        """Every figure with its name for people."""
        yield "AUC", self.auc
        yield "balanced accuracy", self.balanced_accuracy
        yield "advantage", self.advantage
        yield "absolute advantage", self.absolute_advantage
        for fpr, tpr in self.tpr_at_fpr.items():
            yield f"TPR at FPR {fpr_key(fpr)}", tpr
        yield "TPR at no false positive", self.tpr_at_zero_fp

    def __repr__(self) -> str:
        known = [f"{name} {figure}" for name, figure in self.named() if figure.interval is not None]
        return f"{type(self).__name__}({', '.join(known)})"

    def _repr_html_(self) -> str:
        rows = "".join(_row(name, figure) for name, figure in self.named())
        heads = "".join(f"<th>{title}</th>" for title in ("", "value", "95 % interval", "chance"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(name: str, figure: Estimate) -> str:
    head = f"<tr><th>{escape(name)}</th>"
    if figure.value is None:
        return f'{head}<td colspan="3">{escape(figure.reason)}</td></tr>'
    ends = "" if figure.interval is None else "{:.4g} to {:.4g}".format(*figure.interval)
    chance = "" if figure.chance is None else f"{figure.chance:.4g}"
    return f"{head}<td>{figure.value:.4g}</td><td>{ends}</td><td>{chance}</td></tr>"
