"""Lower bounds on epsilon from guesses about many canaries of few training runs. Host code, float64.

Each canary is put into the training set or left out by a fair coin of its own. Somebody who sees the model guesses the
coins of some canaries. If training is (epsilon, delta)-private, every guess is right with probability
``e^epsilon / (1 + e^epsilon)`` at most, whatever the other coins, so that the number of right guesses is hardly larger
than a binomial one, although all canaries share one run (Steinke, Nasr, Jagielski 2023, arXiv 2305.08846). Runs that
are independent of each other add up: together they are one mechanism with the canaries of all of them.

The guesses may use everything but the coins that they are about.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize, special, stats

from miajax.metrics.privacy_bounds import SIGNIFICANCE, gdp_epsilon

_MOST = 64.0  # no epsilon above it is told apart from infinity


class Guesses(NamedTuple):
    """What a guesser reached.

    Attributes:
      correct: right guesses.
      made: guesses; for all other canaries it abstained.
      canaries: coins that were thrown.
    """

    correct: int
    made: int
    canaries: int


def guess(
    scores: Float[np.ndarray, "models canaries"],
    member: Bool[np.ndarray, "models canaries"],
    named_in: float,
    named_out: float,
) -> list[Guesses]:
    """What each model's guesser reaches: its highest scores are called members, its lowest non-members.

    Args:
      scores: higher = member; NaN abstains.
      member: the coins.
      named_in, named_out: shares of a model's canaries that are called members and non-members; fixed beforehand.
    """
    found: list[Guesses] = []
    for row, coins in zip(scores, member, strict=True):
        order = np.argsort(row, kind="stable")
        order = order[: np.count_nonzero(~np.isnan(row))]
        high, low = int(named_in * len(coins)), int(named_out * len(coins))
        high = min(high, len(order))
        low = min(low, len(order) - high)
        correct = coins[order[len(order) - high :]].sum() + (~coins[order[:low]]).sum()
        found.append(Guesses(int(correct), high + low, len(coins)))
    return found


def together(guesses: list[Guesses]) -> Guesses:
    """The guesses about independent runs as one."""
    return Guesses(*(sum(part) for part in zip(*guesses, strict=True)))


def one_run_p_value(guesses: Guesses, epsilon: float, delta: float) -> float:
    """How probable at most so many right guesses are under (epsilon, delta)-differential privacy.

    ``P[W >= v] <= beta + 2 m delta max_i (P[v - i <= W' < v] / i)`` with ``W'`` binomial (Steinke et al. 2023, theorem
    5.2).
    """
    correct, made, canaries = guesses
    right = float(special.expit(epsilon))
    tail = stats.binom.sf(np.arange(correct, -1, -1) - 1, made, right)  # P[W' >= v - i] for i = 0, 1, ..., v
    alpha = np.max((tail[1:] - tail[0]) / np.arange(1, correct + 1), initial=0.0)
    return float(min(1.0, tail[0] + 2 * canaries * delta * alpha))


def one_run_epsilon(guesses: Guesses, delta: float, significance: float = SIGNIFICANCE) -> float:
    """The largest epsilon that the guesses refute; 0 where they refute none.

    Args:
      guesses: with shares to name that were fixed beforehand.
      delta: of the guarantee; below 1 / canaries for a bound worth having.
      significance: probability of a bound above the truth, at most.
    """
    return _largest_refuted(lambda epsilon: one_run_p_value(guesses, epsilon, delta) - significance)


def gdp_one_run_epsilon(guesses: Guesses, delta: float, significance: float = SIGNIFICANCE) -> float:
    """The epsilon at ``delta`` of the largest mu for which mu-Gaussian differential privacy is refuted; 0 for none.

    The test for a trade-off curve f (Mahloujifar, Melis, Chaudhuri 2024, arXiv 2410.22235, algorithm 3), which is
    sharper than that for (epsilon, delta) where the mechanism is Gaussian. It holds for mechanisms whose trade-off
    curve is that of Gaussian differential privacy, which that of many composed steps approaches (Dong et al. 2019).

    Args:
      guesses: with shares to name that were fixed beforehand.
      delta: in (0, 1).
      significance: probability of a bound above the truth, at most.
    """
    mu = _largest_refuted(lambda mu: -_gdp_margin(guesses, mu, significance))
    return gdp_epsilon(mu, delta) if mu > 0 else 0.0


def ceiling(
    canaries: int,
    delta: float,
    significance: float = SIGNIFICANCE,
    bound: Callable[[Guesses, float, float], float] = one_run_epsilon,
) -> float:
    """The largest epsilon that guesses about so many canaries could refute, all of them right, however many are made.

    Args:
      canaries: coins of all runs together.
      delta, significance: of the bound.
      bound: ``one_run_epsilon`` or ``gdp_one_run_epsilon``.
    """
    made = np.unique(np.geomspace(1, max(canaries, 1), 16).astype(int)) if canaries else ()
    return max((bound(Guesses(int(k), int(k), canaries), delta, significance) for k in made), default=0.0)


def _gdp_margin(guesses: Guesses, mu: float, significance: float) -> float:
    """Positive where mu-Gaussian differential privacy is refuted.

    ``right`` and ``wrong`` are the expected shares of canaries guessed right and wrong, in the runs with at least i
    right guesses, that the tail probability forces for i = v, v - 1, ..., 0. Together they can't exceed all guesses.
    """
    correct, made, canaries = guesses
    right, wrong = significance * correct / canaries, significance * (made - correct) / canaries
    for i in range(correct - 1, -1, -1):
        # Guessing right so often needs at least so many wrong guesses: the inverse of 1 - f.
        forced = max(wrong, float(special.ndtr(special.ndtri(min(right, 1.0)) - mu)))
        if forced == wrong:
            break
        right, wrong = right + i / (made - i) * (forced - wrong), forced
    return right + wrong - made / canaries


def _largest_refuted(excess: Callable[[float], float]) -> float:
    """The root of a function that is negative where a claim is refuted; 0 where it is negative nowhere."""
    if excess(0.0) >= 0:
        return 0.0
    high = 1.0
    while excess(high) < 0 and high < _MOST:
        high *= 2
    if high >= _MOST:
        return _MOST
    return float(np.asarray(optimize.brentq(excess, 0.0, high, xtol=1e-6)))


def shares_to_name(
    scores: Float[np.ndarray, "models canaries"],
    member: Bool[np.ndarray, "models canaries"],
    models: int,
    delta: float,
    significance: float = SIGNIFICANCE,
) -> tuple[float, float]:
    """Shares ``(named_in, named_out)`` that promise the largest bound on ``models`` other runs.

    Args:
      scores, member: of runs that the bound will not use.
      models: how many runs it will use; more runs make rarer guesses worth while.
      delta, significance: of the bound.
    """
    best, chosen = -1.0, (0.25, 0.25)
    for share in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5):
        for shares in ((share, 0.0), (0.0, share), (share / 2, share / 2)):
            seen = together(guess(scores, member, *shares))
            if seen.made == 0:
                continue
            made = math.floor(seen.made * models / len(scores))
            expected = Guesses(math.floor(seen.correct * made / seen.made), made, models * scores.shape[1])
            bound = one_run_epsilon(expected, delta, significance)
            if bound > best:
                best, chosen = bound, shares
    return chosen


def likelihood_ratio(
    signal: Float[np.ndarray, "models canaries"],
    references: Float[np.ndarray, "references canaries"],
    reference_member: Bool[np.ndarray, "references canaries"],
) -> Float[np.ndarray, "models canaries"]:
    """``log N(signal; in) - log N(signal; out)`` by models of known coins, higher = member.

    Means are each canary's own, variances one for each side, as LiRA has them for few models (Carlini et al. 2022,
    arXiv 2112.03570). A canary without a reference on either side gets the signal less the mean of what there is, or
    the signal itself.

    Args:
      signal: of the models whose coins are guessed, which the references know nothing of.
      references, reference_member: signals and coins of other models.
    """
    signal, references = np.asarray(signal, np.float64), np.asarray(references, np.float64)
    count = {True: reference_member.sum(0), False: (~reference_member).sum(0)}
    both = (count[True] > 0) & (count[False] > 0)
    density: dict[bool, np.ndarray] = {}
    for side in (True, False):
        here = reference_member == side
        mean = np.where(here, references, 0.0).sum(0) / np.maximum(count[side], 1)
        residual = np.where(here & both, references - mean, 0.0)
        freedom = np.maximum(count[side][both] - 1, 0).sum()
        variance = max((residual**2).sum() / max(freedom, 1), 1e-12)
        density[side] = -0.5 * (np.log(variance) + (signal - mean) ** 2 / variance)
    of_any = references.mean(0) if len(references) else 0.0
    return np.where(both, density[True] - density[False], signal - of_any)
