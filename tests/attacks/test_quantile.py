"""Quantile regression: its losses, and that nobody is judged by a network that saw them."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from miajax.attacks.options import QuantileOptions
from miajax.attacks.quantile import gaussian_loss, pinball_loss, quantile_scores
from miajax.data.splits import membership

OPTIONS = QuantileOptions(hidden=16, steps=300)


def _sample(gap, models=4, examples=800, seed=0):
    """Margins whose mean and spread follow from the features; members lie ``gap`` deviations higher."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(examples, 2)).astype(np.float32)
    member = membership(seed, examples, models)
    spread = np.exp(0.5 * features[:, 1])
    margins = 5 * features[:, 0] + spread * (rng.normal(size=member.shape) + gap * member)
    return margins.astype(np.float32), features, member


def test_gaussian_loss_is_least_at_mean_and_deviation():
    values = np.random.default_rng(0).normal(3.0, 2.0, 5000)

    def loss(mean, deviation):
        prediction = np.broadcast_to([mean, np.log(deviation)], (5000, 2))
        return float(gaussian_loss(prediction, values).mean())

    best = loss(values.mean(), values.std())
    log_density = stats.norm(values.mean(), values.std()).logpdf(values).mean()
    np.testing.assert_allclose(best, -log_density - 0.5 * np.log(2 * np.pi), rtol=1e-4)
    assert best < min(loss(3.2, 2.0), loss(2.8, 2.0), loss(3.0, 1.8), loss(3.0, 2.2))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_pinball_loss_is_least_at_the_quantile(level):
    values = np.random.default_rng(1).exponential(size=4001)
    guesses = np.linspace(0, 4, 401)
    losses = [float(pinball_loss(np.full((4001, 1), g), values, level).mean()) for g in guesses]
    assert abs(guesses[np.argmin(losses)] - np.quantile(values, level)) < 0.02


@pytest.mark.parametrize("target", ["gaussian", "pinball"])
def test_expected_margins_expose_members_that_one_threshold_for_all_cannot(target):
    margins, features, member = _sample(gap=2.0)
    scores = quantile_scores(margins, features, member, dataclasses.replace(OPTIONS, target=target))
    assert roc_auc_score(member.ravel(), margins.ravel()) < 0.65
    assert roc_auc_score(member.ravel(), scores.ravel()) > 0.8


def test_non_members_are_not_expected_better_than_members():
    """A network that saw the pool's non-members would know their margins by heart."""
    margins, _, member = _sample(gap=0.0, examples=300)
    many_features = np.random.default_rng(3).normal(size=(300, 40)).astype(np.float32)  # enough to memorise
    scores = quantile_scores(margins, many_features, member, dataclasses.replace(OPTIONS, hidden=64))
    assert abs(roc_auc_score(member.ravel(), np.abs(scores).ravel()) - 0.5) < 0.05


def test_the_same_seed_gives_the_same_scores():
    margins, features, member = _sample(gap=1.0)
    first, second = (quantile_scores(margins, features, member, OPTIONS) for _ in range(2))
    np.testing.assert_array_equal(first, second)
