"""The figures of the study of outliers, as values: what the page, the sentences and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal

from miajax.metrics.figures import Estimate
from miajax.metrics.forms import LEFT_OUT, SPREAD
from miajax.studies.head import CampaignFound

Name = Literal["spearman", "precision_at_1pct", "auc_top_1pct"]
Part = Literal["all", "easy", "hard", "named_share"]


@dataclasses.dataclass(frozen=True)
class Ranking:
    """How well a metric ranks vulnerability: rank correlation, and the 1 % of either that coincides."""

    spearman: Estimate
    precision_at_1pct: Estimate
    auc_top_1pct: Estimate
    num_examples: int

    def __getitem__(self, name: Name) -> Estimate:
        return {
            "spearman": self.spearman, "precision_at_1pct": self.precision_at_1pct, "auc_top_1pct": self.auc_top_1pct,
        }[name]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class SameModels:
    """The same where metric and vulnerability rest on the same models, for comparison."""

    spearman: float
    precision_at_1pct: float
    auc_top_1pct: float


@dataclasses.dataclass(frozen=True)
class MetricFound:
    """One outlier metric.

    Attributes:
      family, meaning, source: of ``outliers.registry``.
      space: of the geometry; None for other families.
      models: that it rests on.
      all, easy, hard: over all examples, and over the halves by how well models fit them.
      named_share: against the other vulnerability.
    """

    family: str
    space: str | None
    meaning: str
    source: str
    models: int
    all: Annotated[Ranking, SPREAD]
    easy: Ranking
    hard: Ranking
    named_share: Ranking
    same_models: SameModels


@dataclasses.dataclass(frozen=True)
class Best:
    """The metric with the highest figure, and those whose paired difference from it may be 0."""

    metric: str
    value: float
    not_told_apart: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Measure:
    """How vulnerability is measured; ``top`` is the share of examples that count as the most vulnerable."""

    primary: str
    other: str
    attack: str
    fpr: float
    top: float
    num_examples: int


@dataclasses.dataclass(frozen=True)
class Memorisation:
    """Over all examples."""

    mean: float
    share_above_quarter: float
    median_standard_error: float
    mean_consistency: float


@dataclasses.dataclass(frozen=True)
class InfluencePair:
    """What training on ``example`` adds to the probability of the label of ``on``."""

    example: int
    on: int
    influence: float
    standard_error: float


@dataclasses.dataclass(frozen=True)
class Share:
    """Which share of some examples is vulnerable."""

    vulnerable: Estimate
    num_examples: int


@dataclasses.dataclass(frozen=True)
class OutliersByFit:
    """The first ``share`` of the examples by a metric: how many are vulnerable in ``vulnerable_at`` of the models."""

    metric: str
    share: float
    vulnerable_at: float
    easy: Share
    hard: Share
    all: Share


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricOfGroups:
    """One outlier metric of groups, the mean over a group's rows; numbers of examples are numbers of groups."""

    all: Annotated[Ranking, SPREAD]
    easy: Ranking
    hard: Ranking
    named_share: Ranking


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutliersOfGroups:
    """What metrics say of groups of rows, such as people, against what LiRA finds of groups.

    Attributes:
      num_known: groups that all figures rest on.
      ceiling, best, metrics_not_run: as of rows.
    """

    num_groups: int
    num_known: int
    metrics: Mapping[str, MetricOfGroups]
    ceiling: Ranking
    best: Mapping[Part, Mapping[Name, Best]]
    metrics_not_run: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outliers(CampaignFound):
    """What the study of outliers found.

    Attributes:
      ceiling: the vulnerability of one half of the models against that of the other.
      metrics_not_run: reasons.
      models_shown: whose training set the pictures show.
      per_group: the metrics of groups; None where members are rows.
    """

    vulnerability: Measure
    metrics: Mapping[str, MetricFound]
    ceiling: Ranking
    best: Mapping[Part, Mapping[Name, Best]]
    metrics_not_run: Mapping[str, str]
    memorisation: Memorisation
    influence_pairs: tuple[InfluencePair, ...]
    outliers_by_fit: OutliersByFit
    models_shown: int
    per_group: Annotated[OutliersOfGroups | None, LEFT_OUT] = None
