"""The privacy loss distribution of private steps, on a grid whose size is known before it is made. Host code, float64.

A step with Poisson samples compares ``P = (1 - q) N(0, s^2) + q N(1, s^2)`` with ``Q = N(0, s^2)`` (Zhu, Dong and Wang
2022). Where samples are cut to ``slots`` places, condition on whether the other members fill them, which is as likely
with and without the differing example. If they do, the places hold a uniform subset of that size, in which the
differing example, where it is kept, displaces another: the same pair at twice the distance. Losses move to a grid as in
Doroshenko et al. 2022 ("connect the dots"), which keeps the mass of P and of Q between two points and only adds to any
delta; dp-accounting composes.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy import special

if TYPE_CHECKING:
    from dp_accounting.pld.pld_pmf import DensePLDPmf

SMALLEST_DELTA = 1e-12
"""Below it rounding of the Fourier transform and the mass cut off by dp-accounting (1e-15) weigh in a delta."""

_MOST_POINTS = 1 << 17  # of one step
_MOST_COMPOSED = 1 << 19  # of all steps; half a second and less than 100 MB
_MOST_LOSS = 600.0  # e to this power is a float64, with room
_COARSEST = 1e-3
_PER_DEVIATION = 16  # points to a standard deviation of the bulk of a step's losses: its variance grows by .07 %
_TAIL = 9.8  # deviations of a Gaussian beyond which lies e^-50
_ORDERS = np.arange(1, 21)  # dp-accounting's, of its Chernoff bound on where the composed losses lie

Losses = Float[np.ndarray, " points"]


@dataclasses.dataclass(frozen=True)
class Pair:
    """One of the pairs that a step is a mixture of.

    Attributes:
      weight: of the pair in the mixture.
      rate: q.
      deviation: s, in units of the distance.
    """

    weight: float
    rate: float
    deviation: float

    def loss(self, x: Losses) -> Losses:
        """``log P / Q``, which increases with x."""
        shift = (2 * x - 1) / (2 * self.deviation**2)
        if self.rate == 1:
            return shift
        with np.errstate(divide="ignore"):
            return np.logaddexp(np.log1p(-self.rate), np.log(self.rate) + shift)

    def where(self, loss: Losses) -> Losses:
        """The x of given losses; minus infinity for losses that none has."""
        if self.rate == 1:
            return loss * self.deviation**2 + 0.5
        above = np.expm1(loss) + self.rate
        with np.errstate(divide="ignore"):
            inverse = np.log(np.maximum(above, 0)) - math.log(self.rate)
        return inverse * self.deviation**2 + 0.5

    def ends(self) -> tuple[float, float]:
        """The losses that all but e^-50 of either distribution lies between."""
        reach = _TAIL * self.deviation
        low, high = self.loss(np.array([-reach, 1 + reach]))
        return float(low), float(high)

    def masses(self, edges: Losses) -> tuple[Float[np.ndarray, " points+1"], Float[np.ndarray, " points+1"]]:
        """P and Q of the cells between edges in x, with those below the first and above the last."""
        ends = np.concatenate([[-np.inf], edges, [np.inf]])
        near, far = _between(ends / self.deviation), _between((ends - 1) / self.deviation)
        return (1 - self.rate) * near + self.rate * far, near


def _between(edges: Losses) -> Float[np.ndarray, " points-1"]:
    """Standard normal mass between neighbouring edges, from the tail that keeps digits."""
    below, above = np.diff(special.ndtr(edges)), -np.diff(special.ndtr(-edges))
    return np.where(edges[:-1] > 0, above, below)


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where the losses of steps are rounded to.

    Attributes:
      interval: h; losses are multiples of it.
      points: of one step.
      composed: of all steps; a tenth more where few points make rounding weigh.
    """

    interval: float
    points: int
    composed: int


