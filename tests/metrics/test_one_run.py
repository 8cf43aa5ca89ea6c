"""One-run bounds: their slow twin, jax-privacy's, their coverage, and what they see."""

import math

import numpy as np
import pytest
from jax_privacy import auditing
from scipy import stats

from miajax.metrics.one_run import (
    Guesses,
    ceiling,
    gdp_one_run_epsilon,
    guess,
    likelihood_ratio,
    one_run_epsilon,
    one_run_p_value,
    shares_to_name,
    together,
)
from miajax.metrics.privacy_bounds import gdp_epsilon


def slow_p_value(correct, made, canaries, epsilon, delta):
    """Theorem 5.2 by sums over the binomial's probabilities."""
    right = 1 / (1 + math.exp(-epsilon))
    pmf = [math.comb(made, k) * right**k * (1 - right) ** (made - k) for k in range(made + 1)]
    beta, alpha = sum(pmf[correct:]), 0.0
    for i in range(1, correct + 1):
        alpha = max(alpha, sum(pmf[correct - i : correct]) / i)
    return min(1.0, beta + 2 * canaries * delta * alpha)


@pytest.mark.parametrize("correct", [0, 1, 20, 37, 40])
@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
def test_p_value_equals_its_slow_twin(correct, delta):
    for epsilon in (0.0, 0.5, 3.0):
        ours = one_run_p_value(Guesses(correct, 40, 100), epsilon, delta)
        np.testing.assert_allclose(ours, slow_p_value(correct, 40, 100, epsilon, delta), rtol=1e-9)


def test_bounds_are_those_of_jax_privacy():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(2.0, 1, 500), rng.normal(0, 1, 500)
    theirs = auditing.CanaryScoreAuditor(inside, outside)
    threshold = 1.7
    at = auditing.Explicit(threshold)
    correct = int((inside >= threshold).sum())
    found = Guesses(correct, correct + int((outside >= threshold).sum()), 1000)
    for delta in (1e-5, 1e-3):
        ours = one_run_epsilon(found, delta), gdp_one_run_epsilon(found, delta)
        expected = theirs.epsilon_one_run(0.05, delta, threshold_strategy=at)
        of_gdp = theirs.epsilon_one_run_fdp(0.05, delta, threshold_strategy=at)
        np.testing.assert_allclose(ours, (expected, of_gdp), rtol=1e-3)


def test_perfect_guesses_bound_epsilon_by_their_number_and_chance_bounds_nothing():
    for made in (10, 100, 1000):
        right = 0.05 ** (1 / made)
        expected = math.log(right / (1 - right))
        np.testing.assert_allclose(one_run_epsilon(Guesses(made, made, made), 0.0), expected, rtol=1e-4)
    chance = Guesses(50, 100, 100)
    assert one_run_epsilon(chance, 1e-5) == gdp_one_run_epsilon(chance, 1e-5) == 0.0
    assert one_run_epsilon(Guesses(0, 0, 100), 1e-5) == gdp_one_run_epsilon(Guesses(0, 0, 100), 1e-5) == 0.0


def test_bounds_exceed_the_truth_as_rarely_as_promised():
    """Randomised response of epsilon 1 for each canary: the sharpest mechanism there is."""
    rng = np.random.default_rng(1)
    member = rng.random((400, 200)) < 0.5
    honest = rng.random(member.shape) < math.e / (1 + math.e)
    scores = np.where(member == honest, 1.0, -1.0) + 1e-3 * rng.normal(size=member.shape)
    bounds = [one_run_epsilon(g, 0.0) for g in guess(scores, member, 0.3, 0.3)]
    wrong = np.mean(np.array(bounds) > 1.0)
    assert wrong < 0.05 + 3 * np.sqrt(0.05 / 400)
    assert np.median(bounds) > 0.4


def test_gaussian_bounds_exceed_the_truth_as_rarely_as_promised_and_are_sharper():
    rng = np.random.default_rng(2)
    mu, delta = 1.0, 1e-5
    member = rng.random((200, 1000)) < 0.5
    scores = mu * member + rng.normal(size=member.shape)
    guesses = guess(scores, member, 0.1, 0.1)
    gaussian = np.array([gdp_one_run_epsilon(g, delta) for g in guesses])
    assert np.mean(gaussian > gdp_epsilon(mu, delta)) < 0.05 + 3 * np.sqrt(0.05 / 200)
    assert np.median(gaussian) > 1.5 * np.median([one_run_epsilon(g, delta) for g in guesses])


def test_a_score_that_is_missing_is_no_guess_and_guesses_never_overlap():
    scores, member = np.array([[np.nan, 1.0, 2.0, 3.0]]), np.array([[True, False, True, True]])
    assert guess(scores, member, 0.5, 0.5) == [Guesses(3, 3, 4)]
    assert guess(scores, member, 0.25, 0.0) == [Guesses(1, 1, 4)]
    assert together([Guesses(1, 2, 3), Guesses(4, 5, 6)]) == Guesses(5, 7, 9)


def test_the_likelihood_ratio_is_that_of_normal_distributions_and_needs_references_on_both_sides():
    rng = np.random.default_rng(3)
    member = rng.random((200, 50)) < 0.5
    level = rng.normal(0, 5, 50)
    signal = level + 2.0 * member + rng.normal(size=member.shape)
    scores = likelihood_ratio(signal[100:], signal[:100], member[:100])
    exact = stats.norm.logpdf(signal[100:], level + 2.0) - stats.norm.logpdf(signal[100:], level)
    assert np.corrcoef(scores.ravel(), exact.ravel())[0, 1] > 0.98
    np.testing.assert_array_equal(likelihood_ratio(signal, signal[:0], member[:0]), signal)
    one_sided = likelihood_ratio(signal[100:], signal[:2], np.ones((2, 50), bool))
    np.testing.assert_allclose(one_sided, signal[100:] - signal[:2].mean(0))


def test_rarer_guesses_pay_for_more_runs():
    rng = np.random.default_rng(4)
    member = rng.random((20, 200)) < 0.5
    scores = 3.0 * member + rng.normal(size=member.shape)
    few, many = (sum(shares_to_name(scores, member, models, 1e-6)) for models in (1, 200))
    assert many < few


def test_the_ceiling_is_what_guesses_that_are_all_right_refute():
    for canaries in (1, 30, 300):
        top = ceiling(canaries, 0.0)
        assert top == pytest.approx(one_run_epsilon(Guesses(canaries, canaries, canaries), 0.0))
        assert top <= ceiling(2 * canaries, 0.0)
    assert ceiling(0, 1e-5) == 0.0
    assert ceiling(300, 1e-5) < ceiling(300, 0.0)
