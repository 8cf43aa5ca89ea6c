"""Epsilon: dp-accounting called directly, published values, and what has no bound."""

import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from miajax.errors import UserError
from miajax.training.dp.accounting import SampledGaussian, calibrated_noise, epsilon

DIGITS = SampledGaussian("poisson", 898, 64, 112, 1.0)


@pytest.mark.parametrize(
    ("examples", "batch", "epochs", "noise", "published"),
    [
        (60_000, 256, 60, 1.12, 2.92),  # tensorflow/privacy tutorials/README.md
        (60_000, 256, 30, 0.6, 9.74),
        (60_000, 256, 10, 1.2, 1.20),
        (60_000, 256, 45, 0.7, 7.10),  # pytorch/opacus examples/mnist_README.md
        (60_000, 256, 60, 1.1, 3.01),
        (60_000, 256, 15, 1.3, 1.19),
    ],
)
def test_published_epsilons_of_mnist_follow_by_the_conversion_of_their_time(examples, batch, epochs, noise, published):
    steps = epochs * examples // batch
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
    ledger = RdpAccountant(orders)
    ledger.compose(SampledGaussian("poisson", examples, batch, None, noise).event(), steps)
    classic = min(np.asarray(ledger._rdp) + math.log(1e5) / (np.asarray(ledger._orders) - 1))
    assert classic == pytest.approx(published, rel=0.004)
    tighter = epsilon(SampledGaussian("poisson", examples, batch, None, noise), steps, 1e-5, "rdp")
    assert 0.75 * published < tighter < classic


def test_epsilon_is_dp_accountings_for_each_scheme():
    truncated = dp_accounting.dp_event.TruncatedSubsampledGaussianDpEvent(898, DIGITS.rate, 112, 1.0)
    direct = PLDAccountant(value_discretization_interval=1e-3).compose(truncated, 420).get_epsilon(1e-5)
    assert epsilon(DIGITS, 420, 1e-5) == pytest.approx(direct, rel=1e-9)

    poisson = SampledGaussian("poisson", 898, 64, None, 1.0)
    event = dp_accounting.PoissonSampledDpEvent(poisson.rate, dp_accounting.GaussianDpEvent(1.0))
    assert epsilon(poisson, 420, 1e-5, "rdp") == pytest.approx(RdpAccountant().compose(event, 420).get_epsilon(1e-5))

    fixed = SampledGaussian("fixed_size", 898, 64, None, 4.0)
    event = dp_accounting.SampledWithoutReplacementDpEvent(898, 64, dp_accounting.GaussianDpEvent(2.0))
    replace = dp_accounting.NeighboringRelation.REPLACE_ONE
    direct = RdpAccountant(neighboring_relation=replace).compose(event, 420).get_epsilon(1e-5)
    assert epsilon(fixed, 420, 1e-5, "rdp") == pytest.approx(direct)


def test_one_full_batch_step_is_the_gaussian_mechanism():
    full = SampledGaussian("poisson", 100, 100, None, 2.0)
    mu = 1 / 2.0  # delta(eps) of a Gaussian mechanism in closed form (Balle and Wang 2018)
    spent = epsilon(full, 1, 1e-5)
    phi = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))  # noqa: E731
    delta = phi(-spent / mu + mu / 2) - math.exp(spent) * phi(-spent / mu - mu / 2)
    assert delta == pytest.approx(1e-5, rel=0.02)


def test_one_full_batch_of_fixed_size_is_the_gaussian_mechanism_of_twice_the_norm():
    full = SampledGaussian("fixed_size", 100, 100, None, 4.0)
    # Renyi divergence of order a between Gaussians 2 C apart with deviation 4 C, to epsilon as dp-accounting does it.
    orders = np.array(RdpAccountant()._orders)
    divergence = orders * (2.0 / 4.0) ** 2 / 2
    converted = divergence + np.log1p(-1 / orders) - np.log(1e-5 * orders) / (orders - 1)
    assert epsilon(full, 1, 1e-5, "rdp") == pytest.approx(converted.min(), rel=1e-6)


def test_default_slots_cost_no_epsilon_and_mean_slots_triple_it():
    exact = SampledGaussian("poisson", 898, 64, None, 1.0)
    assert epsilon(DIGITS, 420, 1e-5) == pytest.approx(epsilon(exact, 420, 1e-5), abs=1e-3)
    assert epsilon(SampledGaussian("poisson", 898, 64, 64, 1.0), 420, 1e-5) > 3 * epsilon(exact, 420, 1e-5)


def test_no_noise_is_infinite_and_no_step_is_nothing():
    assert epsilon(SampledGaussian("poisson", 898, 64, 112, 0.0), 420, 1e-5) == math.inf
    assert epsilon(DIGITS, 0, 1e-5) == 0.0


def test_calibrated_noise_meets_its_budget_without_waste():
    for target in (1.0, 8.0):
        noise = calibrated_noise(DIGITS, 420, target, 1e-5)
        spent = epsilon(SampledGaussian("poisson", 898, 64, 112, noise), 420, 1e-5)
        assert 0.99 * target < spent <= target
    assert calibrated_noise(DIGITS, 420, math.inf, 1e-5) == 0.0


def test_schemes_without_a_bound_are_refused():
    with pytest.raises(UserError, match="--dp_accountant rdp"):
        epsilon(DIGITS, 10, 1e-5, "rdp")
    with pytest.raises(UserError, match="--dp_accountant pld"):
        epsilon(SampledGaussian("fixed_size", 898, 64, None, 1.0), 10, 1e-5, "pld")


@pytest.mark.parametrize(("members", "batch"), [(898, 64), (3, 1), (7, 7)])
def test_the_accounted_rate_is_what_the_sampler_can_realise(members, batch):
    rate = SampledGaussian("poisson", members, batch, None, 1.0).rate
    assert batch / members <= rate <= batch / members + 2**-32
    assert rate * 2**32 == int(rate * 2**32)
