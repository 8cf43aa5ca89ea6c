"""Privacy loss distributions: dp-accounting's own on the same grid, closed forms, and sizes that are known before."""

import math

import numpy as np
import pytest
from dp_accounting.pld import privacy_loss_distribution as library
from scipy import special

from miajax.training.dp.loss_distribution import Pair, discretised, epsilon, grid_of


@pytest.mark.parametrize(("rate", "noise"), [(0.07, 1.0), (0.3, 0.5), (0.001, 2.0), (1.0, 3.0)])
def test_one_step_is_dp_accountings_on_the_same_grid(rate, noise):
    sides = discretised((Pair(1.0, rate, noise),), 1e-3)
    theirs = library.from_gaussian_mechanism(noise, value_discretization_interval=1e-3, sampling_prob=rate)
    for ours, other in zip(sides, (theirs._pmf_remove, theirs._pmf_add), strict=True):
        for loss in (0.0, 0.01, 0.3, 1.0):
            assert ours.get_delta_for_epsilon(loss) == pytest.approx(other.get_delta_for_epsilon(loss), abs=1e-13)


@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-9, 1e-12])
def test_full_batches_are_the_gaussian_mechanism_in_closed_form(delta):
    steps, noise = 50, 10.0
    spends, mu = epsilon((Pair(1.0, 1.0, noise),), steps, delta), math.sqrt(50) / 10
    exact = special.ndtr(mu / 2 - spends / mu) - math.exp(spends + special.log_ndtr(-mu / 2 - spends / mu))
    assert 0.98 * delta < exact <= delta * (1 + 1e-6)


def test_all_mass_is_kept():
    pairs = (Pair(0.9, 0.07, 1.0), Pair(0.1, 0.06, 0.5))
    for side in discretised(pairs, 1e-5):
        assert side._probs.sum() + side._infinity_mass == pytest.approx(1.0, abs=1e-12)
        assert (side._probs >= 0).all()


@pytest.mark.parametrize("noise", [0.04, 0.05, 0.1, 0.3, 0.7, 1.0, 4.0, 100.0, 1e5])
@pytest.mark.parametrize(("rate", "steps"), [(0.07, 420), (2.56e-4, 117_180), (1.0, 10), (1e-6, 10_000_000)])
def test_the_grid_that_is_planned_bounds_the_grid_that_is_made(rate, steps, noise):
    pairs = (Pair(1.0, rate, noise),)
    grid = grid_of(pairs, steps)
    assert grid is not None
    assert grid.points <= 2**17 and grid.composed <= 2**19
    for side in discretised(pairs, grid.interval):
        assert side.size <= grid.points
        assert side.self_compose(steps).size <= 1.1 * grid.composed + 100


@pytest.mark.parametrize("noise", [1e-8, 0.001, 0.01, 0.03])
def test_losses_too_large_for_a_grid_make_none(noise):
    assert grid_of((Pair(1.0, 0.07, noise),), 420) is None
    assert epsilon((Pair(1.0, 0.07, noise),), 420, 1e-5) == math.inf


@pytest.mark.parametrize(("rate", "noise", "steps"), [(0.07, 1.0, 420), (0.00128, 3.6, 156_200), (0.01, 0.5, 1000)])
def test_a_finer_grid_lowers_epsilon_by_less_than_a_thousandth(rate, noise, steps):
    pairs = (Pair(1.0, rate, noise),)
    grid = grid_of(pairs, steps)
    assert grid is not None
    fine = max(side.self_compose(steps).get_epsilon_for_delta(1e-5) for side in discretised(pairs, grid.interval / 4))
    spends = epsilon(pairs, steps, 1e-5)
    assert fine <= spends * (1 + 1e-9) and spends < fine * 1.001


def test_losses_and_their_places_are_inverse():
    for pair in (Pair(1.0, 0.07, 0.5), Pair(1.0, 1.0, 2.0), Pair(1.0, 1e-6, 1.0)):
        x = np.linspace(-3, 5, 9)
        loss = pair.loss(x)
        assert (np.diff(loss) > 0).all()
        np.testing.assert_allclose(pair.where(loss)[4:], x[4:], atol=1e-6)
