"""The figures of the study of saliency, as values: what the page, the pictures and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.figures import Estimate
from miajax.metrics.forms import ENDS, LEFT_OUT
from miajax.studies.head import CampaignFound

Mean = Annotated[Estimate, ENDS]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Means over vulnerable and over safe examples, and their difference.

    Attributes:
      per_group: means over groups of rows, each of which weighs once on a side; None where members are rows. All
        intervals resample groups there.
    """

    vulnerable: Mean
    safe: Mean
    difference: Mean
    per_group: Annotated["Compared | None", LEFT_OUT] = None


@dataclasses.dataclass(frozen=True)
class PixelShares:
    """The background's share of the pixels."""

    vulnerable: float
    safe: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Background(Compared):
    """The share of a map's magnitude on the background; ``excess`` is beyond the pixels' share."""

    excess: Compared
    share: PixelShares


@dataclasses.dataclass(frozen=True)
class Curves:
    """The label's probability by the fraction deleted, means over examples.

    Attributes:
      vulnerable_ci, safe_ci: 95 % intervals over examples, or over groups of them; empty in results of before.
    """

    vulnerable: tuple[float, ...]
    safe: tuple[float, ...]
    vulnerable_ci: tuple[tuple[float, float] | None, ...] = ()
    safe_ci: tuple[tuple[float, float] | None, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deletion(Compared):
    """What is left of the label's probability as the most relevant inputs go."""

    fractions: tuple[float, ...]
    curves: Curves


@dataclasses.dataclass(frozen=True)
class MapFound:
    """One kind of map; without ``background`` where ``background_not_measured`` says why."""

    background: Background | None
    deletion: Deletion


@dataclasses.dataclass(frozen=True)
class Completeness:
    """How far integrated gradients are from adding up, over the logit."""

    tolerance: float
    most_steps: int
    share_within: float
    median: float
    largest: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Related(Compared):
    """Rank correlation of a map's shift and vulnerability, and the shift at vulnerability's ends.

    Attributes:
      per_group: the same of groups, whose shift and vulnerability are the means over their rows.
    """

    spearman: Estimate
    num_examples: int
    per_group: Annotated["Related | None", LEFT_OUT] = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureShare(Compared):
    """One feature's share of the maps' magnitude."""

    feature: int


@dataclasses.dataclass(frozen=True)
class Centroid:
    """In which space of which model's training set examples are near and far."""

    space: str
    model: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Saliency(CampaignFound):
    """What the study of saliency found.

    Attributes:
      groups: ids of the vulnerable and the safe examples; of the nearest and the farthest, class by class.
      map_models: whose maps are taken.
      methods, counterfactual: by map; the first counterfactual is the headline.
      empty_share: of the data set's pixels, those that are 0 as stored; None for tables.
      completeness: None where no integrated gradients were taken.
      features: None where examples are pictures.
    """

    groups: Mapping[str, tuple[int, ...]]
    centroid: Centroid
    map_models: int
    methods: Mapping[str, MapFound]
    empty_share: float | None
    background_not_measured: Mapping[str, str]
    completeness: Completeness | None
    counterfactual: Mapping[str, Related]
    features: tuple[FeatureShare, ...] | None
