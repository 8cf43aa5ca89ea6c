"""Intervals for figures that rest on every (model, example) cell, where models and examples are both samples.

The M x N scores of a campaign are not M N observations: a model that fits worse shifts all its cells, an outlier is an
outlier in every model. Each figure is therefore linearised (its influence on every cell), summed by model and by
example, and its variance put together from both ways of clustering: the crossed analysis of variance behind the
multiway-robust variance of Cameron, Gelbach and Miller (2011). It needs no resampling, hence no seed.

Simulated coverage of the 95 % intervals (score = member shift + model effect + example effect + noise of 1; 8 models x
600 examples, 32 x 400, 256 x 300; AUC and TPR at FPR 0.001 and 0.01, pooled and per target): .92 to .99 for model
effects up to 0.5 and example effects up to 0.8, no power and uneven models included. The pooled figure of a few models
that differ strongly, or of a few extreme examples at a low FPR, lies above its limit for infinitely many of them; the
interval does not correct that. Against the limit, coverage falls to .85 (AUC, 8 models, model effect 0.75), .83 (TPR
at 0.001, 300 examples, example effect 1.5) and .75 (TPR at 0.01, 8 models, model effect 1.5); against the mean figure
of equally large campaigns it stays at .895 or more.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv, expit, gammaincinv, logit, stdtrit

CONFIDENCE = 0.95


class Spread(NamedTuple):
    """How uncertain a figure is.

    Attributes:
      variance: of the figure, in its own units squared.
      degrees_of_freedom: of the variance itself; few models make it small and the interval wide.
    """

    variance: float
    degrees_of_freedom: float


def crossed_spread(
    model_sums: Float[np.ndarray, " models"], example_sums: Float[np.ndarray, " examples"], cell_squares: float
) -> Spread:
    """Variance of a figure when both models and examples were drawn at random.

    With U and V the influences summed by model and by example and W those of the cells, and with
    A = M/(M-1) sum U^2, B = N/(N-1) sum V^2 and C the part of sum W^2 that neither margin explains, the variance is
    A + B - C, and at least A and B: A and B each hold the cells' own noise once. The degrees of freedom are
    Satterthwaite's. With one model only examples can be resampled, and the variance is B.

    Args:
      model_sums: influence on the figure summed over each model's cells; their sum is 0.
      example_sums: the same by example.
      cell_squares: sum of the cells' squared influences.
    """
    num_models, num_examples = len(model_sums), len(example_sums)
    from_examples, noise_of_examples = _one_way(example_sums)
    if num_models == 1:
        return _spread(from_examples, noise_of_examples)
    from_models, noise_of_models = _one_way(model_sums)
    pairs = (num_models - 1) * max(num_examples - 1, 1)
    explained = float(model_sums @ model_sums) / num_examples + float(example_sums @ example_sums) / num_models
    from_cells = max(cell_squares - explained, 0.0) * num_models * num_examples / pairs
    return _spread(
        max(from_models + from_examples - from_cells, from_models, from_examples),
        noise_of_models + noise_of_examples + 2.0 * from_cells**2 / pairs,
    )


def _one_way(sums: Float[np.ndarray, " clusters"]) -> tuple[float, float]:
    """Variance of a total of independent clusters, and the variance of that estimate.

    The latter follows the fourth moments, and is at least what normal clusters have: a few clusters that carry the
    total leave few degrees of freedom, however many there are.
    """
    freedom = max(len(sums) - 1, 1)
    squares = sums * sums
    total = float(squares.sum())
    noise = max(float(squares @ squares) - total**2 / len(sums), 2.0 * total**2 / freedom)
    return total * len(sums) / freedom, noise * (len(sums) / freedom) ** 2


def _spread(variance: float, noise: float) -> Spread:
    return Spread(variance, 2.0 * variance**2 / noise if noise > 0.0 else np.inf)


def critical_value(degrees_of_freedom: float, confidence: float = CONFIDENCE) -> float:
    """Two-sided Student-t factor."""
    return float(stdtrit(max(degrees_of_freedom, 1.0), (1.0 + confidence) / 2.0))


def rate_interval(rate: float, spread: Spread, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval for a fraction, symmetric on the logit scale, so that it stays within [0, 1].

    At a rate of exactly 0 or 1 the data show no spread; half a success of a binomial stands in for it, and the closed
    end stays at 0 or 1.

    Args:
      rate: the figure, in [0, 1].
      spread: its variance and degrees of freedom.
      trials: units counted in the rate, for that correction.
      confidence: nominal coverage.

    Returns:
      ``(low, high)``.
    """
    inner = min(max(rate, 0.5 / (trials + 1)), 1.0 - 0.5 / (trials + 1))
    variance = spread.variance
    if rate in (0.0, 1.0):
        variance = max(variance, inner * (1.0 - inner) / trials)
    reach = critical_value(spread.degrees_of_freedom, confidence) * math.sqrt(variance) / (inner * (1.0 - inner))
    low, high = (float(expit(float(logit(inner)) + step)) for step in (-reach, reach))
    return 0.0 if rate == 0.0 else min(low, rate), 1.0 if rate == 1.0 else max(high, rate)


