"""The epsilon of a number of private steps. Host code, float64.

Two accountants, whose bounds both hold: privacy loss distributions ("pld", ``loss_distribution.py``) and Renyi
divergences ("rdp", ``renyi.py``). PLD is the tighter one where a grid of bounded size is fine enough; RDP holds for any
delta and any noise. By default the smaller counts, and is named. Neither knows of floating point, tuning or early
stopping.
"""

import contextlib
import dataclasses
import functools
import math
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from miajax.errors import UserError
from miajax.training.dp import loss_distribution, renyi
from miajax.training.dp.loss_distribution import Pair

Sampling = Literal["poisson", "fixed_size"]
Accountant = Literal["smaller", "pld", "rdp"]
ACCOUNTANTS: tuple[Accountant, ...] = ("pld", "rdp")

ADD_OR_REMOVE_ONE, REPLACE_ONE = "add or remove one example", "replace one example"

_NOISE_TOLERANCE = 1e-3
_NEGLIGIBLE = 1e-3  # share of delta that moves epsilon by less than the noise's tolerance
_LEAST_NOISE, _MOST_NOISE = 1e-2, 1e6  # that a budget is met with, and that is accounted for
LEAST_RELEASE_NOISE = 0.1
"""Of one release, whose losses a grid can hold; its epsilon is about 100."""


class Bound(NamedTuple):
    """An upper bound on what steps have spent.

    Attributes:
      epsilon: infinite where the accountant has none.
      accountant: whose it is.
      remark: what somebody who computes it by hand should know, or None.
    """

    epsilon: float
    accountant: str
    remark: str | None = None


@dataclasses.dataclass(frozen=True)
class SampledGaussian:
    """One step as an accountant sees it: a sample of the members, and noise on the sum of their clipped gradients.

    Attributes:
      sampling: ``poisson``: each member by itself with probability ``batch_size / num_members``, of which at most
        ``slots`` are kept, a random subset; ``fixed_size``: exactly ``batch_size`` without replacement.
      num_members: members of a model; the most, where models differ.
      batch_size: expected size of a sample.
      slots: where a larger sample is cut, or None where it never is.
      noise_multiplier: standard deviation of the noise over the clipping norm.
      released: noise multiplier of a Gaussian release from all members, once before the steps, or None.
      ragged: whether models may have fewer members, at the same sampling rate; then bounds hold for all of them.
    """

    sampling: Sampling
    num_members: int
    batch_size: int
    slots: int | None
    noise_multiplier: float
    released: float | None = None
    ragged: bool = False

    @property
    def rate(self) -> float:
        """Probability that a member is sampled; under Poisson sampling what comparing 32 random bits can realise."""
        exact = self.batch_size / self.num_members
        return exact if self.sampling == "fixed_size" else min(1.0, math.ceil(exact * 2**32) / 2**32)

    @property
    def adjacency(self) -> str:
        """Between which data sets the guarantee compares."""
        return REPLACE_ONE if self.sampling == "fixed_size" else ADD_OR_REMOVE_ONE

    @property
    def uncut(self) -> Pair:
        """What a Poisson step compares where its sample is not cut."""
        return Pair(1.0, self.rate, self.noise_multiplier)

    def cut_with(self, examples: int) -> tuple[float, float]:
        """That the other examples fill the slots, and that they do and the differing one is kept all the same.

        Of ragged models no smaller one exceeds these: given that the slots are full, a member is kept with its sampling
        rate at most, however many others there are. At that rate Gaussians two norms apart tell more than those one
        norm apart, so that the bound grows with the chance of full slots, which the largest model has the largest.

        Args:
          examples: of the larger of the two data sets, the differing one among them: one more than there are members
            where one is added, as many where one is removed.
        """
        assert self.slots is not None
        others_fill = special.bdtrc(self.slots - 1, examples - 1, self.rate)
        kept = others_fill * self.rate
        if not self.ragged:
            kept = special.bdtrc(self.slots, examples, self.rate) * self.slots / examples
        return float(others_fill), float(kept)

    def mixtures(self) -> list[tuple[Pair, ...]]:
        """What a Poisson step compares, for adding an example and for removing one.

        Neither covers the other: an example that is added is displaced more often, which hides it where the noise is so
        little that one is recognised wherever it is kept.
        """
        if self.slots is None:
            return [(self.uncut,)]
        found = []
        for more in (1, 0):
            full, kept = self.cut_with(self.num_members + more)
            if kept == 0:
                found.append((self.uncut,))
                continue
            near = dataclasses.replace(self.uncut, weight=1 - full)
            found.append((near, Pair(full, min(1.0, kept / full), self.noise_multiplier / 2)))
        return found

    def chance_of_displacing(self, steps: int) -> float:
        """That an example is ever kept in a sample that is cut; given that it never is, no sample is cut for it."""
        if self.slots is None:
            return 0.0
        kept = max(self.cut_with(self.num_members + more)[1] for more in (0, 1))
        return -math.expm1(steps * math.log1p(-kept))


