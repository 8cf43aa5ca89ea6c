"""Scores set against their own record's: a slow twin, what they show of noise, and which way they point."""

import numpy as np
import pytest
from scipy.stats import binom, norm, t

from benchmarks._simulated_signals import attack, campaign
from miajax.metrics.per_record import FEWEST_OTHERS, fpr_of_records, normal_of_t, of_standardised, standardised
from miajax.metrics.vulnerability import exposure_at_pooled_fpr
from tests.oracles import per_record as oracle


def awkward(seed=0, models=13, records=17, pairs=False):
    rng = np.random.default_rng(seed)
    member = rng.random((models, records)) < 0.5
    if pairs:
        member[1::2] = ~member[: 2 * (models // 2) : 2]
    scores = (5.0 * rng.normal(size=records) + rng.normal(size=member.shape) + member).astype(np.float32)
    valid = np.ones(models, bool)
    valid[3] = False
    scores[3] = np.nan
    scores[5, 2] = np.nan
    scores[:, 4] = 1.0  # all agree
    scores[0, 4], member[0, 4] = 2.0, True
    member[:, 6] = True  # no model without it
    return scores, member, valid


@pytest.mark.parametrize("pairs", [False, True])
def test_standardised_scores_are_their_definition_model_by_model(pairs):
    scores, member, valid = awkward(pairs=pairs)
    found, slow = standardised(scores, member, valid), oracle.standardised(scores, member, valid, FEWEST_OTHERS)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(slow))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(slow))
    assert np.isnan(found[:, 6]).all() and np.isinf(found[0, 4]) and np.isfinite(slow).sum() > 100
    near = np.isfinite(slow) & (np.abs(slow) < 3.0)
    np.testing.assert_allclose(found[near], slow[near], atol=2e-3)


@pytest.mark.parametrize(("freedom", "error"), [(2, 0.02), (3, 0.004), (5, 0.001), (127, 1e-4)])
def test_the_normal_quantile_of_students_distribution_is_near_and_increasing(freedom, error):
    ratios = np.linspace(0.01, 30.0, 400)[None]
    found = normal_of_t(ratios, np.full(ratios.shape, freedom))
    tails = t.sf(ratios, freedom)
    told = tails > 1e-300
    assert np.abs(found - norm.isf(tails))[told].max() < error
    assert (np.diff(found) > 0).all()
    np.testing.assert_allclose(normal_of_t(-ratios, np.full(ratios.shape, freedom)), -found)


def test_scores_shifted_and_stretched_record_by_record_are_the_same_again():
    scores, member, valid = awkward()
    rng = np.random.default_rng(1)
    other = scores * rng.uniform(0.5, 20.0, scores.shape[1]) + 50.0 * rng.normal(size=scores.shape[1])
    np.testing.assert_allclose(standardised(other, member, valid), standardised(scores, member, valid), atol=1e-3)


@pytest.mark.parametrize("models", [8, 16, 64])
def test_noise_shows_members_at_the_rate_of_chance_with_few_models_too(models):
    """Members rest on one score more than others: without Student's distribution they stood out by that alone."""
    rates, aucs = [], []
    for seed in range(20):
        phi, member = campaign("no leak", models, 300, seed)
        found = of_standardised(phi, member, np.ones(models, bool), fpr=0.01)
        assert found is not None
        rates.append(found.tpr_at_fpr[0.01].value)
        aucs.append(found.auc.value)
    error = np.std(rates, ddof=1) / np.sqrt(len(rates))
    assert abs(np.mean(rates) - 0.01) < 4 * error + 2e-4
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.006)


def test_members_that_score_higher_stand_above_and_lower_below():
    rng = np.random.default_rng(2)
    member = rng.random((32, 200)) < 0.5
    noise = rng.normal(size=member.shape) + 10.0 * rng.normal(size=200)
    for sign, side in ((1.0, "above"), (-1.0, "below")):
        found = of_standardised(noise + sign * member, member, np.ones(32, bool), fpr=0.01)
        assert found is not None
        assert (found.auc.interval[0] > 0.7) if side == "above" else (found.auc.interval[1] < 0.3)


def test_records_of_unlike_spread_get_their_false_alarms_alike_once_standardised():
    rng = np.random.default_rng(3)
    member = rng.random((128, 400)) < 0.5
    scores = rng.normal(size=member.shape) * np.exp(rng.normal(size=400))
    valid = np.ones(128, bool)
    before = fpr_of_records(exposure_at_pooled_fpr(scores, member, valid, 0.01))
    after = of_standardised(scores, member, valid, fpr=0.01)
    assert before is not None and after is not None and after.records is not None
    assert before.over[10].measured > 0.02 and before.over[10].by_luck < 1e-4
    assert after.records.over[10].measured == 0.0
    assert after.records.over[2].measured == pytest.approx(after.records.over[2].by_luck, abs=0.06)


def test_what_luck_shows_is_the_binomial_tail_of_every_record():
    rng = np.random.default_rng(4)
    member = rng.random((40, 60)) < 0.5
    exposure = exposure_at_pooled_fpr(rng.normal(size=member.shape), member, np.ones(40, bool), 0.05)
    found = fpr_of_records(exposure)
    assert found is not None
    tails = [binom.sf(np.floor(2 * found.pooled * n + 1e-9), n, found.pooled) for n in exposure.num_out]
    assert found.over[2].by_luck == pytest.approx(np.mean(tails))
    assert found.over[2].measured == np.mean(exposure.fpr > 2 * found.pooled)
    assert found.quantiles[0.5] == np.median(exposure.fpr)


def test_without_a_false_alarm_nothing_is_said_of_records():
    member = np.zeros((4, 5), bool)
    exposure = exposure_at_pooled_fpr(np.zeros((4, 5)), member, np.ones(4, bool), 0.0)
    assert fpr_of_records(exposure) is None
    assert of_standardised(np.zeros((4, 5)), member, np.ones(4, bool), fpr=0.01) is None


def test_scores_of_lira_standardised_lean_to_nothing_where_the_signal_does_not():
    """The size that pages tell of: a target's absence from its own statistics, seen record by record."""
    rates = {name: [] for name in ("signal", "lira_online")}
    for seed in range(8):
        phi, member = campaign("no leak", 16, 300, seed)
        for name in rates:
            scores = phi if name == "signal" else attack(name, phi, member)
            found = of_standardised(scores, member, np.ones(16, bool), fpr=0.01)
            assert found is not None
            rates[name].append(found.auc.value)
    assert np.mean(rates["signal"]) == pytest.approx(0.5, abs=0.01)
    assert np.mean(rates["lira_online"]) < 0.47
