"""The epsilon of a number of private steps, by dp-accounting. Host code, float64.

Two accountants: privacy loss distributions ("pld", tight) and Renyi divergences ("rdp", looser, fast). Both are upper
bounds on the privacy loss of the mechanism as described; neither knows of floating point, tuning or early stopping.
"""

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from miajax.errors import UserError

if TYPE_CHECKING:
    import dp_accounting  # most of a second at run time, spent only where something is private

Sampling = Literal["poisson", "fixed_size"]
Accountant = Literal["pld", "rdp"]

ADD_OR_REMOVE_ONE, REPLACE_ONE = "add or remove one example", "replace one example"

# Losses are rounded up to multiples of this, so the bound stays a bound; 1e-4 lowers epsilon 8 by less than 2e-4.
_LOSS_GRID = 1e-3
_NOISE_TOLERANCE = 1e-3


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
    """

    sampling: Sampling
    num_members: int
    batch_size: int
    slots: int | None
    noise_multiplier: float

    @property
    def rate(self) -> float:
        """Probability that a member is sampled; under Poisson sampling what comparing 32 random bits can realise."""
        exact = self.batch_size / self.num_members
        return exact if self.sampling == "fixed_size" else min(1.0, math.ceil(exact * 2**32) / 2**32)

    @property
    def adjacency(self) -> str:
        """Between which data sets the guarantee compares."""
        return REPLACE_ONE if self.sampling == "fixed_size" else ADD_OR_REMOVE_ONE

    def event(self) -> "dp_accounting.DpEvent":
        """The step for dp-accounting."""
        import dp_accounting

        if self.sampling == "fixed_size":
            # Replacing an example moves the sum by up to twice the clipping norm.
            gaussian = dp_accounting.GaussianDpEvent(self.noise_multiplier / 2)
            return dp_accounting.SampledWithoutReplacementDpEvent(self.num_members, self.batch_size, gaussian)
        if self.slots is None:
            return dp_accounting.PoissonSampledDpEvent(
                self.rate, dp_accounting.GaussianDpEvent(self.noise_multiplier)
            )
        return dp_accounting.dp_event.TruncatedSubsampledGaussianDpEvent(
            self.num_members, self.rate, self.slots, self.noise_multiplier
        )


def has_bound(step: SampledGaussian, accountant: Accountant) -> bool:
    """Whether the accountant has a bound for the step's sampling scheme."""
    return step.slots is None if accountant == "rdp" else step.sampling == "poisson"


def check_accountant(step: SampledGaussian, accountant: Accountant) -> None:
    """Raises UserError for a sampling scheme that the accountant has no bound for."""
    if has_bound(step, accountant):
        return
    if accountant == "rdp":
        raise UserError(
            "--dp_accountant rdp with samples cut at a number of slots",
            expected="--dp_accountant pld, or --dp_overflow microbatch, which never drops a sampled example",
        )
    raise UserError(
        "--dp_accountant pld with --dp_sampling fixed_size",
        expected="--dp_accountant rdp, or --dp_sampling poisson",
    )


@functools.lru_cache(maxsize=256)
def epsilon(step: SampledGaussian, steps: int, delta: float, accountant: Accountant = "pld") -> float:
    """The epsilon that ``steps`` steps have spent at ``delta``; infinite without noise, 0 for no step.

    Raises:
      UserError: a sampling scheme that the accountant has no bound for.
    """
    check_accountant(step, accountant)
    if steps == 0:
        return 0.0
    if step.noise_multiplier == 0:
        return math.inf
    import dp_accounting
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    relation = dp_accounting.NeighboringRelation
    adjacent = relation.REPLACE_ONE if step.sampling == "fixed_size" else relation.ADD_OR_REMOVE_ONE
    if accountant == "rdp":
        ledger = RdpAccountant(neighboring_relation=adjacent)
    else:
        ledger = PLDAccountant(adjacent, _LOSS_GRID)
    return float(ledger.compose(step.event(), steps).get_epsilon(delta))


def replacing(epsilon: float, delta: float) -> tuple[float, float]:
    """What (epsilon, delta) for adding or removing one example implies for replacing one: removing, then adding.

    The definition applied twice, ``(2 epsilon, (1 + e^epsilon) delta)``; the converse does not hold.
    """
    return 2 * epsilon, min(1.0, delta * (1 + math.exp(min(epsilon, 700.0))))


def calibrated_noise(
    step: SampledGaussian, steps: int, target_epsilon: float, delta: float, accountant: Accountant = "pld"
) -> float:
    """The smallest noise multiplier, to 0.1 %, with which ``steps`` steps spend at most ``target_epsilon``.

    Args:
      step: the step; its own noise multiplier is ignored.
      steps: how many will run.
      target_epsilon: may be infinite, which needs no noise.
      delta: of the guarantee.
      accountant: whose bound counts.

    Raises:
      UserError: no noise multiplier below 10,000 is enough.
    """
    if math.isinf(target_epsilon):
        return 0.0
    from scipy import optimize

    def excess(log_noise: float) -> float:
        spent = epsilon(dataclasses.replace(step, noise_multiplier=math.exp(log_noise)), steps, delta, accountant)
        return math.log(min(max(spent, 1e-9), 1e9) / target_epsilon)

    low = high = 0.0
    while excess(high) > 0:
        low, high = high, high + 0.7
        if high > math.log(1e4):
            raise UserError(f"--dp_epsilon {target_epsilon} with delta {delta}", expected="a larger epsilon or delta")
    while high == low or excess(low) <= 0:
        high, low = low, low - 0.7
        if low < math.log(1e-2):
            return _four_digits_up(math.exp(high))
    root = float(np.asarray(optimize.brentq(excess, low, high, xtol=_NOISE_TOLERANCE / 2)))
    while excess(root) > 0:
        root += _NOISE_TOLERANCE / 2
    return _four_digits_up(math.exp(root))


def _four_digits_up(noise: float) -> float:
    """Rounded up, so that machines whose last digits differ agree on a run's noise."""
    unit = 10.0 ** (math.floor(math.log10(noise)) - 3)
    return round(math.ceil(noise / unit) * unit, 12)
