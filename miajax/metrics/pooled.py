"""Figures of all targets' scores thrown together, each with an interval over models and examples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import polygamma

from miajax.metrics import roc as roc_
from miajax.metrics.clusters import Groups, by_group, rows_a_draw, squares
from miajax.metrics.figures import Estimate, Figure, Figures, unresolved
from miajax.metrics.intervals import (
    Hits,
    Spread,
    advantage_interval,
    crossed_spread,
    design_effect,
    few_hits_interval,
    rate_interval,
)


def elasticity_window(allowed: int, num_non_members: int) -> tuple[int, int]:
    """Numbers of false positives between which the slope of the log-log ROC is taken for ``allowed`` of them."""
    return allowed // 4, min(4 * allowed + 8, num_non_members - 1)


def elasticity(low_tpr: float, high_tpr: float, window: tuple[int, int], resolution: float) -> float:
    """d log TPR / d log FPR, within [0, 1]: what a wandering threshold does to the TPR.

    A concave ROC through (0, 0) has at most 1, the diagonal exactly 1.

    Args:
      low_tpr: TPR at the window's lower number of false positives.
      high_tpr: TPR at its upper number.
      window: those numbers.
      resolution: TPR of half a member, which keeps the logarithm finite.
    """
    if window[1] <= window[0]:
        return 0.0
    rise = np.log((high_tpr + resolution) / (low_tpr + resolution))
    return float(np.clip(rise / np.log((window[1] + 1) / (window[0] + 1)), 0.0, 1.0))


def log_fpr_variance(allowed: int) -> float:
    """Variance of log FPR at the threshold.

    The threshold is the (allowed + 1)-th best non-member, so its FPR is a Gamma(allowed + 1) variable over the number
    of non-members.
    """
    return float(polygamma(1, allowed + 1))


def threshold_noise(allowed: int) -> float:
    """That variance less the 1 / (allowed + 1) that linearisation finds; it matters for few false positives."""
    return log_fpr_variance(allowed) - 1.0 / (allowed + 1)


def leverage(called: Int[np.ndarray, " clusters"]) -> Float[np.ndarray, " clusters"]:
    """Share of the called cells that rests on each model or example beyond its first cell, at most 0.8.

    Influences over (1 - leverage) come near the jackknife's, which drops whole clusters: at a low FPR a few models or
    examples can hold most of the called cells, and a first-order influence then understates them.
    """
    return np.minimum(np.maximum(called - 1, 0) / max(int(called.sum()), 1), 0.8)


def chance_tpr(
    called: Int[np.ndarray, " models"],
    refused: Int[np.ndarray, " models"],
    tied: Int[np.ndarray, " models"],
    members: Int[np.ndarray, " models"],
    others: Int[np.ndarray, " models"],
) -> float:
    """TPR that an attack without power shows on average at a threshold chosen on the non-members it is counted on.

    With k of n exchangeable non-members called and the next one refused, a member passes with probability
    (k + 1) / (n + 1): it may rank among the called ones or in the gap behind them. All targets together have one gap
    where scores of different targets are unlike. Where they coincide, as ranks within a target do, one value refuses a
    non-member of every target at once, and each target has a gap of its own. Targets whose first refused non-member is
    among those that the next lower value would call count as having one, unless members share that value: what they
    all tie at is no gap.

    Args:
      called: non-members of each target that pass the threshold.
      refused: non-members of each target that the next lower value with non-members would add.
      tied: members of each target with that value.
      members: members of each target with a score.
      others: non-members of each target with a score.

    Returns:
      The mean over members, within [0, 1].
    """
    by_target = np.where(tied > 0, called / np.maximum(others, 1), (called + (refused > 0)) / (others + 1))
    one_gap = (int(called.sum()) + 1) / (int(others.sum()) + 1)
    return min(max(float(by_target @ members) / int(members.sum()), one_gap), 1.0)


def chance_advantage(
    members: Int[np.ndarray, " targets"], others: Int[np.ndarray, " targets"]
) -> Float[np.ndarray, " targets"]:
    """Mean of max(TPR - FPR) where members and non-members are alike.

    The mean of the one-sided Kolmogorov-Smirnov statistic, sqrt(pi s / 8) with s = 1/members + 1/non-members, less s/4
    for the steps of the curve; within 3 % of the exact mean from 30 members and non-members on.
    """
    spacing = 1.0 / members + 1.0 / others
    return np.sqrt(np.pi * spacing / 8.0) - spacing / 4.0


class _Cells:
    """The scored cells of a campaign, best score first, and counts of them by model and by example, or by group."""

    def __init__(
        self,
        member: Bool[np.ndarray, "models examples"],
        scored: Bool[np.ndarray, "models examples"],
        order: Int[np.ndarray, " scored"],
        positive: Bool[np.ndarray, " scored"],
        groups: Groups = None,
    ):
        self.shape = member.shape
        self.order, self.positive = order, positive
        self.groups, self.together = groups, rows_a_draw(groups)
        self.num_draws = member.shape[1] if groups is None else int(groups.max()) + 1
        of_members, of_others = scored & member, scored & ~member
        self.members_by_model, self.members_by_example = of_members.sum(axis=1), by_group(of_members.sum(0), groups)
        self.others_by_model, self.others_by_example = of_others.sum(axis=1), by_group(of_others.sum(0), groups)
        if groups is not None:
            self.members_by_cell, self.others_by_cell = (by_group(side, groups) for side in (of_members, of_others))

    def _drawn(self, cells: Int[np.ndarray, " cells"]) -> tuple[np.ndarray, np.ndarray]:
        """Model, and example or group, of each cell."""
        model = cells // self.shape[1]
        example = cells - model * self.shape[1]  # 20 times as fast as divmod
        return model, example if self.groups is None else self.groups[example]

    def _count(self, cells: Int[np.ndarray, " cells"]) -> tuple[np.ndarray, np.ndarray]:
        model, draw = self._drawn(cells)
        return np.bincount(model, minlength=self.shape[0]), np.bincount(draw, minlength=self.num_draws)

    def _count_cells(self, cells: Int[np.ndarray, " cells"]) -> np.ndarray:
        model, draw = self._drawn(cells)
        flat = np.bincount(model * self.num_draws + draw, minlength=self.shape[0] * self.num_draws)
        return flat.reshape(self.shape[0], self.num_draws)

    def rate_spread(self, num_members_called: int, called: int, called_others: int, slope: float) -> Spread:
        """Spread of TPR - slope FPR at one threshold.

        Args:
          num_members_called: members called by the rule.
          called: cells called by the rule, the first of the order.
          called_others: cells among which non-members count as called, at least ``called``.
          slope: of the ROC.
        """
        num_members, num_others = self.members_by_model.sum(), self.others_by_model.sum()
        first = self.order[:called_others]
        positive = self.positive[:called_others]
        hits, false = first[:called][positive[:called]], first[~positive]
        hit_model, hit_example = self._count(hits)
        false_model, false_example = self._count(false)
        tpr, fpr = num_members_called / num_members, false_model.sum() / num_others

        def first_order(hits: np.ndarray, members: np.ndarray, false: np.ndarray, others: np.ndarray) -> np.ndarray:
            return (hits - tpr * members) / num_members - slope * (false - fpr * others) / num_others

        def influence(hits: np.ndarray, members: np.ndarray, false: np.ndarray, others: np.ndarray) -> np.ndarray:
            return first_order(hits, members, false, others) / (1.0 - leverage(hits + false))

        if self.groups is None:
            cell_squares = float(tpr * (1.0 - tpr) / num_members + slope**2 * fpr * (1.0 - fpr) / num_others)
        else:
            counts = self._count_cells(hits), self.members_by_cell, self._count_cells(false), self.others_by_cell
            cell_squares = squares(first_order(*counts), None)
        return crossed_spread(
            influence(hit_model, self.members_by_model, false_model, self.others_by_model),
            influence(hit_example, self.members_by_example, false_example, self.others_by_example),
            cell_squares,
        )

    def chance_tpr(self, called: int, called_others: int) -> float:
        """What an attack without power shows where the threshold calls so many cells and the next value so many."""
        passing, level = self.order[:called], self.order[called:called_others]
        own, tie = self.positive[:called], self.positive[called:called_others]
        false, refused, tied = (self._count(cells)[0] for cells in (passing[~own], level[~tie], level[tie]))
        return chance_tpr(false, refused, tied, self.members_by_model, self.others_by_model)

    def auc_spread(self, roc: roc_.Roc, auc: float) -> Spread:
        """Spread of the AUC."""
        influence = influences_on_auc(roc, self.positive, auc)
        if self.groups is None:
            model, example = self._drawn(self.order)
            by_model = np.bincount(model, influence, self.shape[0])
            return crossed_spread(
                by_model, np.bincount(example, influence, self.num_draws), float(influence @ influence)
            )
        by_cell = np.zeros(self.shape)
        by_cell.reshape(-1)[self.order] = influence
        by_cell = by_group(by_cell, self.groups)
        return crossed_spread(by_cell.sum(1), by_cell.sum(0), squares(by_cell, None))


def influences_on_auc(roc: roc_.Roc, positive: Bool[np.ndarray, " scored"], auc: float) -> Float[np.ndarray, " scored"]:
    """Of each scored cell, best score first: a member's is the share of non-members below it, and the other way round.

    Args:
      roc: of the cells.
      positive: which of them are members.
      auc: of the curve.
    """
    beaten_others = 1.0 - (roc.false_positives[1:] + roc.false_positives[:-1]) / (2.0 * roc.num_non_members)
    beaten_by = (roc.true_positives[1:] + roc.true_positives[:-1]) / (2.0 * roc.num_members)
    of_member, of_other = (beaten_others - auc) / roc.num_members, (beaten_by - auc) / roc.num_non_members
    if len(of_member) < len(positive):  # ties share a corner
        group = np.diff(roc.true_positives + roc.false_positives)
        of_member, of_other = np.repeat(of_member, group), np.repeat(of_other, group)
    return np.where(positive, of_member, of_other)


def pooled_figures(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    fprs: Sequence[float],
    groups: Groups = None,
) -> Figures:
    """Figures of the pooled scores with 95 % intervals.

    The intervals let both models and examples, or groups of them, vary. With one model they let examples vary.

    Args:
      scores: higher = more likely a member; NaN cells are left out.
      member: True where the model trained on the example.
      fprs: false-positive rates at which to give the TPR; below 1 / non-members there is a reason instead.
      groups: examples that were drawn together, or None.

    Raises:
      UserError: no member or no non-member has a score.
    """
    roc, order, positive = roc_.ranked_roc(scores, member)
    cells = _Cells(member, ~np.isnan(scores), order, positive, groups)
    fewest = max(1, round(min(roc.num_members, roc.num_non_members) / cells.together))
    auc = roc_.auc(roc)
    best = int(np.argmax(roc.excess))
    called = int(roc.true_positives[best] + roc.false_positives[best])
    advantage = roc_.advantage(roc)
    advantage_spread = cells.rate_spread(int(roc.true_positives[best]), called, called, slope=1.0)
    return Figures(
        auc=Figure(auc, rate_interval(auc, cells.auc_spread(roc, auc), fewest)),
        advantage=Figure(
            advantage,
            advantage_interval(advantage, advantage_spread),
            # Pooled targets share examples, and no closed form is known for their common best threshold.
            chance=_chance_advantage(cells) if len(scores) == 1 else None,
        ),
        absolute_advantage=Estimate(roc_.absolute_advantage(roc)),
        tpr_at_fpr={fpr: _tpr_figure(roc, cells, fpr) for fpr in fprs},
        tpr_at_zero_fp=_tpr_with(roc, cells, 0),
    )


def _chance_advantage(cells: _Cells) -> float:
    return float(chance_advantage(cells.members_by_model, cells.others_by_model)[0])


def _tpr_figure(roc: roc_.Roc, cells: _Cells, fpr: float) -> Estimate:
    allowed = roc_.allowed_false_positives(fpr, roc.num_non_members)
    return _tpr_with(roc, cells, allowed) if allowed else unresolved(fpr, roc.num_non_members)


def _tpr_with(roc: roc_.Roc, cells: _Cells, allowed: int) -> Figure:
    """TPR at the lowest threshold with at most ``allowed`` false positives; threshold and members both wander."""
    corner = roc_.corner_at(roc, allowed)
    tpr = float(roc.tpr[corner])
    window = elasticity_window(allowed, roc.num_non_members)
    around = [roc_.corner_at(roc, count) for count in window]
    low, high = (float(roc.tpr[k]) for k in around)
    exponent = elasticity(low, high, window, 0.5 / roc.num_members)
    beyond = min(corner + 1, len(roc.thresholds) - 1)  # the corner that holds the first non-member too many
    fpr = roc.false_positives[beyond] / roc.num_non_members
    called, called_others, called_around = (
        int(roc.true_positives[k] + roc.false_positives[k]) for k in (corner, beyond, around[1])
    )
    count, count_around = int(roc.true_positives[corner]), int(roc.true_positives[around[1]])
    spread = cells.rate_spread(count, called, called_others, slope=exponent * tpr / fpr)
    variance = spread.variance + (exponent * tpr) ** 2 * threshold_noise(allowed)
    clustered = cells.rate_spread(count_around, called_around, called_around, slope=0.0).variance  # more hits to see it
    # Rows of one group may pass together, whether that was seen or not: independent trials are groups.
    trials = roc.num_members / cells.together
    design = design_effect(high, trials, clustered)
    return Figure(
        tpr,
        few_hits_interval(
            tpr,
            Spread(variance, spread.degrees_of_freedom),
            trials,
            [
                Hits(hits / cells.together, design, exponent**2 * log_fpr_variance(false))
                for hits, false in ((count, allowed), (max(count_around, count), max(window[1], allowed)))
            ],
        ),
        chance=cells.chance_tpr(called, called_others),
    )
