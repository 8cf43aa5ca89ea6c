"""Figures of each target model alone, and their mean over targets with an interval."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.errors import UserError
from miajax.metrics.clusters import Groups, by_group, rows_a_draw, squares
from miajax.metrics.figures import Estimate, Figure, Figures, unresolved
from miajax.metrics.intervals import (
    Hits,
    Spread,
    critical_value,
    crossed_spread,
    design_effect,
    few_hits_interval,
    rate_interval,
)
from miajax.metrics.pooled import (
    chance_advantage,
    elasticity,
    elasticity_window,
    log_fpr_variance,
)
from miajax.metrics.roc import allowed_false_positives
from miajax.metrics.rows import rank_rows

_BLOCK_CELLS = 1 << 21  # targets are ranked in blocks of about so many cells, which bounds the memory
_ZERO = 0.0  # stands for "no false positive at all" beside the false-positive rates asked for


class _Part(NamedTuple):
    """A figure of each target in a block, and the influence of each example on their sum.

    Attributes:
      values: the figure of each target.
      by_example: influence of each example, summed over the block's targets.
      cell_squares: sum of the squared influences of single cells.
    """

    values: Float[np.ndarray, " targets"]
    by_example: Float[np.ndarray, " examples"]
    cell_squares: float


class _Rates(NamedTuple):
    """TPR and FPR of the targets in a block at a number of false positives, and what tells the slope between them.

    Attributes:
      tpr: at that number of false positives.
      fpr: at the next threshold down, which lets one false positive too many in.
      low_tpr, high_tpr: TPR of each target at the two ends of the window that the slope is taken over.
    """

    tpr: _Part
    fpr: _Part
    low_tpr: Float[np.ndarray, " targets"]
    high_tpr: Float[np.ndarray, " targets"]


class _Block:
    """Some targets' scores, ranked, and the influence of their cells on their figures.

    Raises:
      UserError: a target has no member or no non-member with a score.
    """

    def __init__(
        self,
        scores: Float[np.ndarray, "targets examples"],
        member: Bool[np.ndarray, "targets examples"],
        groups: Groups = None,
    ):
        self.ranked, self.groups = rank_rows(scores, member), groups
        if min(self.ranked.num_members.min(), self.ranked.num_others.min()) == 0:
            raise UserError("a target has no member or no non-member with a score", expected="at least one of each")
        scored = ~np.isnan(scores)
        self.member_cells = (member & scored).astype(np.float64)
        self.other_cells = (~member & scored).astype(np.float64)

    def tpr(self, called: Int[np.ndarray, " targets"]) -> _Part:
        """Members among the first ``called`` cells, as a fraction of each target's members."""
        ranked = self.ranked
        return self._rate(ranked.tpr(called), called, ranked.is_member, ranked.num_members[:, 0], self.member_cells)

    def fpr(self, called: Int[np.ndarray, " targets"]) -> _Part:
        """Non-members among the first ``called`` cells, as a fraction of each target's non-members."""
        ranked = self.ranked
        return self._rate(ranked.fpr(called), called, ranked.is_other, ranked.num_others[:, 0], self.other_cells)

    def _rate(
        self,
        rates: Float[np.ndarray, " targets"],
        called: Int[np.ndarray, " targets"],
        side: Bool[np.ndarray, "targets ranks"],
        sizes: Int[np.ndarray, " targets"],
        cells: Float[np.ndarray, "targets examples"],
    ) -> _Part:
        width = max(int(called.max()), 1)  # at a low FPR only a few cells of each target are called
        target, rank = np.divmod(np.flatnonzero(side[:, :width] & (np.arange(width) < called[:, None])), width)
        example = self.ranked.order[target, rank]
        if self.groups is not None:
            cell = np.zeros(side.shape)
            cell[target, example] = 1.0
            cell = by_group((cell - rates[:, None] * cells) / sizes[:, None], self.groups)
            return _Part(rates, cell.sum(0), squares(cell, None))
        hits = np.bincount(example, weights=(1.0 / sizes)[target], minlength=side.shape[1])
        return _Part(rates, hits - (rates / sizes) @ cells, float((rates * (1.0 - rates) / sizes).sum()))

    def auc(self) -> _Part:
        """A member's influence on the AUC is the share of non-members below it, and the other way round."""
        ranked = self.ranked
        above = ranked.opponents_above()
        values = ranked.auc(above)[:, None]
        of_member = (1.0 - above / ranked.num_others - values) / ranked.num_members
        of_other = (above / ranked.num_members - values) / ranked.num_others
        influence = np.where(ranked.is_member, of_member, np.where(ranked.is_other, of_other, 0.0))
        if self.groups is not None:
            cell = np.zeros(influence.shape)
            np.put_along_axis(cell, ranked.order, influence, 1)
            cell = by_group(cell, self.groups)
            return _Part(values[:, 0], cell.sum(0), squares(cell, None))
        by_example = np.bincount(ranked.order.ravel(), weights=influence.ravel(), minlength=above.shape[1])
        return _Part(values[:, 0], by_example, float(np.vdot(influence, influence)))

    def advantages(self) -> tuple[_Part, Float[np.ndarray, " targets"]]:
        """Each target's largest TPR - FPR, where the ROC has slope 1, and its largest |TPR - FPR|."""
        ranked = self.ranked
        gap = ranked.true_positives / ranked.num_members - ranked.false_positives / ranked.num_others
        gap[ranked.group_end != np.arange(1, gap.shape[1] + 1)] = 0.0
        best = gap.argmax(axis=1)
        values = np.take_along_axis(gap, best[:, None], axis=1)[:, 0]
        called = np.where(values > 0.0, best + 1, 0)
        tpr, fpr = self.tpr(called), self.fpr(called)
        part = _Part(values, tpr.by_example - fpr.by_example, tpr.cell_squares + fpr.cell_squares)
        return part, np.maximum(values, -gap.min(axis=1))


