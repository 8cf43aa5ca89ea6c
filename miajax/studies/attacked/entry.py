"""All that the comparison of attacks says of one of them, and how ``results.json`` holds it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from miajax.metrics.calibration import Reached
from miajax.metrics.figures import fpr_key
from miajax.metrics.summary import AttackSummary
from miajax.studies import common

Precision = Mapping[float, float | None]
"""By the share of members among those asked about, the share of members among those named; None where nobody is."""
_IN_A_SLICE = (
    "auc", "auc_ci", "advantage", "tpr_at_fpr", "tpr_at_fpr_ci", "chance_tpr_at_fpr", "num_members", "num_non_members",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is said of one attack.

    Attributes:
      figures: of merit.
      seconds: of its family.
      precision: by false-positive rate.
      calibrated: by the false-positive rate aimed at, what thresholds set on other models reach; None where a model's
        own non-members resolve no such rate.
      fpr_dispersion: how unevenly false alarms fall on examples; 1 is even.
      rank_stability: rank correlation of the examples' vulnerability between two halves of the models.
      slices: by slicing and category; None where a category lacks scored members or non-members.
    """

    figures: AttackSummary
    seconds: float
    precision: Mapping[float, Precision]
    calibrated: Mapping[float, Reached | None]
    fpr_dispersion: float | None
    rank_stability: float | None
    slices: Mapping[str, Mapping[str, AttackSummary | None]]

    def to_json(self) -> dict[str, Any]:
        """The attack's whole entry of ``results.json``."""
        return {
            **self.figures.to_json(),
            "seconds": self.seconds,
            "ppv_at_fpr": {fpr_key(fpr): _by_prior(of) for fpr, of in self.precision.items()},
            "shadow_calibrated": {fpr_key(fpr): _reached(found) for fpr, found in self.calibrated.items()},
            "per_example": {
                "pooled_fpr": common.EXPOSURE_FPR,
                "fpr_dispersion": self.fpr_dispersion,
                "rank_stability": self.rank_stability,
            },
            "slices": {
                slicing: {category: _sliced(found) for category, found in categories.items()}
                for slicing, categories in self.slices.items()
            },
        }


def precision_reached(found: Reached) -> Precision:
    """Precision under calibrated thresholds; None where they name no member."""
    return found.ppv if found.tpr.value else dict.fromkeys(found.ppv)


def _by_prior(precision: Precision) -> dict[str, float | None]:
    return {fpr_key(prior): value for prior, value in precision.items()}


def _reached(found: Reached | None) -> dict[str, Any] | None:
    return found and {
        "tpr": found.tpr.value,
        "tpr_ci": found.tpr.ci,
        "fpr": found.fpr.value,
        "fpr_ci": found.fpr.ci,
        "fpr_of_targets": list(found.fpr_of_targets),
        "ppv": _by_prior(precision_reached(found)),
    }


def _sliced(found: AttackSummary | None) -> dict[str, Any] | None:
    if found is None:
        return None
    entry = found.to_json()
    return {key: entry[key] for key in _IN_A_SLICE}