_FEW = 15.0  # independent hits; from there on their spread is told well enough by the data


class Hits(NamedTuple):
    """Members that pass a threshold chosen on the same scores, and what makes their number vary.

    Attributes:
      count: how many pass; of a mean over sets or targets, all together.
      design_effect: variance of the count over that of independent members, at least 1: an example that every model
        gives away passes many times.
      threshold_variance: of the log of the expected count, through the threshold's own wandering.
    """

    count: float  # pyright: ignore[reportIncompatibleMethodOverride]  # not the method of tuples
    design_effect: float
    threshold_variance: float


def design_effect(rate: float, trials: float, variance: float) -> float:
    """Variance of a rate over that of independent trials, at least 1; 1 where no rate was seen to vary."""
    independent = rate * (1.0 - rate) / trials
    return max(variance / independent, 1.0) if independent > 0.0 else 1.0


def few_hits_interval(
    rate: float, spread: Spread, trials: float, hits: Sequence[Hits], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """``rate_interval`` whose upper end also holds where few members, or none, pass the threshold.

    A spread estimated from a handful of hits is near 0 where the handful is small by bad luck, so that the interval
    ends too low just when the rate came out too low. The upper end here is at least that of Clopper and Pearson with a
    negative binomial in the binomial's place: hits that come in clusters, at a threshold that wanders. For independent
    scores it is exact. Where the design effect leaves many hits, nothing changes.

    Args:
      rate: the figure, in [0, 1].
      spread: its variance and degrees of freedom.
      trials: members behind the rate.
      hits: those that pass the threshold, then those that pass lower ones: their rate is no smaller, and more false
        positives tell it better.
      confidence: nominal coverage.

    Returns:
      ``(low, high)``.
    """
    low, high = rate_interval(rate, spread, trials, confidence)
    if hits[0].count >= _FEW * hits[0].design_effect:
        return low, high
    most = min(_most_expected(each, (1.0 + confidence) / 2.0) for each in hits)
    return low, min(max(high, most / trials), 1.0)


def _most_expected(hits: Hits, confidence: float) -> float:
    """The largest expected count under which so few hits, or fewer, are seen with probability 1 - confidence."""
    clusters = hits.count / hits.design_effect + 1.0
    if hits.threshold_variance < 1e-6:
        return hits.design_effect * float(gammaincinv(clusters, confidence))
    size = 1.0 / hits.threshold_variance
    share = max(float(betaincinv(size, clusters, 1.0 - confidence)), 1e-300)
    return hits.design_effect * size * (1.0 - share) / share


# The one-sided 97.5 % point of the largest excess of one empirical distribution over another, sqrt(log(40) / 2), over
# that of the excess at one threshold in the middle, 1.96 / 2.
_SEARCH_ALLOWANCE = float(np.sqrt(np.log(40.0) / 2.0) / (1.959963984540054 / 2.0))


def advantage_interval(advantage: float, spread: Spread, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval for the largest TPR - FPR, whose threshold was chosen on the same scores.

    The maximum over thresholds is biased upwards, so the lower end reaches further, as far as a Kolmogorov-Smirnov
    band does; an attack without any power then has 0 in its interval as often as promised. The price is a lower end
    that is conservative where one threshold stands out.

    Args:
      advantage: max(TPR - FPR), in [0, 1].
      spread: of TPR - FPR at the chosen threshold.
      confidence: nominal coverage.

    Returns:
      ``(low, high)``, within [0, 1].
    """
    reach = critical_value(spread.degrees_of_freedom, confidence) * float(np.sqrt(spread.variance))
    return max(0.0, advantage - _SEARCH_ALLOWANCE * reach), min(1.0, advantage + reach)


def clopper_pearson(successes: int, trials: int, confidence: float = CONFIDENCE) -> list[float]:
    """Exact binomial interval (Clopper and Pearson, 1934).

    For independent trials and a threshold fixed before looking at them; not for a threshold chosen on the same
    scores, nor for cells that share models or examples.

    Args:
      successes: 0 to ``trials``.
      trials: at least 1.
      confidence: nominal coverage.

    Returns:
      ``[low, high]``.
    """
    tail = (1.0 - confidence) / 2.0
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1.0 - tail)) if successes < trials else 1.0
    return [low, high]