def has_bound(step: SampledGaussian, accountant: Accountant) -> bool:
    """Whether the accountant has a bound for the step's sampling scheme."""
    return accountant != "pld" or step.sampling == "poisson"


def check_accountant(step: SampledGaussian, accountant: Accountant) -> None:
    """Raises UserError for a sampling scheme that the accountant has no bound for."""
    if not has_bound(step, accountant):
        raise UserError(
            "--dp_accountant pld with --dp_sampling fixed_size",
            expected="--dp_accountant smaller or rdp, or --dp_sampling poisson",
        )


@functools.lru_cache(maxsize=1024)
def spent(step: SampledGaussian, steps: int, delta: float, accountant: Accountant = "smaller") -> Bound:
    """What ``steps`` steps have spent at ``delta``, and by whose account; infinite without noise, 0 for no step.

    A release before the steps is composed with them by the accountant itself: losses are convolved, or divergences
    added at each order, which is tighter than adding two epsilons and two deltas.

    Raises:
      UserError: a sampling scheme that the accountant has no bound for.
    """
    check_accountant(step, accountant)
    if accountant == "smaller":
        bounds = [spent(step, steps, delta, name) for name in ACCOUNTANTS if has_bound(step, name)]
        return min(bounds, key=lambda bound: bound.epsilon)
    if steps == 0:
        alone = 0.0 if step.released is None else gaussian_epsilon(step.released, delta)
        return Bound(alone, accountant)
    if step.noise_multiplier < renyi.LEAST_NOISE:
        return Bound(math.inf, accountant)
    if step.noise_multiplier > _MOST_NOISE:  # float64 overflows in what follows; less noise spends more
        return spent(dataclasses.replace(step, noise_multiplier=_MOST_NOISE), steps, delta, accountant)
    return _by_rdp(step, steps, delta) if accountant == "rdp" else Bound(_by_pld(step, steps, delta), accountant)


def gaussian_delta(noise: float, epsilon: float) -> float:
    """The least delta with which one Gaussian release of a noise multiplier is (epsilon, delta)-private.

    Balle and Wang 2018 (arXiv 1805.06530), theorem 8.
    """
    near, far = 1 / (2 * noise), epsilon * noise
    return float(special.ndtr(near - far) - np.exp(epsilon + special.log_ndtr(-near - far)))


def gaussian_epsilon(noise: float, delta: float) -> float:
    """The least epsilon of one Gaussian release, by `gaussian_delta`."""
    from scipy import optimize

    if gaussian_delta(noise, 0.0) <= delta:
        return 0.0
    most = 1 / (2 * noise**2) + math.sqrt(2 * math.log(1 / delta)) / noise  # by its Renyi divergence
    return float(np.asarray(optimize.brentq(lambda epsilon: gaussian_delta(noise, epsilon) - delta, 0.0, most)))


def gaussian_noise(epsilon: float, delta: float) -> float:
    """The least noise multiplier, to nine digits, of one Gaussian release that is (epsilon, delta)-private."""
    from scipy import optimize

    least, most = math.log(LEAST_RELEASE_NOISE), math.log(_MOST_NOISE)
    excess = lambda log_noise: gaussian_delta(math.exp(log_noise), epsilon) - delta  # noqa: E731
    if excess(least) <= 0:
        return LEAST_RELEASE_NOISE
    if excess(most) > 0:
        raise UserError(f"--dp_statistics_epsilon {epsilon} with delta {delta}", expected="a larger epsilon or delta")
    return math.exp(float(np.asarray(optimize.brentq(excess, least, most, xtol=1e-12))) + 1e-9)


def epsilon(step: SampledGaussian, steps: int, delta: float, accountant: Accountant = "smaller") -> float:
    """The epsilon of ``spent``."""
    return spent(step, steps, delta, accountant).epsilon


