"""The figures of the study of defences, as values: what the page, the sentences, the pictures and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from miajax.metrics.figures import Estimate, Figure, Interval
from miajax.metrics.forms import HOLLOW, LEFT_OUT, SPREAD, Form
from miajax.metrics.groups import Join
from miajax.studies.head import CampaignFound
from miajax.studies.results import Record

FPR = 0.01
"""At which the most vulnerable are named."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackFigures:
    """What an attack gets from some examples."""

    auc: Figure
    advantage: Figure
    tpr_at_fpr: Annotated[Mapping[float, Estimate], Form(chance="chance_tpr_at_fpr")]
    num_examples: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class TopFigures(AttackFigures):
    """What an attack gets from a few examples that even models chose, on odd targets.

    Attributes:
      named: by false-positive rate over all examples and targets, the share of their members that is named.
      named_wrongly: the share of their non-members.
    """

    named: Mapping[float, Figure]
    named_wrongly: Mapping[float, float]


@dataclasses.dataclass(frozen=True)
class AucChange:
    """One AUC minus another, paired; ``auc_ci_of_all`` is wide enough for all rows of the comparison at once."""

    auc: Figure
    auc_ci_of_all: Interval


@dataclasses.dataclass(frozen=True)
class NamedChange:
    """Adaptive LiRA's ``named`` after minus before, on odd targets."""

    named: Mapping[float, Figure]
    named_ci_of_all: Mapping[float, Interval]


@dataclasses.dataclass(frozen=True)
class AccuracyChange:
    """Accuracy on members and on non-members, after minus before, paired."""

    train: Figure
    test: Figure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lira:
    """LiRA on everybody, and on the examples that were most vulnerable before; None where nobody is left to judge."""

    everybody: Annotated[AttackFigures | None, SPREAD]
    top_1pct: TopFigures | None

    @property
    def auc(self) -> Estimate:
        """On everybody."""
        return Estimate(None, reason="LiRA gave no scores.") if self.everybody is None else self.everybody.auc


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdaptiveLira(Lira):
    """LiRA that knows the defence, beside the undefended models and beside who knows less.

    Attributes:
      change, top_1pct_change: after minus before.
      over_naive, over_threshold: minus what the others get.
      now_most_vulnerable, now_most_vulnerable_before: on those who are most vulnerable under the defence.
    """

    change: AucChange | None
    top_1pct_change: NamedChange | None
    over_naive: AucChange | None
    over_threshold: AucChange | None
    now_most_vulnerable: TopFigures | None
    now_most_vulnerable_before: TopFigures | None


@dataclasses.dataclass(frozen=True)
class Unflagged:
    """The examples that an example-specific defence does not protect."""

    num_flagged: int
    lira_adaptive: AttackFigures | None
    change: AucChange | None
    test_accuracy: Figure
    test_accuracy_before: Figure


@dataclasses.dataclass(frozen=True)
class Flagged:
    """The examples that it protects."""

    change: AucChange | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowAttacks:
    """What attacks get from the models of one defence.

    Attributes:
      lira_naive: by undefended shadow models.
      lira_carried: by shadow models that carry the defence.
      lira_adaptive: which also undoes what can be undone of it.
      unflagged, flagged: of a defence of single examples.
      per_group: the same of groups of rows, such as people; None where members are rows.
    """

    threshold_auc: Figure
    threshold_advantage: Figure
    gap_accuracy: Figure
    threshold_change: AucChange | None
    accuracy_change: AccuracyChange
    lira_naive: Lira
    lira_carried: Annotated[AttackFigures | None, HOLLOW]
    lira_adaptive: AdaptiveLira
    unflagged: Annotated[Unflagged | None, LEFT_OUT] = None
    flagged: Annotated[Flagged | None, LEFT_OUT] = None
    per_group: Annotated["RowOfGroups | None", LEFT_OUT] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttacksJoined:
    """What every attack gets where scores of a group's rows are joined in one way."""

    threshold: AttackFigures | None
    gap: AttackFigures | None
    lira_naive: AttackFigures | None
    lira_carried: AttackFigures | None
    lira_adaptive: AttackFigures | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowOfGroups(RowAttacks):
    """What attacks get by group; numbers of examples are numbers of groups, accuracies let each group weigh once.

    Attributes:
      num_groups: G.
      headline: by attack, how scores of a group's rows are joined for the figures above.
      sum, mean, max: every attack with scores joined so.
    """

    num_groups: int
    headline: Mapping[str, Join]
    sum: AttacksJoined
    mean: AttacksJoined
    max: AttacksJoined


