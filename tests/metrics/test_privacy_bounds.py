"""Lower bounds on epsilon: jax-privacy's figures, mechanisms whose epsilon is known, and runs that are not trials."""

import math

import dp_accounting
import numpy as np
import pytest
from jax_privacy import auditing
from scipy import stats

from miajax.metrics.privacy_bounds import (
    Counts,
    epsilon_from_counts,
    gdp_epsilon,
    gdp_epsilon_from_counts,
    lower_rate,
    many_models,
    pooled_counts,
    upper_rate,
)


def counts_at(members, non_members, threshold):
    scores = np.concatenate([members, non_members])[None]
    member = np.r_[np.ones(len(members), bool), np.zeros(len(non_members), bool)][None]
    return pooled_counts(scores, member, np.array([threshold]))


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (1, 1), (0, 1), (500, 1000)])
def test_rate_bounds_are_the_exact_binomial_tails(successes, trials):
    low, high = float(lower_rate(successes, trials, 0.05)), float(upper_rate(successes, trials, 0.05))
    if successes:
        assert stats.binom.sf(successes - 1, trials, low) == pytest.approx(0.05)
    else:
        assert low == 0
    if successes < trials:
        assert stats.binom.cdf(successes, trials, high) == pytest.approx(0.05)
    else:
        assert high == 1


def test_no_trial_bounds_nothing():
    assert (float(lower_rate(0, 0, 0.05)), float(upper_rate(0, 0, 0.05))) == (0, 1)
    assert epsilon_from_counts(Counts(np.array([0]), 0, np.array([0]), 0), 1e-5) == 0


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0, 9.0])
@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.01])
def test_epsilon_at_a_fixed_threshold_is_that_of_jax_privacy(threshold, delta):
    rng = np.random.default_rng(0)
    members, others = np.round(rng.normal(2, 1, 300), 2), np.round(rng.normal(0, 1, 200), 2)
    expected = auditing.CanaryScoreAuditor(members, others).epsilon_clopper_pearson(
        0.05, delta, one_sided=False, threshold_strategy=auditing.Explicit(threshold + 1e-9)
    )
    assert epsilon_from_counts(counts_at(members, others, threshold), delta) == pytest.approx(expected, abs=1e-9)


def test_gaussian_epsilon_is_that_of_the_gaussian_mechanism():
    for mu, delta in [(0.5, 1e-5), (1.0, 1e-5), (2.0, 1e-2), (20.0, 1e-5)]:
        epsilon = gdp_epsilon(mu, delta)
        assert dp_accounting.get_epsilon_gaussian(1 / mu, delta) == pytest.approx(epsilon, abs=1e-6)
    assert gdp_epsilon(0.01, 0.5) == 0


def test_gaussian_bound_stays_below_the_truth_and_comes_near_it():
    rng, truth = np.random.default_rng(1), gdp_epsilon(1.0, 1e-5)
    bounds = [
        gdp_epsilon_from_counts(counts_at(rng.normal(1, 1, 20_000), rng.normal(0, 1, 20_000), 0.5), 1e-5)
        for _ in range(50)
    ]
    assert np.mean(np.array(bounds) > truth) <= 0.1
    assert np.mean(bounds) > 0.9 * truth


def test_bounds_over_several_thresholds_pay_for_them():
    one = Counts(np.array([50]), 100, np.array([5]), 100)
    four = Counts(np.array([50] * 4), 100, np.array([5] * 4), 100)
    assert 0 < epsilon_from_counts(four, 0.0) < epsilon_from_counts(one, 0.0)


def revealing(rng, models, examples, epsilon):
    """Randomised response on every bit of membership, and the membership."""
    member = rng.random((models, examples)) < 0.5
    told = np.where(rng.random(member.shape) < 1 / (1 + math.exp(epsilon)), ~member, member)
    return told + 1e-3 * rng.random(member.shape), member


def halves(models):
    choosing = np.arange(models) % 2 == 0
    return choosing, ~choosing


def test_many_models_refute_less_than_the_truth_and_most_of_it():
    rng, bounds = np.random.default_rng(2), []
    for _ in range(200):
        found = many_models(*revealing(rng, 200, 20, 1.5), *halves(200), 0.0)
        bounds.append(epsilon_from_counts(found.counts, 0.0))
    assert np.mean(np.array(bounds) > 1.5) <= 0.07
    assert np.mean(bounds) > 0.5


def test_the_chosen_record_is_the_one_that_is_given_away():
    rng = np.random.default_rng(3)
    signal, member = revealing(rng, 60, 50, 0.0)
    signal[:, 17] = member[:, 17] + 0.1 * rng.random(60)
    found = many_models(signal, member, *halves(60), 1e-5)
    assert found.example == 17
    assert found.counts.false_positives == 0 and found.counts.true_positives == found.counts.members
    assert epsilon_from_counts(found.counts, 1e-5) > 1.2


def test_pooled_cells_of_runs_that_fail_together_refute_what_is_true():
    """Each run gives everything away with probability .01: (0, .01)-private, and refuted by 1 lucky run of 64."""
    rng, pooled, single = np.random.default_rng(4), [], []
    for _ in range(60):
        member = rng.random((64, 400)) < 0.5
        lucky = rng.random((64, 1)) < 0.01
        signal = np.where(lucky, member, 0) + 1e-6 * rng.random(member.shape)
        pooled.append(epsilon_from_counts(pooled_counts(signal, member, np.array([0.5])), 0.01))
        found = many_models(signal, member, *halves(64), 0.01)
        single.append(epsilon_from_counts(found.counts, 0.01))
    assert np.mean(np.array(pooled) > 0) > 0.2, "independent trials would make it .05 at most"
    assert np.mean(np.array(single) > 0) <= 0.05


def test_sets_of_models_that_overlap_are_refused():
    signal, member = revealing(np.random.default_rng(5), 8, 3, 1.0)
    with pytest.raises(ValueError, match="two sets"):
        many_models(signal, member, np.ones(8, bool), np.ones(8, bool), 1e-5)
    with pytest.raises(ValueError, match="two models to choose"):
        many_models(signal, member, np.arange(8) == 0, np.arange(8) > 0, 1e-5)


def test_scores_that_are_missing_are_no_trials():
    counts = pooled_counts(np.array([[1.0, np.nan, 0.0]]), np.array([[True, True, False]]), np.array([0.5]))
    assert counts.members == 1 and counts.non_members == 1
