"""Ranks within each row of a matrix of scores: the ROCs of many targets, or of many examples, at once."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.metrics.ranking import ranked


class RankedRows(NamedTuple):
    """Rows of scores, each in order of its scores, best first; cells without a score come last.

    Attributes:
      order: column of the cell at each rank.
      is_member, is_other: whether the cell at each rank has a score and is a member, or is a non-member.
      true_positives, false_positives: members and non-members among the cells up to and including each rank.
      num_members, num_others: all of them, for each row, as a column.
      group_start, group_end: first rank of the group of equal scores that a rank is in, and the first rank after it;
        a threshold calls whole groups.
    """

    order: Int[np.ndarray, "rows ranks"]
    is_member: Bool[np.ndarray, "rows ranks"]
    is_other: Bool[np.ndarray, "rows ranks"]
    true_positives: Int[np.ndarray, "rows ranks"]
    false_positives: Int[np.ndarray, "rows ranks"]
    num_members: Int[np.ndarray, "rows 1"]
    num_others: Int[np.ndarray, "rows 1"]
    group_start: Int[np.ndarray, "rows ranks"]
    group_end: Int[np.ndarray, "rows ranks"]

    def called(self, allowed: Int[np.ndarray, " rows"]) -> tuple[np.ndarray, np.ndarray]:
        """How many cells of each row the lowest threshold with at most ``allowed`` false positives calls members.

        Returns:
          That number, and the number that the next threshold down would call: one false positive too many.
        """
        row, num_ranks = np.arange(len(self.order)), self.order.shape[1]
        ascending = (self.false_positives + (num_ranks + 1) * row[:, None]).ravel()  # one search for all rows
        sought: np.ndarray = allowed + (num_ranks + 1) * row
        within: np.ndarray = np.searchsorted(ascending, sought, side="right") - num_ranks * row
        beyond = np.minimum(within, num_ranks - 1)
        return np.where(within == num_ranks, within, self.group_start[row, beyond]), self.group_end[row, beyond]

    def tpr(self, called: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Members among the first ``called`` cells, as a fraction of each row's members."""
        return _first(self.true_positives, called) / self.num_members[:, 0]

    def fpr(self, called: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """Non-members among the first ``called`` cells, as a fraction of each row's non-members."""
        return _first(self.false_positives, called) / self.num_others[:, 0]

    def opponents_above(self) -> Float[np.ndarray, "rows ranks"]:
        """For each ranked cell, how many cells of the other side outscore it, equal scores counting one half."""
        above = np.where(self.is_member, self.false_positives, self.true_positives).astype(np.float64)
        row, rank = np.nonzero(self.group_end - self.group_start > 1)
        before, last = self.group_start[row, rank] - 1, self.group_end[row, rank] - 1
        for running, side in ((self.false_positives, self.is_member), (self.true_positives, self.is_other)):
            halfway = 0.5 * (np.where(before < 0, 0, running[row, before]) + running[row, last])
            above[row, rank] = np.where(side[row, rank], halfway, above[row, rank])
        return above

    def auc(self, above: Float[np.ndarray, "rows ranks"]) -> Float[np.ndarray, " rows"]:
        """Each row's AUC.

        Args:
          above: what ``opponents_above`` returned.
        """
        lost = np.where(self.is_member, above, 0.0).sum(axis=1)
        return 1.0 - lost / (self.num_members[:, 0].astype(np.float64) * self.num_others[:, 0])


def _first(running: Int[np.ndarray, "rows ranks"], called: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    return np.where(called > 0, running[np.arange(len(running)), np.maximum(called - 1, 0)], 0)


def rank_rows(scores: Float[np.ndarray, "rows columns"], member: Bool[np.ndarray, "rows columns"]) -> RankedRows:
    """Sorts every row; NaN counts as no score.

    Args:
      scores: higher = more likely a member.
      member: True where the score is that of a member.
    """
    order, is_member, key = ranked(scores, member)
    is_other = np.zeros(scores.shape, bool)  # all that are scored, at first
    np.less(np.arange(scores.shape[1], dtype=np.int32), (~np.isnan(scores)).sum(axis=1)[:, None], out=is_other)
    is_member &= is_other
    is_other &= ~is_member
    true_positives, false_positives = (np.cumsum(side, axis=1, dtype=np.int32) for side in (is_member, is_other))
    counts = np.arange(1, scores.shape[1] + 1, dtype=np.int32)
    last = np.ones(scores.shape, bool)
    np.not_equal(key[:, 1:], key[:, :-1], out=last[:, :-1])
    group_start = np.zeros(scores.shape, np.int32)
    np.maximum.accumulate(np.where(last, counts, 0)[:, :-1], axis=1, out=group_start[:, 1:])
    return RankedRows(
        order,
        is_member,
        is_other,
        true_positives,
        false_positives,
        num_members=true_positives[:, -1:],
        num_others=false_positives[:, -1:],
        group_start=group_start,
        group_end=np.minimum.accumulate(np.where(last, counts, counts[-1])[:, ::-1], axis=1)[:, ::-1],
    )
