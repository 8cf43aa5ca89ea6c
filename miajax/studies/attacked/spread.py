"""How the largest leak is spread over slices of the data."""

from collections.abc import Mapping

import numpy as np

from miajax.campaign.run import Campaign
from miajax.metrics.claims import Lead
from miajax.metrics.figures import fpr_key
from miajax.metrics.spread import FEW, Spread, spread_notes, spread_over
from miajax.studies.attacked.groups import EXPOSURE_FPR, Scores


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
    return Spread(column, name, fpr_key(EXPOSURE_FPR), FEW, parts), spread_notes(column, unit, parts)
