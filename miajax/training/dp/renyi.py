"""The Renyi divergence of private steps, by dp-accounting and, for samples that are cut, by the same sums. float64."""

import contextlib
import logging
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy import special

from miajax.training.dp.loss_distribution import Pair

_ORDERS = (*range(2, 64), 128, 256, 512, 1024)
LEAST_NOISE = 1e-8  # noise multiplier below which its inverse square leaves too few digits


def sampled(rate: float, noise: float, steps: int, delta: float, once: float | None = None) -> tuple[float, str | None]:
    """Epsilon of Poisson samples that are never cut, with a remark; Mironov, Talwar and Zhang 2019.

    ``once``, here and below: noise multiplier of a Gaussian release beside the steps.
    """
    import dp_accounting

    event = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise))
    return _by_library(event, dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, steps, delta, once)


def without_replacement(
    num_members: int, batch_size: int, noise: float, steps: int, delta: float, once: float | None = None
) -> tuple[float, str | None]:
    """Epsilon of batches of one size, for replacing an example, with a remark; Wang, Balle and Kasiviswanathan 2019."""
    import dp_accounting

    # Replacing an example moves the sum by up to twice the clipping norm.
    gaussian = dp_accounting.GaussianDpEvent(noise / 2)
    event = dp_accounting.SampledWithoutReplacementDpEvent(num_members, batch_size, gaussian)
    return _by_library(event, dp_accounting.NeighboringRelation.REPLACE_ONE, steps, delta, once)


def mixed(pairs: tuple[Pair, ...], steps: int, delta: float, once: float | None = None) -> float:
    """Epsilon of steps that are a mixture of pairs; their divergences are larger in the direction that is summed."""
    from dp_accounting.rdp.rdp_privacy_accountant import compute_epsilon

    if min(pair.deviation for pair in pairs) < LEAST_NOISE:
        return math.inf
    orders = np.array(_ORDERS, np.float64)
    logs = [math.log(pair.weight) + _log_moments(pair) for pair in pairs if pair.weight > 0]
    divergence = np.maximum(np.asarray(special.logsumexp(logs, axis=0)), 0) / (orders - 1)
    released = 0.0 if once is None else orders / (2 * once**2)
    spent, _ = compute_epsilon(list(orders), list(steps * divergence + released), delta)
    return float(spent)


def _log_moments(pair: Pair) -> Float[np.ndarray, " orders"]:
    """``log E_Q (P / Q)^a`` at the integer orders a: a binomial sum (Mironov et al. 2019, section 3.3)."""
    rate, noise = pair.rate, pair.deviation
    moments = []
    for order in _ORDERS:
        i = np.arange(order + 1, dtype=np.float64)
        terms = -special.betaln(order - i + 1, i + 1) - math.log(order + 1) + (i * i - i) / (2 * noise**2)
        terms += special.xlogy(i, rate) + special.xlog1py(order - i, -rate)
        moments.append(special.logsumexp(terms))
    return np.array(moments)


def _by_library(event, relation, steps: int, delta: float, once: float | None) -> tuple[float, str | None]:
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    with _heard() as messages:
        accountant = RdpAccountant(neighboring_relation=relation).compose(event, steps)
        if once is not None:
            accountant.compose(dp_accounting.GaussianDpEvent(once))
        spent = float(accountant.get_epsilon(delta))
    if not messages:
        return spent, None
    return spent, (
        f"RDP left out {len(messages)} of its orders, whose sums did not converge; the others bound epsilon as well."
    )


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """What dp-accounting says through absl's logger, instead of a line on standard error for each."""
    messages: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        messages.append(record.getMessage())
        return False

    logger = logging.getLogger("absl")
    logger.filters.insert(0, keep)  # before ``warned``'s, which would make a warning of each
    try:
        yield messages
    finally:
        logger.removeFilter(keep)
