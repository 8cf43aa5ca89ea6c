"""All that the comparison of attacks says of one of them."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.calibration import Reached
from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.forms import BARE, SPREAD, Form
from miajax.metrics.summary import AttackSummary

Precision = Mapping[float, Estimate]
"""By the share of members among those asked about, the share of members among those named."""
_NOBODY = "Nothing is named at this rate, or the rate is not resolved."


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """What thresholds set on other models reach.

    Attributes:
      tpr, fpr: reached.
      fpr_of_targets: the 5th, 50th and 95th percentile of the targets' own FPR.
    """

    tpr: Figure
    fpr: Figure
    fpr_of_targets: tuple[float, float, float]
    ppv: Annotated[Precision, BARE]

    @classmethod
    def of(cls, found: Reached) -> "Calibrated":
        """Thresholds that name no member have no precision, whatever others they name."""
        ppv = found.ppv if found.tpr.value else dict.fromkeys(found.ppv)
        return cls(found.tpr, found.fpr, found.fpr_of_targets, precision_of(ppv))


def precision_of(shares: Mapping[float, float | None]) -> Precision:
    """Shares of members among those named, by prior; with the reason where there is none."""
    return {prior: Estimate(share, reason=_NOBODY if share is None else "") for prior, share in shares.items()}


@dataclasses.dataclass(frozen=True)
class PerExample:
    """How the attack treats single examples.

    Attributes:
      pooled_fpr: at which an example counts as named.
      fpr_dispersion: how unevenly false alarms fall on examples; 1 is even.
      rank_stability: rank correlation of the examples' vulnerability between two halves of the models.
    """

    pooled_fpr: float
    fpr_dispersion: Annotated[Estimate, BARE]
    rank_stability: Annotated[Estimate, BARE]


@dataclasses.dataclass(frozen=True)
class InSlice:
    """An attack's figures within one category of the cells."""

    auc: Figure
    advantage: Annotated[Estimate, BARE]
    tpr_at_fpr: Annotated[Mapping[float, Estimate], Form(chance="chance_tpr_at_fpr")]
    num_members: int
    num_non_members: int


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is said of one attack.

    Attributes:
      figures: of merit.
      seconds: of its family.
      precision: by false-positive rate.
      calibrated: by the false-positive rate aimed at, what thresholds set on other models reach; None where a model's
        own non-members resolve no such rate.
      slices: by slicing and category; None where a category lacks scored members or non-members.
    """

    figures: Annotated[AttackSummary, SPREAD]
    seconds: float
    precision: Annotated[Mapping[float, Precision], Form(key="ppv_at_fpr", bare=True)]
    calibrated: Annotated[Mapping[float, Calibrated | None], Form(key="shadow_calibrated")]
    per_example: PerExample
    slices: Mapping[str, Mapping[str, InSlice | None]]
