"""Lower bounds on epsilon from how often an attack was right and wrong. Host code, float64.

If training is (epsilon, delta)-private, no test for a record's presence has TPR > e^epsilon FPR + delta, nor
TNR > e^epsilon FNR + delta (Kairouz, Oh, Viswanath 2015). Rates that reach further refute epsilon. The counts behind
them must be of independent trials under a rule that was fixed before: ``many_models`` makes such counts, one record
over independently trained models; ``pooled_counts`` makes counts that are not, since all records of a model share one
run. docs/methods.md says what is valid under which conditions.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import optimize, special

SIGNIFICANCE = 0.05
_LEAST = 1e-300  # keeps logarithms finite where a rate is at or below delta


class Counts(NamedTuple):
    """What a test called members, at one threshold an entry.

    Attributes:
      true_positives: ``int[K]``, members that it named.
      members: trials with a member.
      false_positives: ``int[K]``, non-members that it named.
      non_members: trials with a non-member.
    """

    true_positives: Int[np.ndarray, " thresholds"]
    members: int
    false_positives: Int[np.ndarray, " thresholds"]
    non_members: int


class ManyModels(NamedTuple):
    """One record tested on many independently trained models.

    Attributes:
      example: the record, chosen on other models.
      threshold: models whose signal exceeds it are said to have trained on the record.
      counts: on the models that were kept for measuring.
    """

    example: int
    threshold: float
    counts: Counts


def lower_rate(
    successes: Int[np.ndarray, "..."] | int, trials: Int[np.ndarray, "..."] | int, significance: float
) -> Float[np.ndarray, "..."]:
    """Clopper and Pearson's lower bound on a rate, wrong with probability ``significance`` at most; 0 for no trial."""
    hits, left = np.asarray(successes, np.float64), np.asarray(trials, np.float64) - successes
    return np.where(hits > 0, special.betaincinv(np.maximum(hits, 1), left + 1, significance), 0.0)


def upper_rate(
    successes: Int[np.ndarray, "..."] | int, trials: Int[np.ndarray, "..."] | int, significance: float
) -> Float[np.ndarray, "..."]:
    """Clopper and Pearson's upper bound on a rate; 1 for no trial."""
    hits, left = np.asarray(successes, np.float64), np.asarray(trials, np.float64) - successes
    return np.where(left > 0, special.betaincinv(hits + 1, np.maximum(left, 1), 1 - significance), 1.0)


def epsilon_from_counts(counts: Counts, delta: float, significance: float = SIGNIFICANCE) -> float:
    """The largest epsilon that the counts refute, over all thresholds and both directions; 0 where they refute none.

    Bonferroni over thresholds: each gets ``significance / K``, half of it for either rate. (Nasr et al. 2021,
    arXiv 2101.04535.) The two directions use the same two rates and cost nothing more.

    Args:
      counts: of independent trials; the thresholds were fixed before.
      delta: of the guarantee.
      significance: probability of a bound above the truth, at most.
    """
    return float(max(0.0, np.max(_log_ratio(*_rates(counts, significance), delta), initial=0.0)))


def gdp_epsilon_from_counts(counts: Counts, delta: float, significance: float = SIGNIFICANCE) -> float:
    """The epsilon at ``delta`` of the largest Gaussian mechanism that the counts refute; 0 where they refute none.

    Holds for mechanisms whose trade-off curve is that of Gaussian differential privacy, which that of many composed
    steps approaches (Dong, Roth, Su 2019, arXiv 1905.02383; Nasr et al. 2023, arXiv 2302.07956):
    mu = Phi^-1(TPR) - Phi^-1(FPR).

    Args:
      counts: as for ``epsilon_from_counts``.
      delta: in (0, 1).
      significance: probability of a bound above the truth, at most.
    """
    tpr, fpr = _rates(counts, significance)
    mu = float(np.max(special.ndtri(tpr) - special.ndtri(fpr), initial=-np.inf))
    return gdp_epsilon(mu, delta) if mu > 0 else 0.0


def perfect(counts: Counts) -> Counts:
    """What the same trials would count if every call were right: the bound of these is the ceiling of the test."""
    shape = np.shape(counts.true_positives)
    return counts._replace(true_positives=np.full(shape, counts.members), false_positives=np.zeros(shape, np.int64))


def gdp_epsilon(mu: float, delta: float) -> float:
    """The epsilon of mu-Gaussian differential privacy at ``delta`` (Dong, Roth, Su 2019, corollary 2.13).

    Args:
      mu: positive.
      delta: in (0, 1).
    """

    def excess(epsilon: float) -> float:
        spent = special.log_ndtr(mu / 2 - epsilon / mu)
        spared = epsilon + special.log_ndtr(-mu / 2 - epsilon / mu)
        return float(spent + np.log1p(-np.exp(min(spared - spent, -1e-16))) - math.log(delta))

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(np.asarray(optimize.brentq(excess, 0.0, high, xtol=1e-9)))


