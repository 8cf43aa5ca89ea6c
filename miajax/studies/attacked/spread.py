"""How the largest leak is spread over slices of the data."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from miajax.campaign.run import Campaign
from miajax.metrics.claims import Lead
from miajax.metrics.figures import fpr_key
from miajax.metrics.groups import joined, of_groups
from miajax.metrics.spread import FEW, Part, PartOfGroups, Spread, spread_notes, spread_over
from miajax.studies.attacked.groups import EXPOSURE_FPR, Scores, join_of


def leak_over(
    campaign: Campaign,
    scores: Scores,
    lead: Lead | None,
    slices: Mapping[str, np.ndarray] | None,
) -> tuple[Spread | None, list[str]]:
    """The spread for the strongest attack and the user's own slices, and warnings.

    Args:
      campaign: the models.
      scores: of every attack.
      lead: the strongest attack.
      slices: one category a row, by the name of the column; None where none was asked for.
    """
    if not slices or lead is None:
        return None, []
    (column, categories), name = next(iter(slices.items())), lead.attack
    groups = campaign.setup.dataset.groups
    parts = spread_over(scores[name], campaign.member, campaign.valid, categories, EXPOSURE_FPR, groups)
    unit = "row" if groups is None else "group"
    if groups is not None and (whole := _of_groups(campaign, scores[name], name, categories, groups)) is not None:
        parts = {part: dataclasses.replace(of, per_group=whole[part]) for part, of in parts.items()}
    return Spread(column, name, fpr_key(EXPOSURE_FPR), FEW, parts), spread_notes(column, unit, parts)


def _of_groups(
    campaign: Campaign, scores: np.ndarray, attack: str, categories: np.ndarray, groups: np.ndarray
) -> dict[str, PartOfGroups] | None:
    """The same of groups, scores of their rows joined; None where a group has rows in several parts."""
    of_group = categories[np.unique(groups, return_index=True)[1]]
    if (of_group[groups] != categories).any():
        return None
    together, whole = joined(scores, groups, join_of(attack)), of_groups(campaign.member, groups)
    found: dict[str, Part] = spread_over(together, whole, campaign.valid, of_group, EXPOSURE_FPR)
    return {name: PartOfGroups(part.tpr, part.fpr, part.auc) for name, part in found.items()}
