"""What LiRA says of single examples, by the models whose maps are shown: other ones than chose the examples."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from miajax.attacks.registry import run_attack, why_not
from miajax.campaign.gathered import Campaign
from miajax.signals.bundle import Signals

ATTACK = "lira_online"


@dataclasses.dataclass(frozen=True)
class Said:
    """Of one example, each model in turn the target; NaN where no target says it.

    Attributes:
      seen, unseen: median score among targets that trained on it, and among those that did not.
      fpr, tpr: where a threshold at ``seen`` lies on the ROC of all targets and examples.
    """

    seen: float
    unseen: float
    fpr: float
    tpr: float


def lira_says(campaign: Campaign, models: Sequence[int], ids: Sequence[int] | np.ndarray) -> dict[int, Said]:
    """Of the examples ``ids``, what LiRA says with ``models`` as targets and shadows; empty where it cannot run.

    Args:
      campaign: a finished one.
      models: valid ones.
      ids: rows of the pool.
    """
    rows = np.asarray(models, np.int64)
    signals, member = Signals(scaled_logit=campaign.signals[rows]), campaign.member[rows]
    valid = np.ones(len(rows), bool)
    if why_not(ATTACK, signals, member, valid):
        return {}
    scores, _ = run_attack(ATTACK, signals, member, valid)
    return said(scores, member, ids)


def said(
    scores: Float[np.ndarray, "targets examples"],
    member: Bool[np.ndarray, "targets examples"],
    ids: Sequence[int] | np.ndarray,
) -> dict[int, Said]:
    """The same of scores that are known; NaN scores are left out."""
    known = ~np.isnan(scores)
    members, others = (np.sort(scores[known & side]) for side in (member, ~member))
    found: dict[int, Said] = {}
    for i in map(int, ids):
        seen, unseen = (_median(scores[known[:, i] & side[:, i], i]) for side in (member, ~member))
        fpr, tpr = (_at_or_above(side, seen) for side in (others, members))
        found[i] = Said(seen, unseen, fpr, tpr)
    return found


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _at_or_above(ascending: np.ndarray, threshold: float) -> float:
    if not ascending.size or np.isnan(threshold):
        return float("nan")
    return float(1 - np.searchsorted(ascending, threshold, side="left") / ascending.size)