def per_target_figures(
    scores: Float[np.ndarray, "targets examples"],
    member: Bool[np.ndarray, "targets examples"],
    fprs: Sequence[float],
    groups: Groups = None,
) -> Figures:
    """Means over targets of each target's own figures, with 95 % intervals.

    The variance of a mean is that between targets, which holds the models' effects and every cell's own noise, plus
    what the examples add that all targets share. The interval is for the figure that a target with as many examples
    shows on average: a maximum over thresholds (the advantage) or TPR at a handful of false positives differs from
    its limit for ever more examples. So does chance, which each figure carries: (j + 1) / (m + 1) for the TPR with j
    false positives among m non-members, and the mean of the largest excess of one empirical distribution over another
    for the advantage.

    Args:
      scores: higher = more likely a member; NaN cells are left out.
      member: True where the target trained on the example.
      fprs: false-positive rates at which to give the TPR; a reason instead where below 1 / (non-members of any
        target).
      groups: examples that were drawn together, or None.

    Raises:
      UserError: a target has no member or no non-member with a score.
    """
    num_others = np.count_nonzero(~member & ~np.isnan(scores), axis=1)
    allowed = {fpr: np.array([allowed_false_positives(fpr, int(count)) for count in num_others]) for fpr in fprs}
    resolved = {fpr: counts for fpr, counts in allowed.items() if counts.min() > 0}
    resolved[_ZERO] = np.zeros_like(num_others)
    areas: list[_Part] = []
    advantages: list[_Part] = []
    absolute: list[np.ndarray] = []
    rates: dict[float, list[_Rates]] = {fpr: [] for fpr in resolved}
    windows = {fpr: elasticity_window(int(counts.min()), int(num_others.min())) for fpr, counts in resolved.items()}
    height = max(1, _BLOCK_CELLS // scores.shape[1])
    for start in range(0, len(scores), height):
        rows = slice(start, start + height)
        block = _Block(scores[rows], member[rows], groups)
        areas.append(block.auc())
        signed, unsigned = block.advantages()
        advantages.append(signed)
        absolute.append(unsigned)
        for fpr, counts in resolved.items():
            rates[fpr].append(_rates(block, counts[rows], windows[fpr]))

    member_counts = np.count_nonzero(member & ~np.isnan(scores), axis=1)
    num_members = int(member_counts.sum())
    together = rows_a_draw(groups)
    fewest = max(1, round(min(num_members, int(num_others.sum())) / together))
    auc, auc_spread = _mean(areas)
    advantage, advantage_spread = _mean(advantages)
    reach = critical_value(advantage_spread.degrees_of_freedom) * float(np.sqrt(advantage_spread.variance))
    tprs = {
        fpr: _tpr_figure(found, windows[fpr], num_members / together, resolved[fpr], num_others)
        for fpr, found in rates.items()
    }
    return Figures(
        auc=Figure(auc, rate_interval(auc, auc_spread, fewest)),
        advantage=Figure(
            advantage,
            (max(0.0, advantage - reach), min(1.0, advantage + reach)),
            chance=float(chance_advantage(member_counts, num_others).mean()),
        ),
        absolute_advantage=Estimate(float(np.concatenate(absolute).mean())),
        tpr_at_fpr={fpr: tprs.get(fpr) or unresolved(fpr, int(num_others.min())) for fpr in fprs},
        tpr_at_zero_fp=tprs[_ZERO],
    )


def _rates(block: _Block, allowed: Int[np.ndarray, " targets"], window: tuple[int, int]) -> _Rates:
    called, called_beyond = block.ranked.called(allowed)
    low, high = (block.ranked.tpr(block.ranked.called(np.full_like(allowed, count))[0]) for count in window)
    return _Rates(block.tpr(called), block.fpr(called_beyond), low, high)


def _mean(parts: Sequence[_Part]) -> tuple[float, Spread]:
    """Mean of a figure over all targets, and its spread."""
    values = np.concatenate([part.values for part in parts])
    mean = float(values.mean())
    by_example = np.sum([part.by_example for part in parts], axis=0) / len(values)
    squares = sum(part.cell_squares for part in parts) / len(values) ** 2
    return mean, crossed_spread((values - mean) / len(values), by_example, squares)


def _tpr_figure(
    rates: Sequence[_Rates],
    window: tuple[int, int],
    trials: float,
    allowed: Int[np.ndarray, " targets"],
    num_others: Int[np.ndarray, " targets"],
) -> Figure:
    """Mean TPR at a number of false positives, letting each target's threshold wander along the mean ROC."""
    tpr, fpr, low, high = (
        float(np.concatenate(values).mean())
        for values in zip(*((r.tpr.values, r.fpr.values, r.low_tpr, r.high_tpr) for r in rates), strict=True)
    )
    exponent = elasticity(low, high, window, 0.5 / trials)
    slope = exponent * tpr / fpr
    joined = [
        _Part(
            r.tpr.values,
            r.tpr.by_example - slope * r.fpr.by_example,
            r.tpr.cell_squares + slope**2 * r.fpr.cell_squares,
        )
        for r in rates
    ]
    design = design_effect(tpr, trials, _mean([r.tpr for r in rates])[1].variance)
    wandering = exponent**2 * log_fpr_variance(int(allowed.min())) / len(allowed)
    hits = Hits(tpr * trials, design, wandering)
    interval = few_hits_interval(tpr, _mean(joined)[1], trials, [hits])
    return Figure(tpr, interval, chance=float(((allowed + 1) / (num_others + 1)).mean()))
