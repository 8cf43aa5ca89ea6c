"""Who is most exposed: records chosen on half of the models, and measured on the others, which the choice never saw.

The largest of thousands of noisy figures is large by luck alone. Models of even place therefore choose the records, and
for each of them the threshold on its signal; models of odd place are counted. One model is one trial: given who is in
which model, models train independently, so that the counts are binomial and Clopper and Pearson's intervals exact.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from miajax.metrics.figures import Interval
from miajax.metrics.intervals import CONFIDENCE, clopper_pearson

FEWEST = 2  # models on each side of each half, below which a record is not looked at


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shares:
    """How often one record, or one person, is named by models trained with and without it.

    Attributes:
      named_in, num_in: models trained with it that name it, and all of them.
      named_out, num_out: the same of models trained without it.
      named_in_ci, named_out_ci: intervals of the two shares, which hold for all that are listed at once.
    """

    named_in: int
    num_in: int
    named_out: int
    num_out: int
    named_in_ci: Interval
    named_out_ci: Interval

    @property
    def more_often(self) -> bool:
        """Whether it was named in a larger share of the models with it than of those without, measurably or not."""
        return self.named_in * self.num_out > self.named_out * self.num_in

    @property
    def above_chance(self) -> bool:
        """Whether it is named more often with than without, whatever the two true shares in their intervals."""
        return self.named_in_ci[0] > self.named_out_ci[1]


def shares_of(named_in: int, num_in: int, named_out: int, num_out: int, confidence: float) -> Shares:
    """Counts with the intervals of Clopper and Pearson."""
    low_in, high_in = clopper_pearson(named_in, num_in, confidence)
    low_out, high_out = clopper_pearson(named_out, num_out, confidence)
    return Shares(
        named_in=named_in, num_in=num_in, named_out=named_out, num_out=num_out,
        named_in_ci=(low_in, high_in), named_out_ci=(low_out, high_out),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exposed(Shares):
    """One record, by the models that did not choose it.

    Attributes:
      record: its number in the pool.
      threshold: the signal from which on a model's answer counts as "trained on it"; models of even place set it.
    """

    record: int
    threshold: float


def most_exposed(
    signals: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    count: int = 10,
) -> list[Exposed]:
    """The records that even models tell best from their absence, as the odd models show them.

    Args:
      signals: of each model on each record, higher = more likely trained on it; NaN is left out.
      member: True where the model trained on the record.
      valid: False for models to leave out.
      count: records to choose.

    Returns:
      The records, the one that even models tell best first; none where no record has ``FEWEST`` models on both sides
      of both halves. Intervals are at 1 - .05 / (2 k) for the two rates of k records (Bonferroni).
    """
    even = valid & (np.cumsum(valid) % 2 == 1)
    halves = [(np.asarray(signals[half], np.float64), member[half]) for half in (even, valid & ~even)]
    known = np.ones(signals.shape[1], bool)
    for own, inside in halves:
        there = ~np.isnan(own)
        known &= ((there & inside).sum(0) >= FEWEST) & ((there & ~inside).sum(0) >= FEWEST)
    (chosen_by, inside), (measured, measured_inside) = halves
    apart = np.where(known, _distance(chosen_by, inside), -np.inf)
    order = np.argsort(-apart, kind="stable")[: min(count, int(known.sum()))]
    confidence = 1 - (1 - CONFIDENCE) / max(1, 2 * len(order))
    found: list[Exposed] = []
    for record in order:
        threshold = _threshold(chosen_by[:, record], inside[:, record])
        there = ~np.isnan(measured[:, record])
        named, of = measured[:, record] >= threshold, measured_inside[:, record]
        counts = [(int((named & side & there).sum()), int((side & there).sum())) for side in (of, ~of)]
        (hits, num_in), (false, num_out) = counts
        counted = shares_of(hits, num_in, false, num_out, confidence)
        found.append(Exposed(record=int(record), threshold=threshold, **vars(counted)))
    return found


def _distance(signals: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Difference of the sides' means over their spread, of each record; infinities count as the largest finite signal.

    The median spread of all records is added to each one's own (Tusher, Tibshirani, Chu 2001): of few models some show
    none by chance, and would be chosen for it.
    """
    finite = np.abs(signals[np.isfinite(signals)])
    signals = np.clip(signals / (finite.max(initial=0.0) or 1.0), -1.0, 1.0)  # squares of huge ones would overflow
    means: list[np.ndarray] = []
    variances: list[np.ndarray] = []
    for side in (inside, ~inside):
        cells = side & ~np.isnan(signals)
        number = np.maximum(cells.sum(0), 1)
        mean = np.where(cells, signals, 0.0).sum(0) / number
        means.append(mean)
        variances.append(np.where(cells, (signals - mean) ** 2, 0.0).sum(0) / number)
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    return (means[0] - means[1]) / (spread + float(np.median(spread)) + 1e-12)


def _threshold(signals: np.ndarray, inside: np.ndarray) -> float:
    """The cut with the largest TPR - FPR on these models, halfway to the next lower answer.

    Of equals, the one furthest from its two neighbours.
    """
    there = ~np.isnan(signals)
    values = np.unique(signals[there])
    ones, others = signals[there & inside], signals[there & ~inside]
    gain = np.array([(ones >= value).mean() - (others >= value).mean() for value in values])
    below = np.concatenate([[values[0]], values[:-1]])
    with np.errstate(invalid="ignore"):  # infinities have no halfway
        width, middle = values - below, below + (values - below) / 2
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    widest = best[int(np.argmax(np.nan_to_num(width[best], nan=0.0)))]
    return float(middle[widest]) if np.isfinite(middle[widest]) else float(values[widest])
