"""How a leak is spread over parts of the data: the same threshold for everybody, and who is named by it."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from miajax.metrics.accuracy import share_correct
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate, fpr_key
from miajax.metrics.paired import mean_rate
from miajax.metrics.summary import summarise
from miajax.metrics.vulnerability import exposure_at_pooled_fpr

FEW = 30
"""Groups (rows, where there are none) from which on an interval that resamples them is worth its name."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What one part of the data gives away.

    Attributes:
      rows: in the part.
      draws: groups with rows in it, or rows where there are no groups.
      tpr, fpr: shares of its members, and of its non-members, that the common threshold names.
      auc: of its members against its own non-members.
    """

    rows: int
    draws: int
    tpr: Estimate
    fpr: Estimate
    auc: Estimate

    @property
    def few(self) -> bool:
        """Whether too few groups stand behind it for its intervals to be trusted."""
        return self.draws < FEW

    def to_json(self) -> dict[str, Any]:
        """The part's entry of ``spread`` in ``results.json``."""
        return {"num_rows": self.rows, "num_groups": self.draws, "few_groups": self.few, **self.figures_json()}

    def figures_json(self) -> dict[str, Any]:
        """The figures alone."""
        return {
            "tpr": self.tpr.value,
            "tpr_ci": self.tpr.ci,
            "fpr": self.fpr.value,
            "fpr_ci": self.fpr.ci,
            "auc": self.auc.value,
            "auc_ci": self.auc.ci,
        }


def spread_over(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    categories: Shaped[np.ndarray, " examples"],
    fpr: float,
    groups: Groups = None,
) -> dict[str, Part]:
    """Every part's share of members named at the pooled threshold, and its own AUC, with intervals over groups.

    Args:
      scores: higher = more likely a member; NaN cells are left out.
      member: True where the model trained on the example.
      valid: False for models to leave out.
      categories: the part that each row belongs to.
      fpr: pooled false-positive rate of the threshold, a fraction.
      groups: of each row, or None.
    """
    known = ~np.isnan(scores) & valid[:, None]
    passes = scores >= exposure_at_pooled_fpr(scores, member, valid, fpr).threshold
    found: dict[str, Part] = {}
    for category in np.unique(categories):
        here = categories == category
        sides = [known & side & here for side in (member, ~member)]
        tpr, other = (
            mean_rate([share_correct(passes, side, groups)])
            if side.any()
            else Estimate(None, reason="No scored row on this side.")
            for side in sides
        )
        both = (sides[0].any(1) & sides[1].any(1)).any()
        auc = (
            summarise(
                scores, member, valid, where=np.broadcast_to(here, scores.shape), each_target=False, groups=groups
            ).auc
            if both
            else Estimate(None, reason="No target has members and non-members in it.")
        )
        draws = int(here.sum()) if groups is None else len(np.unique(groups[here]))
        found[str(category)] = Part(int(here.sum()), draws, tpr, other, auc)
    return found


def spread_json(
    column: str, attack: str, fpr: float, parts: dict[str, Part], of_groups: dict[str, Part] | None = None
) -> dict[str, Any]:
    """``spread`` of ``results.json``: by what, of which attack, at which pooled rate, and each part.

    Args:
      column, attack, fpr: see above.
      parts: by row.
      of_groups: by group, where each group lies in one part.
    """

    def beside(name: str) -> dict[str, Any]:
        return {} if of_groups is None else {"per_group": of_groups[name].figures_json()}

    return {
        "column": column,
        "attack": attack,
        "fpr": fpr_key(fpr),
        "fewest_groups": FEW,
        "slices": {name: part.to_json() | beside(name) for name, part in parts.items()},
    }


def spread_notes(column: str, unit: str, parts: dict[str, Part]) -> list[str]:
    """A warning on parts that rest on few groups."""
    few = [f"{name} ({part.draws})" for name, part in parts.items() if part.few]
    if not few:
        return []
    listed = ", ".join(few[:8]) + (" and more" if len(few) > 8 else "")
    return [
        f"Slices by {column}: fewer than {FEW} {unit}s stand behind {listed}; their intervals may be too narrow, and "
        "they should not be compared with others."
    ]
