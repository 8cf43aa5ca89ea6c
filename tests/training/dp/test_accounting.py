"""Epsilon: dp-accounting called directly, published values, the smaller of two bounds, and any noise and delta."""

import dataclasses
import itertools
import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from miajax.errors import UserError
from miajax.training.dp import loss_distribution
from miajax.training.dp.accounting import ACCOUNTANTS, SampledGaussian, calibrated_noise, epsilon, has_bound, spent

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
    rate = SampledGaussian("poisson", examples, batch, None, noise).rate
    ledger.compose(dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise)), steps)
    classic = min(np.asarray(ledger._rdp) + math.log(1e5) / (np.asarray(ledger._orders) - 1))
    assert classic == pytest.approx(published, rel=0.004)
    tighter = epsilon(SampledGaussian("poisson", examples, batch, None, noise), steps, 1e-5, "rdp")
    assert 0.75 * published < tighter < classic


def test_epsilon_is_dp_accountings_for_each_scheme():
    poisson = SampledGaussian("poisson", 898, 64, None, 1.0)
    event = dp_accounting.PoissonSampledDpEvent(poisson.rate, dp_accounting.GaussianDpEvent(1.0))
    assert epsilon(poisson, 420, 1e-5, "rdp") == pytest.approx(RdpAccountant().compose(event, 420).get_epsilon(1e-5))
    direct = PLDAccountant(value_discretization_interval=1e-3).compose(event, 420).get_epsilon(1e-5)
    assert epsilon(poisson, 420, 1e-5, "pld") == pytest.approx(direct, rel=1e-7)

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


@pytest.mark.parametrize("noise", [1.0, 4.0])
@pytest.mark.parametrize("slots", [64, 80, 112])
def test_cut_samples_spend_no_more_than_dp_accountings_looser_pair_with_the_added_example_counted(slots, noise):
    step = SampledGaussian("poisson", 898, 64, slots, noise)
    cut = dp_accounting.dp_event.TruncatedSubsampledGaussianDpEvent
    looser = [
        PLDAccountant(value_discretization_interval=1e-3).compose(cut(size, step.rate, slots, noise), 420)
        for size in (898, 899)
    ]
    spends = epsilon(step, 420, 1e-5, "pld")
    assert spends <= looser[1].get_epsilon(1e-5)
    assert spends > epsilon(SampledGaussian("poisson", 898, 64, None, noise), 420, 1e-5, "pld") - 1e-6
    # Without the example that is added, samples are cut less often.
    assert looser[0].get_epsilon(1e-5) < looser[1].get_epsilon(1e-5)
    with_it, without = (SampledGaussian("poisson", 898, 64, slots, noise).cut_with(size) for size in (899, 898))
    assert with_it[0] > without[0] and with_it[1] > 0


def test_the_probabilities_of_a_cut_are_those_of_binomial_samples():
    full, kept = SampledGaussian("poisson", 20, 10, 12, 1.0).cut_with(21)
    others, rate = np.arange(21), 0.5
    chance = np.array([math.comb(20, k) * rate**k * (1 - rate) ** (20 - k) for k in others])
    assert full == pytest.approx(chance[others >= 12].sum())
    assert kept == pytest.approx((chance * rate * 12 / (others + 1))[others >= 12].sum())


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_a_real_cut_step_is_within_its_bound_in_both_directions(slots, noise):
    """Five members at rate .4, each clipped to 1 or -1 on a line, and one more; every sample enumerated."""
    step, rng = SampledGaussian("poisson", 5, 2, slots, noise), np.random.default_rng(slots)
    x = np.linspace(-6 - 8 * noise, 6 + 8 * noise, 3001)
    for members in ([-1.0] * 5, list(rng.uniform(-1, 1, 5))):
        p, q = (cut_density(x, values, step.rate, slots, noise) for values in ([*members, 1.0], members))
        for spends in (0.05, 0.5, 2.0):
            delta = max(np.maximum(a - math.exp(spends) * b, 0).sum() for a, b in ((p, q), (q, p))) * (x[1] - x[0])
            if delta > 1e-9:
                assert epsilon(step, 1, delta * (1 + 1e-6), "pld") >= spends - 1e-3
                assert epsilon(step, 1, delta * (1 + 1e-6), "rdp") >= spends - 1e-6


def test_removing_an_example_can_spend_more_than_adding_one_and_both_count():
    step = SampledGaussian("poisson", 3, 1, 3, 0.343)
    adding, removing = (loss_distribution.epsilon(pairs, 1, 0.28365) for pairs in step.mixtures())
    assert removing > adding + 1e-3
    assert epsilon(step, 1, 0.28365, "pld") == removing