@dataclasses.dataclass(frozen=True)
class PublishedBeside:
    """A source's figures for a defence, and whether ours may be compared with them."""

    train_accuracy: float | None
    test_accuracy: float | None
    threshold_auc: float
    threshold_advantage: float
    seconds: float | None
    settings: Mapping[str, Any]
    comparable: bool
    why_not: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row(RowAttacks):
    """One defence.

    Attributes:
      stage: at which it works: none, training, data, answers.
      specific: whether it protects single examples; ``control`` as many drawn at random.
      runtime_s: of training, a model; None where it was not timed.
      overhead_s: of all answers about the pool.
      recovered: share of the answers that were undone; None where nothing is undone.
    """

    defense: str
    title: str
    stage: str
    specific: bool
    control: bool
    num_valid: int
    train_accuracy: Figure
    test_accuracy: Figure
    official_test_accuracy: Estimate
    runtime_s: float | None
    overhead_s: float
    recovered: float | None
    privacy: Record | None
    published: PublishedBeside | None

    @property
    def most_vulnerable(self) -> tuple[TopFigures | None, bool]:
        """Adaptive LiRA's figures on the examples that were most vulnerable before, or, where they are gone, on those
        that now are; and whether the former."""
        before = self.lira_adaptive.top_1pct
        return (before, True) if before is not None else (self.lira_adaptive.now_most_vulnerable, False)

    @property
    def of_unit(self) -> "Row":
        """The same with what attacks get of groups, where members are groups; its accuracies stay those of rows."""
        if self.per_group is None:
            return self
        kept = ("accuracy_change", "per_group")
        names = [field.name for field in dataclasses.fields(RowAttacks) if field.name not in kept]
        return dataclasses.replace(self, **{name: getattr(self.per_group, name) for name in names}, per_group=None)


@dataclasses.dataclass(frozen=True)
class FlaggedBy:
    """Whom defences of single examples protect."""

    metric: str
    share: float
    weight: float


@dataclasses.dataclass(frozen=True)
class Onion:
    """How much more exposed the then most vulnerable survivors of a drop are, against a control; also by group."""

    rise: Figure
    control: Figure
    difference: Figure
    per_group: Annotated["Onion | None", LEFT_OUT] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Defenses(CampaignFound):
    """What the study of defences found.

    Attributes:
      rows: the undefended models first.
      not_run: reasons by defence.
      lira: the variant.
      most_vulnerable: ids of the 1 %.
      most_vulnerable_groups: names of the 1 % of the groups, as per_group.parquet has them; None where members are
        rows.
      published_source: of the figures beside ours, or None.
    """

    rows: tuple[Row, ...]
    not_run: Mapping[str, str]
    lira: str
    flagged: FlaggedBy
    onion: Onion | None
    most_vulnerable: tuple[int, ...]
    published_source: str | None
    most_vulnerable_groups: Annotated[tuple[str, ...] | None, LEFT_OUT] = None

    @property
    def of_unit(self) -> "Defenses":
        """The same with what attacks get of groups in the place of what they get of rows, where members are groups."""
        if self.most_vulnerable_groups is None:
            return self
        onion = self.onion and self.onion.per_group
        return dataclasses.replace(self, rows=tuple(row.of_unit for row in self.rows), onion=onion)


def named(figures: TopFigures | None) -> Estimate:
    """Share of the members named at ``FPR`` over all examples."""
    return Estimate(None, reason="None of these examples is left.") if figures is None else figures.named[FPR]
