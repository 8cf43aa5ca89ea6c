"""Which of two attacks is stronger: differences of figures that share models and examples, with intervals.

Two attacks on the same models rise and fall together, so the interval of their difference is much narrower than their
own intervals suggest. Each figure is linearised (its influence on every cell, as in ``pooled``); the influences of two
attacks are subtracted cell by cell before any variance is taken. Figures over several disjoint sets of models are
averaged; with four sets or more the sets themselves are the sample, since the models of a set shadow each other.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from miajax.metrics import roc as roc_
from miajax.metrics.clusters import Groups, by_group, rows_a_draw
from miajax.metrics.figures import Figure
from miajax.metrics.intervals import (
    CONFIDENCE,
    Hits,
    Spread,
    critical_value,
    crossed_spread,
    design_effect,
    few_hits_interval,
    rate_interval,
)
from miajax.metrics.pooled import (
    chance_tpr,
    elasticity,
    elasticity_window,
    influences_on_auc,
    leverage,
    log_fpr_variance,
    threshold_noise,
)

FEWEST_SETS = 4  # below, models are the sample: a variance from so few sets would say nothing


class Influence(NamedTuple):
    """A figure of one set of models, and how every cell moves it.

    Attributes:
      value: the figure.
      by_model: ``float64[M]``, influence summed over each model's cells.
      by_example: ``float64[N]``, the same by example, or by group where rows of a group were drawn together.
      cells: ``float64[M, N]``, of every cell (of a model's rows of one group together); 0 where there is no score. None
        where they were not to be kept; float32 where they were to be kept small.
      trials: members behind the figure.
      beyond: variance that the influences do not show.
      hits: of a TPR at a low FPR, the members that pass its threshold, and a lower one.
      chance: of such a TPR, what an attack without power shows on average.
    """

    value: float
    by_model: Float[np.ndarray, " models"]
    by_example: Float[np.ndarray, " examples"]
    cells: Float[np.ndarray, "models examples"] | None
    trials: int
    beyond: float = 0.0
    hits: tuple[Hits, ...] = ()
    chance: float | None = None

    def minus(self, other: "Influence") -> "Influence":
        """The influence on the difference of two figures of the same models and examples."""
        return Influence(
            self.value - other.value,
            self.by_model - other.by_model,
            self.by_example - other.by_example,
            None if self.cells is None or other.cells is None else np.subtract(self.cells, other.cells, dtype=float),
            min(self.trials, other.trials),
            self.beyond + other.beyond,
        )

    def small(self) -> "Influence":
        """The same with cells in single precision, for where many are kept: squares of them move by 1e-8."""
        return self if self.cells is None else self._replace(cells=self.cells.astype(np.float32))


class Influences(NamedTuple):
    """What one set of models says of an attack; the TPR is None below 1 / non-members."""

    auc: Influence
    tpr: Influence | None


def influences(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    fpr: float,
    *,
    keep_cells: bool = True,
    groups: Groups = None,
) -> Influences:
    """The pooled AUC and TPR at ``fpr`` of one set of models, with the influence of every cell.

    Args:
      scores: higher = more likely a member; NaN cells are left out.
      member: True where the model trained on the example.
      valid: False for models to leave out.
      fpr: a false-positive rate, a fraction.
      groups: examples that were drawn together, or None.
      keep_cells: False where the figure will be one of ``FEWEST_SETS`` or more, whose means need no single cells.

    Raises:
      UserError: no member or no non-member has a score.
    """
    auc, tprs = influences_at(scores, member, valid, (fpr,), groups)
    tpr = tprs[fpr]
    if keep_cells:
        return Influences(auc, tpr)
    return Influences(auc._replace(cells=None), tpr and tpr._replace(cells=None))


def influences_at(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    fprs: Sequence[float],
    groups: Groups = None,
) -> tuple[Influence, dict[float, Influence | None]]:
    """As ``influences``, at several false-positive rates: the AUC, and ``{fpr: TPR}``, None below 1 / non-members.

    Raises:
      UserError: no member or no non-member has a score.
    """
    scores = np.where(valid[:, None], scores, np.nan)
    roc, order, positive = roc_.ranked_roc(scores, member)
    allowed = {fpr: roc_.allowed_false_positives(fpr, roc.num_non_members) for fpr in fprs}
    tprs = {fpr: _tpr(roc, scores, member, count, groups) if count else None for fpr, count in allowed.items()}
    return _auc(roc, order, positive, member, groups), tprs


def _auc(roc: roc_.Roc, order: np.ndarray, positive: np.ndarray, member: np.ndarray, groups: Groups) -> Influence:
    value = roc_.auc(roc)
    cells = np.zeros(member.size)
    cells[order] = influences_on_auc(roc, positive, value)
    cells = by_group(cells.reshape(member.shape), groups)
    trials = max(1, round(min(roc.num_members, roc.num_non_members) / rows_a_draw(groups)))
    return Influence(value, cells.sum(1), cells.sum(0), cells, trials)


def _tpr(roc: roc_.Roc, scores: np.ndarray, member: np.ndarray, allowed: int, groups: Groups) -> Influence:
    """As ``pooled`` has it: hits at the threshold, and what its wandering along the ROC does to them."""
    corner = roc_.corner_at(roc, allowed)
    beyond = min(corner + 1, len(roc.thresholds) - 1)
    tpr, fpr = float(roc.tpr[corner]), float(roc.fpr[beyond])
    window = elasticity_window(allowed, roc.num_non_members)
    around = [roc_.corner_at(roc, count) for count in window]
    low, high = (float(roc.tpr[k]) for k in around)
    exponent = elasticity(low, high, window, 0.5 / roc.num_members)
    scored = ~np.isnan(scores)
    is_member, is_other = member & scored, ~member & scored
    passes, called = scores >= roc.thresholds[corner], scores >= roc.thresholds[beyond]
    hit, false = is_member & passes, is_other & called
    slope = exponent * tpr / fpr
    # Of a cell that is on neither side; of members that don't pass and do; of non-members.
    moves = np.array([0.0, -tpr, 1.0 - tpr]) / roc.num_members
    moves = np.append(moves, slope * np.array([fpr, fpr - 1.0]) / roc.num_non_members)
    kinds = is_member + hit.view(np.uint8) + 3 * is_other.view(np.uint8) + false
    cells, hits_or_false = by_group(moves[kinds], groups), by_group(hit | false, groups)
    together = rows_a_draw(groups)
    trials = roc.num_members if groups is None else max(1, round(roc.num_members / together))
    unseen = (exponent * tpr) ** 2 * threshold_noise(allowed)
    if tpr in (0.0, 1.0):  # no spread to be seen: half a success of a binomial stands in
        unseen += 0.5 / (trials + 1) / trials
    by_model, by_example = (cells.sum(axis) / (1.0 - leverage(hits_or_false.sum(axis))) for axis in (1, 0))
    design = design_effect(high, trials, _hit_variance(scores >= roc.thresholds[around[1]], is_member, groups))
    hits = tuple(
        Hits(int(roc.true_positives[k]) / together, design, exponent**2 * log_fpr_variance(false))
        for k, false in ((corner, allowed), (max(around[1], corner), max(window[1], allowed)))
    )
    level = called & ~passes
    sides = (is_other & passes, is_other & level, is_member & level, is_member, is_other)
    chance = chance_tpr(*(np.count_nonzero(side, axis=1) for side in sides))
    return Influence(tpr, by_model, by_example, cells, trials, unseen, hits, chance)


def _hit_variance(passes: np.ndarray, is_member: np.ndarray, groups: Groups) -> float:
    """Variance of the TPR at a fixed threshold."""
    hit, is_member = by_group(passes & is_member, groups), by_group(is_member, groups)
    count = int(is_member.sum())
    rate = float(hit.sum() / count)
    if groups is not None:
        cells: np.ndarray = (hit - rate * is_member) / count
        of_models, of_groups = (cells.sum(axis) / (1.0 - leverage(hit.sum(axis))) for axis in (1, 0))
        return crossed_spread(of_models, of_groups, float(np.vdot(cells, cells))).variance
    by_model, by_example = (
        (hit.sum(axis) - rate * is_member.sum(axis)) / count / (1.0 - leverage(hit.sum(axis))) for axis in (1, 0)
    )
    return crossed_spread(by_model, by_example, float(rate * (1.0 - rate) / count)).variance


def _mean(sets: Sequence[Influence]) -> tuple[float, Spread]:
    values, count = np.array([each.value for each in sets]), len(sets)
    mean = float(values.mean())
    by_example = np.sum([each.by_example for each in sets], axis=0) / count
    if count >= FEWEST_SETS:
        squares = sum(float(each.by_example @ each.by_example) for each in sets) / count**2
        return mean, crossed_spread((values - mean) / count, by_example, squares)
    cells = [each.cells for each in sets if each.cells is not None]
    assert len(cells) == count, "few sets need the influence of every cell"
    squares = sum(float(np.vdot(each, each)) for each in cells) / count**2
    by_model = np.concatenate([each.by_model for each in sets]) / count
    spread = crossed_spread(by_model, by_example, squares)
    return mean, spread._replace(variance=spread.variance + sum(each.beyond for each in sets) / count**2)


def mean_rate(sets: Sequence[Influence], confidence: float = CONFIDENCE) -> Figure:
    """The mean of a rate over disjoint sets of models, with its interval within [0, 1]."""
    mean, spread = _mean(sets)
    trials, count = sum(each.trials for each in sets), len(sets)
    if not all(each.hits for each in sets):
        return Figure(mean, rate_interval(mean, spread, trials, confidence))
    together = [
        Hits(
            sum(each.count for each in hits),
            sum(each.design_effect for each in hits) / count,
            sum(each.threshold_variance for each in hits) / count**2,
        )
        for hits in zip(*(each.hits for each in sets), strict=True)
    ]
    chances = [each.chance for each in sets if each.chance is not None]
    chance = sum(chances) / count if len(chances) == count else None
    return Figure(mean, few_hits_interval(mean, spread, trials, together, confidence), chance=chance)


def mean_value(sets: Sequence[Influence], confidence: float = CONFIDENCE) -> Figure:
    """The mean of a figure that is no rate, such as a loss or a difference, with its symmetric interval."""
    mean, spread = _mean(sets)
    reach = critical_value(spread.degrees_of_freedom, confidence) * float(np.sqrt(spread.variance))
    return Figure(mean, (mean - reach, mean + reach))


def mean_difference(sets: Sequence[tuple[Influence, Influence]], confidence: float = CONFIDENCE) -> Figure:
    """The mean over disjoint sets of models of one attack's figure minus another's, with its interval.

    Args:
      sets: of each set of models, both attacks' influences; one set is allowed.
      confidence: nominal coverage.
    """
    return mean_value([one.minus(other) for one, other in sets], confidence)


def difference_over_models(one: Influence, other: Influence, confidence: float = CONFIDENCE) -> Figure:
    """One figure minus another where the two rest on different models and the same examples, with its interval.

    Args:
      one, other: with the influence of every cell; models of the one are none of the other's.
      confidence: nominal coverage.
    """
    assert one.cells is not None and other.cells is not None, "the difference needs the influence of every cell"
    both = Influence(
        one.value - other.value,
        np.concatenate([one.by_model, -other.by_model]),
        one.by_example - other.by_example,
        np.concatenate([one.cells, -other.cells]),
        min(one.trials, other.trials),
        one.beyond + other.beyond,
    )
    return mean_value([both], confidence)
