"""What a threshold that the attacker sets on other models really reaches on the target.

Figures at a fixed FPR pick the threshold on the very scores that they count, which no attacker can. Here each target's
threshold is the median of the other models' own thresholds, as in arXiv 2603.07567; a model trained on exactly the
target's complement is not among them (see ``miajax.data.pairs``).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.data.pairs import complementary_partners
from miajax.metrics.clusters import Groups, by_group, rows_a_draw, squares
from miajax.metrics.figures import Figure
from miajax.metrics.intervals import crossed_spread, rate_interval
from miajax.metrics.roc import allowed_false_positives, ppv

PRIORS = (0.01, 0.1, 0.5)


@dataclasses.dataclass(frozen=True, eq=False)
class Reached:
    """What a threshold aimed at one FPR reaches, as means over targets with 95 % intervals.

    Attributes:
      tpr: true-positive rate reached.
      fpr: false-positive rate reached; the aim was another.
      fpr_of_targets: the 5th, 50th and 95th percentile of the targets' own FPR.
      ppv: for each prior, the chance that a record called a member is one; None where nothing is called.
      thresholds: the threshold of each target; what exceeds it is called a member.
    """

    tpr: Figure
    fpr: Figure
    fpr_of_targets: tuple[float, float, float]
    ppv: dict[float, float | None]
    thresholds: Float[np.ndarray, " targets"]


def shadow_calibrated(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    fpr: float,
    priors: Sequence[float] = PRIORS,
    groups: Groups = None,
) -> Reached | None:
    """Rates that every model, as target, gives up under thresholds set on the other models.

    A model's own threshold is its best non-member score that may not pass at the FPR aimed at.

    Args:
      scores: higher = more likely a member; NaN cells are left out.
      member: True where the model trained on the example.
      valid: False for models to leave out; targets without a scored member or non-member are left out too.
      fpr: the rate aimed at, a fraction.
      priors: fractions of members among the records that the attacker asks about.
      groups: examples that were drawn together, or None.

    Returns:
      None with fewer than 2 targets (a pair counts as one), or where ``fpr`` is below 1 / (non-members of any target).
    """
    of_members, of_others = (~np.isnan(scores) & valid[:, None] & side for side in (member, ~member))
    usable = of_members.any(axis=1) & of_others.any(axis=1)
    partners = _among(complementary_partners(member), np.asarray(usable))
    scores, of_members, of_others = scores[usable], of_members[usable], of_others[usable]
    num_others = of_others.sum(axis=1)
    allowed = np.array([allowed_false_positives(fpr, int(count)) for count in num_others])
    if len(scores) < (2 if partners is None else 3) or allowed.min() == 0:
        return None
    ascending = np.sort(np.where(of_others, scores, -np.inf), axis=1)
    last = ascending.shape[1] - 1
    own = np.take_along_axis(ascending, np.maximum(last - allowed, 0)[:, None], axis=1)[:, 0]
    thresholds = median_of_others(own, partners)
    passes = scores > thresholds[:, None]
    tpr, _ = _mean_rate(passes, of_members, groups)
    reached, of_targets = _mean_rate(passes, of_others, groups)
    low, middle, high = np.quantile(of_targets, [0.05, 0.5, 0.95])
    return Reached(
        tpr=tpr,
        fpr=reached,
        fpr_of_targets=(float(low), float(middle), float(high)),
        ppv={prior: ppv(tpr.value, reached.value, prior) for prior in priors},
        thresholds=thresholds,
    )


def _among(
    partners: Int[np.ndarray, " models"] | None, usable: Bool[np.ndarray, " models"]
) -> Int[np.ndarray, " targets"] | None:
    """Partners as places among the usable models; a model whose partner is not usable has none."""
    if partners is None:
        return None
    place = np.cumsum(usable) - 1
    return np.where(usable[partners], place[partners], place)[usable]


def median_of_others(
    values: Float[np.ndarray, " models"], partners: Int[np.ndarray, " models"] | None = None
) -> Float[np.ndarray, " models"]:
    """For each of 2 or more values, the median of the rest, its partner's left out too where there are partners.

    Without its own value a model of rank r sees the sorted values shifted by one from r on.
    """
    if partners is not None:
        return np.array([np.median(np.delete(values, [i, j])) for i, j in enumerate(partners)])
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    ranks = np.arange(len(values))
    halves = [(len(values) - 2) // 2, (len(values) - 1) // 2]  # the two middle ranks of the rest, equal if it is odd
    low, high = (ascending[half + (ranks <= half)] for half in halves)
    medians = np.empty_like(values)
    medians[order] = np.where(low == high, low, low + (high - low) / 2.0)
    return medians


def _mean_rate(
    passes: Bool[np.ndarray, "targets examples"], cells: Bool[np.ndarray, "targets examples"], groups: Groups
) -> tuple[Figure, Float[np.ndarray, " targets"]]:
    """Mean over targets of the share of cells that pass, models and examples both varying, and each target's share."""
    counts = cells.sum(axis=1)
    hits = passes & cells
    rates = hits.sum(axis=1) / counts
    mean = float(rates.mean())
    if groups is None:
        by_example = (1.0 / counts) @ hits - (rates / counts) @ cells
        alone = float((rates * (1.0 - rates) / counts).sum())
    else:
        together = by_group((hits - rates[:, None] * cells) / counts[:, None], groups)
        by_example, alone = together.sum(0), squares(together, None)
    spread = crossed_spread((rates - mean) / len(rates), by_example / len(rates), alone / len(rates) ** 2)
    return Figure(mean, rate_interval(mean, spread, int(counts.sum()) / rows_a_draw(groups))), rates