def grid_of(pairs: tuple[Pair, ...], steps: int, once: float | None = None) -> Grid | None:
    """The grid for a number of steps; None where losses are too large for one of bounded size.

    It is as fine as the bulk of the losses asks for, whose spread is that of noise multiplier 1 and above: the rare
    large losses of less noise need no finer one. It is coarser where a finer one would not fit. ``once``: noise
    multiplier of a Gaussian release beside the steps, whose losses have to fit as well.
    """
    if 1 / (2 * min(pair.deviation for pair in pairs) ** 2) > _MOST_LOSS:
        return None
    low, high = min(pair.ends()[0] for pair in pairs), max(pair.ends()[1] for pair in pairs)
    if max(high, -low) > _MOST_LOSS:
        return None
    first = pairs[0]
    bulk = first.rate * math.sqrt(math.expm1(1 / max(first.deviation, 1.0) ** 2))
    wanted = min(_COARSEST, bulk / _PER_DEVIATION)
    span, width = high - low, max(_composed_width(pairs, steps, high - low, side) for side in (1, -1))
    released = 0.0 if once is None else _released(once).ends()[1] - _released(once).ends()[0]
    span, width = max(span, released), width + released
    interval = max(wanted, span / (_MOST_POINTS - 4), width / (_MOST_COMPOSED - 4))
    return Grid(interval, math.ceil(span / interval) + 3, math.ceil(width / interval) + 3)


def _composed_width(pairs: tuple[Pair, ...], steps: int, span: float, side: int) -> float:
    """Between the bounds on composed losses by Chernoff's inequality at dp-accounting's orders, by quadrature."""
    losses, weights = [], []
    for pair in pairs:
        x = np.linspace(-_TAIL, _TAIL, 2001) * pair.deviation
        density = np.exp(-((x / pair.deviation) ** 2) / 2)
        density *= pair.weight / density.sum()
        if side > 0:
            losses += [pair.loss(x), pair.loss(x + 1)]
            weights += [(1 - pair.rate) * density, pair.rate * density]
        else:
            losses.append(-pair.loss(x))
            weights.append(density)
    loss, weight = np.concatenate(losses), np.concatenate(weights)
    orders = _ORDERS / span
    room = math.log(2 / 1e-15)
    grows = lambda k: steps * float(np.asarray(special.logsumexp(loss * k, b=weight)))  # noqa: E731
    upper = min((grows(k) + room) / k for k in orders)
    lower = max(-(grows(-k) + room) / k for k in orders)
    return float(min(upper - lower, steps * span))


def discretised(pairs: tuple[Pair, ...], interval: float) -> "tuple[DensePLDPmf, DensePLDPmf]":
    """One step's losses on the grid: of the training with the differing example, and of that without."""
    from dp_accounting.pld.pld_pmf import DensePLDPmf

    low = math.floor(min(pair.ends()[0] for pair in pairs) / interval)
    high = math.ceil(max(pair.ends()[1] for pair in pairs) / interval)
    grid = np.arange(low, high + 1) * interval
    with_it, without = np.zeros(len(grid)), np.zeros(len(grid))
    with_infinite = without_infinite = 0.0
    for pair in pairs:
        p, q = pair.masses(pair.where(grid))
        inner_p, inner_q = p[1:-1], q[1:-1]
        # Both ends of a cell together have its mass under P and, each divided by e^loss, its mass under Q.
        upper = np.clip((inner_p - inner_q * np.exp(grid[:-1])) / -math.expm1(-interval), 0, inner_p)
        ends = np.concatenate([inner_p - upper, [0]]) + np.concatenate([[0], upper])
        with_it += pair.weight * ends
        without += pair.weight * ends * np.exp(-grid)
        with_it[0] += pair.weight * p[0]
        without[-1] += pair.weight * q[-1]
        with_infinite += pair.weight * p[-1]
        without_infinite += pair.weight * q[0]
    return (
        DensePLDPmf(interval, low, with_it, with_infinite, True),
        DensePLDPmf(interval, -high, without[::-1].copy(), without_infinite, True),
    )


def _released(noise: float) -> Pair:
    return Pair(1.0, 1.0, noise)


def epsilon(pairs: tuple[Pair, ...], steps: int, delta: float, once: float | None = None) -> float:
    """What the steps have spent; infinite where no grid of bounded size holds it, or delta is too small for one.

    Args:
      pairs: that a step is a mixture of.
      steps: how many, at least one.
      delta: of the guarantee.
      once: noise multiplier of a Gaussian release beside the steps, or None.
    """
    grid = grid_of(pairs, steps, once) if delta >= SMALLEST_DELTA else None
    if grid is None:
        return math.inf
    sides = [side.self_compose(steps) for side in discretised(pairs, grid.interval)]
    if once is not None:
        released = discretised((_released(once),), grid.interval)
        sides = [side.compose(other) for side, other in zip(sides, released, strict=True)]
    return max(side.get_epsilon_for_delta(delta) for side in sides)