def test_a_smaller_model_can_spend_more_than_the_largest_and_ragged_models_are_accounted_for_it():
    """Two members, whose samples never outgrow the slots, beside four; every sample enumerated."""
    largest, noise = SampledGaussian("poisson", 4, 1, 3, 0.2), 0.2
    x = np.linspace(-6, 6, 6001)
    p, q = (cut_density(x, values, largest.rate, 3, noise) for values in ([0.0, 0.0, 1.0], [0.0, 0.0]))
    spends = 0.18
    delta = max(np.maximum(a - math.exp(spends) * b, 0).sum() for a, b in ((p, q), (q, p))) * (x[1] - x[0])
    assert epsilon(largest, 1, delta, "pld") < spends - 0.1
    of_all = dataclasses.replace(largest, ragged=True)
    assert spends - 1e-3 <= epsilon(of_all, 1, delta, "pld") < spends + 0.1


@pytest.mark.parametrize("seed", range(4))
def test_no_smaller_model_breaks_the_bound_of_ragged_models(seed):
    """One to five members at the sampling rate of a largest model; every sample enumerated."""
    rng = np.random.default_rng(seed)
    most, noise = int(rng.integers(3, 6)), float(np.exp(rng.uniform(np.log(0.3), np.log(2))))
    batch = int(rng.integers(1, most))
    slots = int(rng.integers(batch, most))
    step = SampledGaussian("poisson", most, batch, slots, noise, ragged=True)
    x = np.linspace(-most - 1 - 9 * noise, most + 1 + 9 * noise, 4001)
    for size in range(1, most + 1):
        members = [-1.0] * size if seed % 2 else list(rng.choice([-1.0, 1.0, 0.3], size))
        p, q = (cut_density(x, values, step.rate, slots, noise) for values in ([*members, 1.0], members))
        for spends in (0.05, 0.5, 2.0):
            delta = max(np.maximum(a - math.exp(spends) * b, 0).sum() for a, b in ((p, q), (q, p))) * (x[1] - x[0])
            if delta > 1e-9:
                assert epsilon(step, 1, delta * (1 + 1e-6), "rdp") >= spends - 1e-6
                assert epsilon(step, 1, delta * (1 + 1e-6), "pld") >= spends - 1e-3


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_ragged_models_with_room_for_their_samples_spend_what_models_of_one_size_do(noise):
    one_size = SampledGaussian("poisson", 898, 64, 112, noise)
    ragged = dataclasses.replace(one_size, ragged=True)
    for accountant in ACCOUNTANTS:
        alike = epsilon(one_size, 420, 1e-5, accountant)
        assert alike <= epsilon(ragged, 420, 1e-5, accountant) * (1 + 1e-9)
        assert epsilon(ragged, 420, 1e-5, accountant) == pytest.approx(alike, rel=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_no_small_set_of_members_breaks_the_bound_of_cut_steps_by_adding_or_removing_one(seed):
    """Up to five members, any slots, rate and noise; the differing example as far from the others as it gets."""
    rng = np.random.default_rng(seed)
    size, noise = int(rng.integers(2, 6)), float(np.exp(rng.uniform(np.log(0.3), np.log(4))))
    batch, slots = int(rng.integers(1, size + 1)), int(rng.integers(1, size))
    step = SampledGaussian("poisson", size, batch, slots, noise)
    reach = size + 1 + 9 * noise
    x = np.linspace(-reach, reach, 6001)
    for others in (size, size - 1):  # one is added to the members; or one of them removed
        members = [-1.0] * others if seed % 2 else list(rng.choice([-1.0, 1.0, 0.3], others))
        p, q = (cut_density(x, values, step.rate, slots, noise) for values in ([*members, 1.0], members))
        assert p.sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-9)
        for spends in (0.01, 0.1, 0.5, 1.0, 3.0):
            delta = max(np.maximum(a - math.exp(spends) * b, 0).sum() for a, b in ((p, q), (q, p))) * (x[1] - x[0])
            if delta > 1e-9:
                assert epsilon(step, 1, delta * (1 + 1e-6), "pld") >= spends - 1e-3
                assert epsilon(step, 1, delta * (1 + 1e-6), "rdp") >= spends - 1e-6