def _by_pld(step: SampledGaussian, steps: int, delta: float) -> float:
    mixtures, uncut = step.mixtures(), (step.uncut,)
    bounds, displaced = [], step.chance_of_displacing(steps)
    once = step.released
    fine = loss_distribution.grid_of(uncut, steps, once)
    grids = [loss_distribution.grid_of(pairs, steps, once) for pairs in mixtures]
    coarse = fine is not None and any(grid is None or grid.interval > 1.5 * fine.interval for grid in grids)
    if coarse and displaced < delta:
        # The rare displaced example has losses too large for a grid that is fine enough for the others.
        bounds.append(loss_distribution.epsilon(uncut, steps, delta - displaced, once))
    if not (coarse and displaced < _NEGLIGIBLE * delta):
        bounds.append(max(loss_distribution.epsilon(pairs, steps, delta, once) for pairs in mixtures))
    return min(bounds)


def _by_rdp(step: SampledGaussian, steps: int, delta: float) -> Bound:
    noise, once = step.noise_multiplier, step.released
    if step.sampling == "fixed_size":
        bound, remark = renyi.without_replacement(step.num_members, step.batch_size, noise, steps, delta, once)
        return Bound(bound, "rdp", remark)
    bound, remark = math.inf, None
    if (left := delta - step.chance_of_displacing(steps)) > 0:
        bound, remark = renyi.sampled(step.rate, noise, steps, left, once)
    if step.slots is not None:
        bound = min(bound, max(renyi.mixed(pairs, steps, delta, once) for pairs in step.mixtures()))
    return Bound(bound, "rdp", remark)


def replacing(epsilon: float, delta: float) -> tuple[float, float]:
    """What (epsilon, delta) for adding or removing one example implies for replacing one: removing, then adding.

    The definition applied twice, ``(2 epsilon, (1 + e^epsilon) delta)``; the converse does not hold.
    """
    return 2 * epsilon, min(1.0, delta * (1 + math.exp(min(epsilon, 700.0))))


def calibrated_noise(
    step: SampledGaussian, steps: int, target_epsilon: float, delta: float, accountant: Accountant = "smaller"
) -> float:
    """The smallest noise multiplier, to 0.1 %, with which ``steps`` steps spend at most ``target_epsilon``.

    Args:
      step: the step; its own noise multiplier is ignored.
      steps: how many will run.
      target_epsilon: may be infinite, which needs no noise.
      delta: of the guarantee.
      accountant: whose bound counts.

    Raises:
      UserError: no noise multiplier below a million is enough.
    """
    if math.isinf(target_epsilon):
        return 0.0
    from scipy import optimize

    def excess(log_noise: float) -> float:
        spends = epsilon(dataclasses.replace(step, noise_multiplier=math.exp(log_noise)), steps, delta, accountant)
        return math.log(min(max(spends, 1e-12), 1e12) / target_epsilon)

    if step.released is not None and (alone := gaussian_epsilon(step.released, delta)) >= 0.999999 * target_epsilon:
        raise UserError(
            f"--dp_epsilon {target_epsilon} with statistics that spend {alone:.4g} of it",
            expected="a --dp_statistics_epsilon below the budget, which holds for both together",
        )
    begin = None
    if accountant != "rdp" and has_bound(step, "pld"):
        with contextlib.suppress(UserError):  # where its bound on a release alone is over the budget
            begin = calibrated_noise(step, steps, target_epsilon, delta, "rdp")  # cheap, and not much more than needed
    if begin is None:
        begin = step.rate * math.sqrt(2 * max(steps, 1) * math.log(1.25 / delta)) / target_epsilon
    low = high = math.log(float(np.clip(begin, 0.3, _MOST_NOISE / 2)))
    while excess(high) > 0:
        low, high = high, high + 0.3
        if high > math.log(_MOST_NOISE):
            raise UserError(f"--dp_epsilon {target_epsilon} with delta {delta}", expected="a larger epsilon or delta")
    while high == low or excess(low) <= 0:
        high, low = low, low - 0.3
        if low < math.log(_LEAST_NOISE):
            return _four_digits_up(math.exp(high))
    root = float(np.asarray(optimize.brentq(excess, low, high, xtol=_NOISE_TOLERANCE / 2)))
    while excess(root) > 0:
        root += _NOISE_TOLERANCE / 2
    return _four_digits_up(math.exp(root))


def _four_digits_up(noise: float) -> float:
    """Rounded up, so that machines whose last digits differ agree on a run's noise."""
    unit = 10.0 ** (math.floor(math.log10(noise)) - 3)
    return round(math.ceil(noise / unit) * unit, 12)
