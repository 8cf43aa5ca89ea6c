"""The figures of a comparison, as values: what the page, the sentences and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal

from miajax.metrics.claims import Lead, Standing
from miajax.metrics.figures import Figure, Interval
from miajax.metrics.forms import LEFT_OUT
from miajax.metrics.groups import Join
from miajax.studies.results import Found, Record


@dataclasses.dataclass(frozen=True)
class Changed:
    """An attack's figure before and after; changes are after minus before.

    Attributes:
      change_ci_of_all: wide enough for all attacks at once.
      standing: of that interval to 0.
    """

    before: Figure
    after: Figure
    change: Figure
    change_ci_of_all: Interval
    standing: Standing


@dataclasses.dataclass(frozen=True)
class AccuracyChanged:
    """An accuracy before and after."""

    before: float
    after: float
    change: Figure
    standing: Standing


@dataclasses.dataclass(frozen=True)
class Accuracies:
    """Accuracy on members, on non-members, and their gap."""

    train_accuracy: AccuracyChanged
    test_accuracy: AccuracyChanged
    generalization_gap: AccuracyChanged


@dataclasses.dataclass(frozen=True)
class Exposure:
    """How many examples are named whose exposure to an attack changed.

    Attributes:
      median_models: behind a tested example; None where none was.
      models_to_see_one: that a change of one example alone takes to be seen.
    """

    gained_protection: int
    lost_protection: int
    tested: int
    median_models: float | None
    models_to_see_one: int


@dataclasses.dataclass(frozen=True)
class ByUnit:
    """Figures by group; a rate is None where a run has too few non-members to show it."""

    auc: Changed
    tpr_at_fpr: Mapping[float, Changed | None]


@dataclasses.dataclass(frozen=True)
class ByGroup(ByUnit):
    """One attack by group, scores joined as ``headline`` says, and joined in every way.

    Attributes:
      exposure: of groups; its counts are of groups.
    """

    headline: Join
    num_groups: int
    exposure: Exposure
    sum: ByUnit
    mean: ByUnit
    max: ByUnit


@dataclasses.dataclass(frozen=True)
class AttackChanged(ByUnit):
    """One attack, by row; ``per_group`` where members were drawn by group."""

    exposure: Exposure
    per_group: Annotated[ByGroup | None, LEFT_OUT] = None

    @property
    def of_unit(self) -> "AttackChanged | ByGroup":
        """By what members were drawn by."""
        return self.per_group or self


@dataclasses.dataclass(frozen=True)
class Speaking:
    """The attack that sentences are about, and its figure; ``fpr`` is None by AUC."""

    attack: str
    by: Literal["auc", "tpr_at_fpr"]
    fpr: str | None


@dataclasses.dataclass(frozen=True)
class SideFound:
    """One of the two runs."""

    run: str
    model: str
    num_shadows: int
    num_valid: int
    fingerprint: str | None
    privacy: Record | None
    strongest: Lead | None


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the two runs' models were made otherwise by."""

    name: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison(Found):
    """What a comparison found.

    Attributes:
      unit: that members were drawn by; headline and exposure are about it.
      paired: whether model m of the one has the members of model m of the other.
      accuracy: None where a run kept no answers.
      exposure_fpr: pooled false-positive rate at which examples are named.
      false_discoveries: share of the named examples that chance may name.
    """

    dataset: str
    num_examples: int
    unit: Literal["row", "group"]
    num_groups: int | None
    paired: bool
    before: SideFound
    after: SideFound
    settings: tuple[Setting, ...]
    attacks: Mapping[str, AttackChanged]
    lead: Speaking
    accuracy: Accuracies | None
    exposure_fpr: float
    false_discoveries: float
    versions: Mapping[str, str]

    @property
    def entry(self) -> Changed:
        """The change that the headline is about."""
        of = self.attacks[self.lead.attack].of_unit
        rate = None if self.lead.fpr is None else of.tpr_at_fpr[float(self.lead.fpr)]
        return of.auc if rate is None else rate
