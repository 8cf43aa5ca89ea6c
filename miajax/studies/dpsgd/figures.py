"""The figures of the study of private training, as values: what the page, the plot and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.forms import SPREAD, Form
from miajax.metrics.groups import GroupFigures
from miajax.metrics.json_form import Together
from miajax.metrics.without_models import Checks
from miajax.report.provenance import Ran
from miajax.runs.made import Made
from miajax.studies.results import Found, Record

FPR = 1e-3
"""At which LiRA is held against chance."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guarantee:
    """What the accountants say of the training; None where there is no guarantee.

    Attributes:
      epsilon: the bound; None where there is no finite one.
      epsilon_by_accountant: of each.
      private_steps: that the models ran.
    """

    epsilon: float | None = None
    delta: float
    epsilon_by_accountant: Mapping[str, float | None] = dataclasses.field(
        default_factory=lambda: {"pld": None, "rdp": None}
    )
    clip_norm: float | None = None
    noise_multiplier: float | None = None
    private_steps: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attacked:
    """What LiRA finds, every model a target.

    Attributes:
      above_chance: by intervals that count both figures of all budgets, of groups where members are; None where it did
        not run.
      per_group: the same figures by group; None where members are rows.
    """

    above_chance: bool | None
    auc: Estimate
    tpr_at_fpr: Annotated[Mapping[float, Estimate], Form(key="lira_tpr_at_fpr", chance="lira_chance_tpr_at_fpr")]
    per_group: GroupFigures | None = None

    @property
    def of_unit(self) -> "Attacked":
        """What it finds of groups, where members are groups."""
        if self.per_group is None:
            return self
        of = self.per_group.figures
        return dataclasses.replace(self, auc=of.auc, tpr_at_fpr=of.tpr_at_fpr, per_group=None)

    @property
    def tpr(self) -> Estimate:
        """The rate at ``FPR``."""
        return self.tpr_at_fpr.get(FPR, Estimate(None, reason="LiRA did not run."))

    @property
    def chance(self) -> float:
        """The true-positive rate at ``FPR`` of an attack without power."""
        return self.tpr.chance or FPR


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """Models trained alike: utility, what LiRA finds, how far attacks refute epsilon.

    Attributes:
      epsilon_target: asked for; None for none or infinity.
      epsilon_lower: lower bounds by name; None where one would not hold.
      epsilon_lower_detail: what the bounds on one record rest on; empty where models are too few.
      largest_possible: what each bound of the verdict could show.
      refuted_by: bounds that refute the guarantee.
    """

    epsilon_target: float | None
    guarantee: Annotated[Guarantee, SPREAD]
    num_models: int
    train_accuracy: Figure
    test_accuracy: Figure
    attacked: Annotated[Attacked, SPREAD]
    epsilon_lower: Mapping[str, float | None]
    epsilon_lower_detail: Mapping[str, float]
    largest_possible: Mapping[str, float]
    refuted_by: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class AccuracyLost:
    """Other models' accuracy on non-members minus that of these."""

    to_non_private: Together
    to_clipped: Together | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget(Point):
    """The models of one budget."""

    accuracy_lost: AccuracyLost

    @property
    def name(self) -> str:
        """As axes and tables name it."""
        return "∞" if self.epsilon_target is None else f"{self.epsilon_target:g}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plain(Point):
    """The models without privacy."""

    same_recipe: bool


@dataclasses.dataclass(frozen=True)
class BoundFacts:
    """What a lower bound rests on."""

    rests_on: str
    heuristic: bool
    in_verdict: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dpsgd(Found):
    """What the study of private training found.

    Attributes:
      delta: of all guarantees.
      mechanism: what all budgets have in common.
      epsilons: budgets as they were asked for.
      significance: of each lower bound; and of all verdicts together.
      points: one a budget.
      checks: whether members differ from others without any model.
    """

    dataset: str
    model: str
    num_shadows: int
    num_valid: int
    num_examples: int
    unit: str
    num_groups: int | None
    member_fraction: float
    split: str
    seed: int
    delta: float
    mechanism: Record
    not_covered: tuple[str, ...]
    plan: Record
    device: str
    versions: Record
    made: Made
    epsilons: tuple[str, ...]
    significance: float
    points: tuple[Budget, ...]
    non_private: Plain
    bounds: Mapping[str, BoundFacts]
    checks: Annotated[Checks, SPREAD]

    @property
    def named(self) -> list[tuple[str, Point]]:
        """All points with their names, the models without privacy first."""
        return [("no privacy", self.non_private), *((point.name, point) for point in self.points)]

    @property
    def of_unit(self) -> "Dpsgd":
        """The same with what LiRA finds of groups in the place of what it finds of rows, where members are groups."""
        return dataclasses.replace(
            self,
            points=tuple(dataclasses.replace(each, attacked=each.attacked.of_unit) for each in self.points),
            non_private=dataclasses.replace(self.non_private, attacked=self.non_private.attacked.of_unit),
        )

    @property
    def ran(self) -> Ran:
        """The run as its page prints it."""
        return Ran(
            num_shadows=self.num_shadows, seed=self.seed, device=self.device, plan=self.plan, versions=self.versions,
            made=self.made, timing=self.timing, privacy=self.mechanism,
        )  # fmt: skip
