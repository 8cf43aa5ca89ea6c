"""What the study finds, budget by budget, and how ``results.json`` holds it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from miajax.metrics.claims import Standing
from miajax.metrics.figures import Estimate, Figure, fpr_key
from miajax.metrics.forms import SPREAD
from miajax.metrics.groups import JOINS, PerGroup
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
      per_group: the same of groups of rows, such as people; None where members are rows.
    """

    num_sets: int
    num_non_members: int
    auc: Figure
    tpr: Estimate
    per_group: "PerGroup[AtBudget] | None" = None

    def to_json(self, fpr: str) -> dict[str, Any]:
        """An entry of ``attacks.<name>.budgets``; ``fpr`` names the rate."""
        entry = {
            "num_sets": self.num_sets,
            "num_non_members": self.num_non_members,
            "auc": self.auc.value,
            "auc_ci": self.auc.ci,
            "tpr_at_fpr": {fpr: self.tpr.value},
            "tpr_at_fpr_ci": {fpr: self.tpr.ci},
            "chance_tpr_at_fpr": {fpr: self.tpr.chance},
        }
        of = self.per_group
        if of is None:
            return entry
        each = {join: getattr(of, join).to_json(fpr) for join in JOINS}
        return entry | {
            "per_group": {"headline": of.headline, "num_groups": of.num_groups, **of.lead.to_json(fpr), **each}
        }


@dataclasses.dataclass(frozen=True)
class Difference:
    """What ``attack`` has more than ``minus`` on the same models, paired; ``per_group`` by group, as each leads."""

    attack: str
    minus: str
    auc: Figure
    tpr: Estimate
    per_group: "Difference | None" = None

    def to_json(self) -> dict[str, Any]:
        """An entry of ``differences``."""
        return {"attack": self.attack, "minus": self.minus, **_paired(self)} | (
            {"per_group": _paired(self.per_group)} if self.per_group else {}
        )


@dataclasses.dataclass(frozen=True)
class Recommended:
    """The attack that finds most at a budget, asked about what members are drawn by.

    Attributes:
      attack: its name.
      by: the figure that decides.
      not_told_apart: attacks whose paired difference from it may be 0.
      interval: of that figure, all attacks counted.
      standing: of the interval to chance.
      by_row: what rows by themselves recommend, where the recommendation is by group; None where members are rows.
    """

    attack: str
    by: Literal["tpr_at_fpr", "auc"]
    not_told_apart: Sequence[str]
    interval: tuple[float, float]
    standing: Standing
    by_row: "Recommended | None" = None

    def to_json(self) -> dict[str, Any]:
        """An entry of ``recommended``."""
        entry: dict[str, Any] = {
            "attack": self.attack, "by": self.by, "not_told_apart": list(self.not_told_apart),
            "ci_of_all": list(self.interval), "standing": self.standing,
        }  # fmt: skip
        return entry if self.by_row is None else entry | {"unit": "group", "by_row": self.by_row.to_json()}


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
      recommended: by budget, on the unit that members are drawn by; None where no attack can run.
      notes: what is missing, and why.
    """

    fpr: float
    budgets: Sequence[int]
    attacks: Mapping[str, Mapping[int, AtBudget]]
    differences: Mapping[int, Sequence[Difference]]
    recommended: Mapping[int, Recommended | None]
    notes: Sequence[str]

    @property
    def by_group(self) -> bool:
        """Whether there are figures by group."""
        return any(at.per_group for by_budget in self.attacks.values() for at in by_budget.values())

    @property
    def of_unit(self) -> "Compared":
        """The same of what members are drawn by: of groups where they are groups, scores joined as each attack's
        are."""
        if not self.by_group:
            return self
        return dataclasses.replace(
            self,
            attacks={
                name: {budget: at.per_group.lead for budget, at in by_budget.items() if at.per_group}
                for name, by_budget in self.attacks.items()
            },
            differences={
                budget: [each.per_group for each in of if each.per_group] for budget, of in self.differences.items()
            },
        )

    def to_json(self) -> dict[str, Any]:
        """The part of ``results.json`` that is this study's own."""
        key = fpr_key(self.fpr)
        return {
            "fpr": self.fpr,
            "budgets": list(self.budgets),
            "attacks": {
                name: {"budgets": {str(budget): found.to_json(key) for budget, found in by_budget.items()}}
                for name, by_budget in self.attacks.items()
            },
            "differences": {str(budget): [each.to_json() for each in of] for budget, of in self.differences.items()},
            "recommended": {
                str(budget): NONE_RUNS if each is None else each.to_json() for budget, each in self.recommended.items()
            },
        }


def _paired(each: Difference) -> dict[str, Any]:
    return {
        "auc": each.auc.value, "auc_ci": each.auc.ci, "tpr_at_fpr": each.tpr.value, "tpr_at_fpr_ci": each.tpr.ci,
    }  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowBudget(CampaignFound):
    """What the study found."""

    compared: Annotated[Compared, SPREAD]
