"""What the study finds, budget by budget, and how ``results.json`` holds it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from miajax.metrics.claims import Standing
from miajax.metrics.figures import Estimate, Figure, fpr_key
from miajax.metrics.forms import SPREAD
from miajax.studies.head import CampaignFound
from miajax.typed import Json


@dataclasses.dataclass(frozen=True)
class AtBudget:
    """One attack at one number of models: means over disjoint sets of them.

    Attributes:
      num_sets: of models.
      num_non_members: of the set that has fewest.
      auc: area under the ROC.
      tpr: at the study's false-positive rate.
    """

    num_sets: int
    num_non_members: int
    auc: Figure
    tpr: Estimate


@dataclasses.dataclass(frozen=True)
class Difference:
    """What ``attack`` has more than ``minus`` on the same models, paired."""

    attack: str
    minus: str
    auc: Figure
    tpr: Estimate


@dataclasses.dataclass(frozen=True)
class Recommended:
    """The attack that finds most at a budget.

    Attributes:
      attack: its name.
      by: the figure that decides.
      not_told_apart: attacks whose paired difference from it may be 0.
      interval: of that figure, all attacks counted.
      standing: of the interval to chance.
    """

    attack: str
    by: Literal["tpr_at_fpr", "auc"]
    not_told_apart: Sequence[str]
    interval: tuple[float, float]
    standing: Standing

    def to_json(self) -> dict[str, Any]:
        """An entry of ``recommended``."""
        return {
            "attack": self.attack, "by": self.by, "not_told_apart": list(self.not_told_apart),
            "ci_of_all": list(self.interval), "standing": self.standing,
        }  # fmt: skip


NONE_RUNS: Json = {"attack": None, "not_told_apart": [], "ci_of_all": None, "standing": None}
"""An entry of ``recommended`` where no attack can run."""


@dataclasses.dataclass(frozen=True)
class Compared:
    """The study's own findings; a budget is a number of models.

    Attributes:
      fpr: false-positive rate of every TPR.
      budgets: all of them, ascending.
      attacks: of each attack that ran, what it finds at the budgets that it can run at.
      differences: all pairs of attacks, by budget.
      recommended: by budget; None where no attack can run.
      notes: what is missing, and why.
    """

    fpr: float
    budgets: Sequence[int]
    attacks: Mapping[str, Mapping[int, AtBudget]]
    differences: Mapping[int, Sequence[Difference]]
    recommended: Mapping[int, Recommended | None]
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The part of ``results.json`` that is this study's own."""
        key = fpr_key(self.fpr)

        def at_budget(found: AtBudget) -> dict[str, Any]:
            return {
                "num_sets": found.num_sets,
                "num_non_members": found.num_non_members,
                "auc": found.auc.value,
                "auc_ci": found.auc.ci,
                "tpr_at_fpr": {key: found.tpr.value},
                "tpr_at_fpr_ci": {key: found.tpr.ci},
                "chance_tpr_at_fpr": {key: found.tpr.chance},
            }

        return {
            "fpr": self.fpr,
            "budgets": list(self.budgets),
            "attacks": {
                name: {"budgets": {str(budget): at_budget(found) for budget, found in by_budget.items()}}
                for name, by_budget in self.attacks.items()
            },
            "differences": {str(budget): [_difference(each) for each in of] for budget, of in self.differences.items()},
            "recommended": {
                str(budget): NONE_RUNS if each is None else each.to_json() for budget, each in self.recommended.items()
            },
        }


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "attack": each.attack, "minus": each.minus, "auc": each.auc.value, "auc_ci": each.auc.ci,
        "tpr_at_fpr": each.tpr.value, "tpr_at_fpr_ci": each.tpr.ci,
    }  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowBudget(CampaignFound):
    """What the study found."""

    compared: Annotated[Compared, SPREAD]