def cut_density(x, values, rate, slots, noise):
    """Density of the noisy sum of a Poisson sample of which a random ``slots`` are kept."""
    density = np.zeros(len(x))
    for size in range(len(values) + 1):
        for sample in itertools.combinations(values, size):
            kept = list(itertools.combinations(sample, min(size, slots)))
            chance = rate**size * (1 - rate) ** (len(values) - size) / len(kept)
            for subset in kept:
                density += chance * np.exp(-(((x - sum(subset)) / noise) ** 2) / 2)
    return density / (noise * math.sqrt(2 * math.pi))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "batch", "steps", "delta", "target", "noise", "renyi", "grid"),
    [  # noise by dp-accounting's PLD on a fine grid, and by its RDP
        (50_000, 64, 156_200, 1e-5, 0.5, 3.631, 3.949, 1e-5),
        (1_000_000, 256, 117_180, 1e-7, 0.5, 1.030, 1.361, 5e-5),
        (898, 128, 700, 1e-5, 0.01, 919.6, 1059.0, 2e-6),
    ],
)
def test_many_steps_or_small_budgets_need_the_noise_of_a_fine_grid(
    members, batch, steps, delta, target, noise, renyi, grid
):
    step = SampledGaussian("poisson", members, batch, None, 1.0)
    found = calibrated_noise(step, steps, target, delta)
    assert found == pytest.approx(noise, rel=2e-3)
    assert calibrated_noise(step, steps, target, delta, "rdp") == pytest.approx(renyi, rel=2e-3)
    event = dp_accounting.PoissonSampledDpEvent(step.rate, dp_accounting.GaussianDpEvent(found))
    fine = PLDAccountant(value_discretization_interval=grid).compose(event, steps).get_epsilon(delta)
    assert 0.995 * target < fine < 1.002 * target
    event = dp_accounting.PoissonSampledDpEvent(step.rate, dp_accounting.GaussianDpEvent(renyi))
    assert RdpAccountant().compose(event, steps).get_epsilon(delta) == pytest.approx(target, rel=0.015)


def test_the_smaller_bound_counts_and_is_named():
    for step, delta, name in [
        (DIGITS, 1e-5, "pld"),
        (DIGITS, 1e-16, "rdp"),
        (dataclasses.replace(DIGITS, noise_multiplier=0.01), 1e-5, "rdp"),
        (SampledGaussian("fixed_size", 898, 64, None, 4.0), 1e-5, "rdp"),
    ]:
        bound = spent(step, 420, delta)
        assert bound.accountant == name
        by = [epsilon(step, 420, delta, one) for one in ACCOUNTANTS if has_bound(step, one)]
        assert bound.epsilon == min(by) < math.inf


@pytest.mark.parametrize("delta", [1e-13, 1e-15, 1e-16, 1e-30, 1e-300])
def test_a_delta_too_small_for_a_grid_has_the_epsilon_of_renyi_divergences(delta):
    exact = SampledGaussian("poisson", 898, 64, None, 2.0)
    event = dp_accounting.PoissonSampledDpEvent(exact.rate, dp_accounting.GaussianDpEvent(2.0))
    assert epsilon(exact, 420, delta, "pld") == math.inf
    assert epsilon(exact, 420, delta) == pytest.approx(RdpAccountant().compose(event, 420).get_epsilon(delta))
    assert epsilon(dataclasses.replace(exact, slots=112), 420, delta) < math.inf


def test_any_noise_has_a_bound_that_falls_with_it():
    for slots in (None, 64, 112):
        step = SampledGaussian("poisson", 898, 64, slots, 1.0)
        found = [
            epsilon(dataclasses.replace(step, noise_multiplier=noise), 420, 1e-5)
            for noise in (1e-300, 1e-3, 0.01, 0.03, 0.05, 0.1, 0.3, 1.0, 10.0, 1e3, 1e7, 1e300)
        ]
        assert found[0] == math.inf and all(math.isfinite(one) for one in found[1:])
        assert all(a >= b for a, b in itertools.pairwise(found)) and found[-1] < 1e-4


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
    with pytest.raises(UserError, match="--dp_accountant pld"):
        epsilon(SampledGaussian("fixed_size", 898, 64, None, 1.0), 10, 1e-5, "pld")


@pytest.mark.parametrize(("members", "batch"), [(898, 64), (3, 1), (7, 7)])
def test_the_accounted_rate_is_what_the_sampler_can_realise(members, batch):
    rate = SampledGaussian("poisson", members, batch, None, 1.0).rate
    assert batch / members <= rate <= batch / members + 2**-32
    assert rate * 2**32 == int(rate * 2**32)
