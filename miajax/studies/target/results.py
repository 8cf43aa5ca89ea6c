"""What is found of one model trained elsewhere."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from miajax.metrics.claims import Lead
from miajax.metrics.figures import Figure, Figures
from miajax.metrics.forms import SPREAD
from miajax.metrics.people import People
from miajax.metrics.summary import AttackSummary
from miajax.metrics.without_models import Checks
from miajax.runs.made import Made
from miajax.studies.comparable import Check, Difference
from miajax.studies.results import Found, Record
from miajax.studies.target.file import Kind


@dataclasses.dataclass(frozen=True)
class Answers:
    """What the target shows.

    Attributes:
      decimals: that probabilities are rounded to; None where they are not.
      queries: views of each example.
      scaled_logit_bound: beyond which scaled logits cannot be told apart; None where nothing saturates.
      saturated_members, saturated_non_members: that lie there, tied.
    """

    kind: Kind
    decimals: int | None
    queries: int
    scaled_logit_bound: float | None
    saturated_members: int
    saturated_non_members: int

    @property
    def saturated(self) -> int:
        """Members and non-members at the bound."""
        return self.saturated_members + self.saturated_non_members


@dataclasses.dataclass(frozen=True)
class OnTarget:
    """What an attack finds on the target.

    Attributes:
      comparable: whether the target is like the shadow models.
      needs_shadows: whether the attack needs them.
    """

    figures: Annotated[AttackSummary, SPREAD]
    comparable: bool
    needs_shadows: bool


@dataclasses.dataclass(frozen=True, repr=False)
class MeanFigures(Figures):
    """Means over single targets, and how many."""

    num_targets: int

    def to_json(self) -> dict[str, Any]:
        """The figures as ``results.json`` holds them."""
        return super().to_json() | {"num_targets": self.num_targets}


@dataclasses.dataclass(frozen=True)
class ShadowFigures:
    """What the shadow models give away under an attack, each of them a target in turn.

    Attributes:
      num_shadows: models with scores of members and of non-members.
      per_target: means over them.
      auc_range: the least and the greatest AUC of any.
      share_below_target: share of them whose AUC is below the target's.
    """

    num_shadows: int
    per_target: MeanFigures
    auc_range: tuple[float, float]
    share_below_target: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetFound(Found):
    """What the study found.

    Attributes:
      target: name of its file.
      run: fingerprint of the shadow models' run.
      num_examples: that were audited.
      groups: what is said of groups that the target took whole; None where there are none.
      not_comparable: why it is not, a sentence each.
      comparison: of its behaviour with the shadow models'.
      declared: of its recipe.
      recipe_undeclared: names of the run's recipe that were not.
      strongest: attack; ``without_shadows``: of those that need no shadow models.
      shadows: what they give away themselves, by attack; None where it trains something for each target.
      attacks_not_run: why, in words that end a sentence.
      checks: whether its members differ from its non-members without any model.
    """

    target: str
    run: str
    dataset: str
    model: str
    num_shadows: int
    num_valid: int
    num_examples: int
    unit: Literal["row", "group"]
    num_groups: int | None
    groups: People | None = None
    num_members: int
    num_non_members: int
    train_accuracy: Figure
    test_accuracy: Figure
    generalization_gap: Figure
    shadow_train_accuracy: float
    shadow_test_accuracy: float
    answers: Answers
    comparable: bool
    not_comparable: tuple[str, ...]
    comparison: tuple[Check, ...]
    declared: Record
    recipe_differences: tuple[Difference, ...]
    recipe_undeclared: tuple[str, ...]
    device: str
    versions: Record
    made: Made
    failed_models: tuple[int, ...]
    attacks: Mapping[str, OnTarget]
    strongest: Lead | None
    without_shadows: Lead | None
    shadows: Mapping[str, ShadowFigures | None]
    attacks_not_run: Mapping[str, str]
    checks: Annotated[Checks, SPREAD]

    @property
    def figures(self) -> dict[str, AttackSummary]:
        """Of merit, of every attack that ran."""
        return {name: of.figures for name, of in self.attacks.items()}

    @property
    def lead(self) -> Lead | None:
        """What is led with: the strongest attack.

        Of a target unlike its shadow models the strongest that needs none, unless that shows nothing and another does.
        """
        strongest, without = self.strongest, self.without_shadows
        if self.comparable or without is None:
            return strongest
        if strongest is None:
            return without
        return strongest if strongest.shows and not without.shows else without
