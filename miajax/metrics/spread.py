"""How a leak is spread over parts of the data: the same threshold for everybody, and who is named by it."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Shaped

from miajax.data.groups import FEW_GROUPS
from miajax.metrics.accuracy import share_correct
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate
from miajax.metrics.forms import LEFT_OUT
from miajax.metrics.paired import mean_rate
from miajax.metrics.summary import summarise
from miajax.metrics.vulnerability import exposure_at_pooled_fpr

FEW = FEW_GROUPS
"""Groups (rows, where there are none) from which on an interval that resamples them is worth its name."""


@dataclasses.dataclass(frozen=True)
class PartOfGroups:
    """What one part of the data gives away of groups."""

    tpr: Estimate
    fpr: Estimate
    auc: Estimate


@dataclasses.dataclass(frozen=True)
class Part:
    """What one part of the data gives away.

    Attributes:
      num_rows: in the part.
      num_groups: with rows in it, or rows where there are no groups.
      few_groups: whether too few of them stand behind it for its intervals to be trusted.
      tpr, fpr: shares of its members, and of its non-members, that the common threshold names.
      auc: of its members against its own non-members.
      per_group: the same of groups, scores of whose rows are joined; None where members are rows, or a group has rows
        in several parts.
    """

    num_rows: int
    num_groups: int
    few_groups: bool
    tpr: Estimate
    fpr: Estimate
    auc: Estimate
    per_group: Annotated["PartOfGroups | None", LEFT_OUT] = None


@dataclasses.dataclass(frozen=True)
class Spread:
    """How an attack's finds are spread over parts of the data.

    Attributes:
      column: what the parts are by.
      fpr: of the common threshold, pooled, as results name it.
      fewest_groups: below which a part rests on few.
    """

    column: str
    attack: str
    fpr: str
    fewest_groups: int
    slices: Mapping[str, Part]


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
        found[str(category)] = Part(int(here.sum()), draws, draws < FEW, tpr, other, auc)
    return found


def spread_notes(column: str, unit: str, parts: Mapping[str, Part]) -> list[str]:
    """A warning on parts that rest on few groups."""
    few = [f"{name} ({part.num_groups})" for name, part in parts.items() if part.few_groups]
    if not few:
        return []
    listed = ", ".join(few[:8]) + (" and more" if len(few) > 8 else "")
    return [
        f"Slices by {column}: fewer than {FEW} {unit}s stand behind {listed}; their intervals may be too narrow, and "
        "they should not be compared with others."
    ]
