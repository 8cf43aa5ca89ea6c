"""How well a number known of each example foretells another: rank correlation, and finding the examples at the top.

Examples carry weights, so that a bootstrap over examples is one pass: a resample is a row of counts. Ties count half in
ranks and in areas; at the edge of the top they share the places that are left.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Figure
from miajax.metrics.intervals import Spread, critical_value, rate_interval


class Association(NamedTuple):
    """Figures of every resample.

    Attributes:
      spearman: rank correlation, -1 to 1; NaN where either side does not vary.
      precision: share of the examples at the metric's top that are at the outcome's top.
      auc: area under the ROC of the metric for telling the outcome's top from the others.
    """

    spearman: Float[np.ndarray, " resamples"]
    precision: Float[np.ndarray, " resamples"]
    auc: Float[np.ndarray, " resamples"]


@dataclasses.dataclass(frozen=True, eq=False)
class Ranked:
    """Values of the examples with all that follows from them and the weights alone.

    Attributes:
      values: ``[N]``, finite.
      weights: ``[R, N]``, one row a resample; non-negative.
      top: share of the weight that counts as the top, in (0, 1).
    """

    values: Float[np.ndarray, " examples"]
    weights: Float[np.ndarray, "resamples examples"]
    top: float

    @functools.cached_property
    def group(self) -> Int[np.ndarray, " examples"]:
        """Of each example, the place of its value among the distinct ones, the largest first."""
        return rankdata(-self.values, method="dense").astype(np.int64) - 1

    def sums(self, per_example: Float[np.ndarray, "resamples examples"]) -> Float[np.ndarray, "resamples groups"]:
        """Sums over the examples of each distinct value."""
        order = np.argsort(self.group, kind="stable")
        starts = np.flatnonzero(np.diff(self.group[order], prepend=-1))
        return np.add.reduceat(per_example[:, order], starts, axis=1)

    @functools.cached_property
    def _group_weights(self) -> tuple[np.ndarray, np.ndarray]:
        weights = self.sums(self.weights)
        return weights, np.cumsum(weights, axis=1)

    @functools.cached_property
    def centred_rank(self) -> Float[np.ndarray, "resamples examples"]:
        """Mid-ranks from the top, less their weighted mean."""
        weights, ahead = self._group_weights
        return (ahead - 0.5 * weights - 0.5 * ahead[:, -1:])[:, self.group]

    @functools.cached_property
    def at_top(self) -> Float[np.ndarray, "resamples examples"]:
        """Of each example, the share of it that is at the top."""
        weights, ahead = self._group_weights
        room = self.top * ahead[:, -1:] - (ahead - weights)
        share = np.where(weights > 0, room / np.where(weights > 0, weights, 1.0), 0.0)
        return np.clip(share, 0.0, 1.0)[:, self.group]


def association(metric: Ranked, outcome: Ranked) -> Association:
    """Figures of how well ``metric`` foretells ``outcome``, which were ranked under the same weights."""
    weights = metric.weights
    x, y = metric.centred_rank, outcome.centred_rank
    products = ((weights * a * b).sum(1) for a, b in ((x, y), (x, x), (y, y)))
    shared, own, other = products
    scale = np.sqrt(own * other)
    spearman = np.where(scale > 0, shared / np.where(scale > 0, scale, 1.0), np.nan)
    positive = weights * outcome.at_top
    total = positive.sum(1)
    precision = (positive * metric.at_top).sum(1) / total
    hits, others = metric.sums(positive), metric.sums(weights - positive)
    below = others.sum(1, keepdims=True) - np.cumsum(others, axis=1)
    auc = (hits * (below + 0.5 * others)).sum(1) / (total * others.sum(1))
    return Association(spearman, precision, auc)


def resamples(
    num_examples: int, number: int, seed: int, groups: Groups = None
) -> Float[np.ndarray, "resamples examples"]:
    """Bootstrap counts: how often each example, or its whole group, is drawn in each of ``number`` resamples."""
    rng = np.random.default_rng([0x6173736F, seed])
    draws = num_examples if groups is None else int(groups.max()) + 1
    counts = rng.multinomial(draws, np.full(draws, 1.0 / draws), size=number)
    return (counts if groups is None else counts[:, groups]).astype(np.float32)  # counts are small: exact


def crossed(of_resamples: Float[np.ndarray, " resamples"], without: Float[np.ndarray, " groups"]) -> Spread:
    """Spread of a figure for which examples and models are both samples.

    The variance over resamples of examples and the delete-a-group jackknife variance over models are added: each holds
    noise that the other holds too, so that the sum is somewhat too large rather than too small.

    Args:
      of_resamples: the figure of each resample of examples.
      without: the figure without each group of models; groups of about equal size.
    """
    examples, models = float(np.var(of_resamples, ddof=1)), 0.0
    count = len(without)
    if count > 1:
        models = (count - 1) / count * float(((without - without.mean()) ** 2).sum())
    noise = examples**2 / (len(of_resamples) - 1) + (models**2 / (count - 1) if count > 1 else 0.0)
    total = examples + models
    return Spread(total, total**2 / noise if noise > 0 else np.inf)


def correlation_figure(value: float, spread: Spread) -> Figure:
    """A correlation with its 95 % interval, symmetric after Fisher's transformation."""
    inner = float(np.clip(value, -0.999999, 0.999999))
    reach = critical_value(spread.degrees_of_freedom) * np.sqrt(spread.variance) / (1.0 - inner**2)
    return Figure(value, (float(np.tanh(np.arctanh(inner) - reach)), float(np.tanh(np.arctanh(inner) + reach))))


def share_figure(value: float, spread: Spread, trials: int) -> Figure:
    """A share or an area with its 95 % interval; ``trials`` are the examples at the top."""
    return Figure(value, rate_interval(value, spread, trials))


def difference_figure(value: float, spread: Spread) -> Figure:
    """A difference with its 95 % interval."""
    reach = critical_value(spread.degrees_of_freedom) * float(np.sqrt(spread.variance))
    return Figure(value, (value - reach, value + reach))