def many_models(
    signal: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    choosing: Bool[np.ndarray, " models"],
    measuring: Bool[np.ndarray, " models"],
    delta: float,
    significance: float = SIGNIFICANCE,
) -> ManyModels:
    """The record and threshold that some models give away most by, measured on other models.

    For a record, models are independent runs of the mechanism and the rule was fixed without the measuring ones: their
    counts are binomial. Where each record is drawn into a model by itself (a Bernoulli split) the two sides differ by
    that record alone, which is what adding or removing one means.

    Args:
      signal: higher = member; what models say of each example, not what an attack makes of other models.
      member: who trained on what.
      choosing, measuring: two sets of models that trained well, without a common one; thresholds lie between the
        signals of two choosing models.
      delta: of the guarantee.
      significance: of the bound that the choice aims at.

    Raises:
      ValueError: the sets overlap, fewer than two models choose, or none is measured.
    """
    if (choosing & measuring).any() or choosing.sum() < 2 or not measuring.any():
        raise ValueError("choosing and measuring take two sets of models, and two models to choose")
    seen, inside = np.asarray(signal[choosing], np.float64), member[choosing]
    order = np.argsort(-seen, 0, kind="stable")
    ranked, called = np.take_along_axis(seen, order, 0), np.take_along_axis(inside, order, 0)
    above, below = ranked[:-1], ranked[1:]
    counts = called[:-1].cumsum(0), inside.sum(0), (~called[:-1]).cumsum(0), (~inside).sum(0)
    tpr = lower_rate(counts[0], counts[1], significance / 2)
    fpr = upper_rate(counts[2], counts[3], significance / 2)
    promise = np.where(above > below, _log_ratio(tpr, fpr, delta), -np.inf)
    place, example = np.unravel_index(int(np.argmax(promise)), promise.shape)
    threshold = float((above[place, example] + below[place, example]) / 2)
    cells = np.asarray(signal[measuring, example], np.float64)[:, None]
    return ManyModels(
        int(example), threshold, pooled_counts(cells, member[measuring, example][:, None], np.array([threshold]))
    )


def counts_at_many_thresholds(
    found: ManyModels,
    signal: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    choosing: Bool[np.ndarray, " models"],
    measuring: Bool[np.ndarray, " models"],
    thresholds: int = 10,
) -> Counts:
    """The chosen record's counts at quantiles of what the choosing models say of it, instead of at one threshold.

    ``epsilon_from_counts`` pays for the number (Bonferroni). That is worth while where few models choose, so that
    their one threshold is a poor guess.

    Args:
      found: by ``many_models``, of the same arguments.
      signal, member, choosing, measuring: as there.
      thresholds: how many.
    """
    levels = (np.arange(thresholds) + 0.5) / thresholds
    places = np.quantile(np.asarray(signal[choosing, found.example], np.float64), levels)
    column = np.s_[measuring, found.example]
    return pooled_counts(np.asarray(signal[column], np.float64)[:, None], member[column][:, None], places)


def pooled_counts(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    thresholds: Float[np.ndarray, " thresholds"],
) -> Counts:
    """Counts over all cells with a score. With more than one example they are not of independent trials: examples of a
    model share its run, and one lucky run fills a row.

    Args:
      scores: higher = member; NaN where there is none.
      member: who trained on what.
      thresholds: fixed without these scores; what exceeds one is named.
    """
    known = ~np.isnan(scores)
    inside, outside = np.sort(scores[known & member]), np.sort(scores[known & ~member])
    named = len(inside) - np.searchsorted(inside, thresholds, side="right")
    falsely = len(outside) - np.searchsorted(outside, thresholds, side="right")
    return Counts(named, len(inside), falsely, len(outside))


def _rates(counts: Counts, significance: float) -> tuple[np.ndarray, np.ndarray]:
    """TPR at least, FPR at most, at every threshold, all of them right with probability 1 - significance."""
    each = significance / (2 * max(1, len(np.atleast_1d(counts.true_positives))))
    return (
        lower_rate(np.atleast_1d(counts.true_positives), counts.members, each),
        upper_rate(np.atleast_1d(counts.false_positives), counts.non_members, each),
    )


def _log_ratio(tpr: np.ndarray, fpr: np.ndarray, delta: float) -> np.ndarray:
    """The epsilon that a TPR of at least and an FPR of at most so much refute; negative where none."""
    named = np.log(np.maximum(tpr - delta, _LEAST)) - np.log(np.maximum(fpr, _LEAST))
    spared = np.log(np.maximum(1 - fpr - delta, _LEAST)) - np.log(np.maximum(1 - tpr, _LEAST))
    return np.maximum(named, spared)
