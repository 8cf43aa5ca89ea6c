"""Models that are means of their members' vectors: everything about a pool and about new data is known."""

import numpy as np
import pytest
from scipy.stats import norm

from miajax.metrics.new_data import auc_on_new_data, data_share, on_new_data
from miajax.metrics.vulnerability import empirical_auc

MEMBERS, DIMENSIONS = 50, 30


def pool_campaign(rng, num_models, noise):
    """Signals of all examples of a pool: their products with each model, a noisy mean of half of them."""
    pool = rng.normal(size=(2 * MEMBERS, DIMENSIONS))
    member = np.stack([rng.permutation(2 * MEMBERS) < MEMBERS for _ in range(num_models)])
    models = member @ pool / MEMBERS + noise * rng.normal(size=(num_models, DIMENSIONS)) / np.sqrt(MEMBERS)
    return models @ pool.T, member


def auc_of_new_data(rng, noise, examples=40, num_models=300):
    """The same, every model's members drawn anew."""
    aucs = []
    for _ in range(examples):
        example = rng.normal(size=DIMENSIONS)
        others, extra = (rng.normal(size=(2, num_models, DIMENSIONS)) / np.sqrt(MEMBERS) for _ in range(2))
        others[1] *= np.sqrt(1 - 1 / MEMBERS)
        signals = (others + noise * extra) @ example
        signals[1] += example @ example / MEMBERS
        aucs.append((signals[1][:, None] > signals[0]).mean())
    return np.mean(aucs)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0])
def test_corrected_aucs_are_those_of_data_drawn_anew(noise):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4):
        values, member = pool_campaign(rng, 128, noise)
        valid = np.ones(128, bool)
        auc = empirical_auc(values, member, valid)
        fresh = on_new_data(auc, values, member, valid)
        found.append((auc.mean(), fresh.auc.mean(), fresh.auc_low.mean(), fresh.share))
    pool, corrected, low, share = np.mean(found, axis=0)
    truth = auc_of_new_data(rng, noise)
    assert corrected == pytest.approx(truth, abs=0.017)
    assert pool > truth + 0.012  # what is corrected is no small thing
    assert low <= corrected
    assert share == pytest.approx(0.5 / (0.5 + noise**2), abs=0.08)


def test_the_correction_is_its_formula():
    auc = np.array([0.0, 0.5, 0.771, 1.0, np.nan])
    expected = norm.cdf(norm.ppf(auc) / np.sqrt(1 + 0.6 * 0.25 / 0.75))
    np.testing.assert_allclose(auc_on_new_data(auc, 0.25, 0.6), expected, rtol=1e-12)
    assert auc_on_new_data(np.array([0.771]), 0.5, 1.0)[0] == pytest.approx(0.7, abs=0.003)
    assert auc_on_new_data(auc[:4], 0.5, 0.0) == pytest.approx(auc[:4])


def test_signals_that_do_not_depend_on_the_other_members_need_no_correction():
    rng = np.random.default_rng(1)
    member = np.stack([rng.permutation(200) < 100 for _ in range(128)])
    values = rng.normal(size=member.shape) + member
    share, error = data_share(values, member)
    assert share is not None and error is not None
    assert share < 3 * error < 0.3


def test_too_few_models_leave_only_the_lower_end():
    values, member = pool_campaign(np.random.default_rng(2), 8, 0.5)
    valid = np.ones(8, bool)
    auc = empirical_auc(values, member, valid)
    fresh = on_new_data(auc, values, member, valid)
    assert fresh.share is None and np.isnan(fresh.auc).all()
    np.testing.assert_allclose(fresh.auc_low, norm.cdf(norm.ppf(auc) / np.sqrt(2)), rtol=1e-9)


def test_broken_models_and_missing_signals_are_left_out():
    values, member = pool_campaign(np.random.default_rng(3), 64, 0.5)
    valid = np.arange(64) != 7
    without = values[valid]
    without[:, 0] = np.nan
    whole = data_share(without, member[valid])
    broken = values.copy()
    broken[7] = np.nan
    broken[3, 0] = np.nan
    auc = empirical_auc(broken, member, valid)
    fresh = on_new_data(auc, broken, member, valid)
    assert fresh.share == pytest.approx(whole[0])
    assert np.isfinite(fresh.auc).all()


def test_a_pool_that_all_models_share_whole_has_no_correction():
    member = np.ones((20, 30), bool)
    values = np.random.default_rng(4).normal(size=member.shape)
    fresh = on_new_data(np.full(30, np.nan), values, member, np.ones(20, bool))
    assert fresh.share is None and np.isnan(fresh.auc_low).all()
    assert data_share(values, member) == (None, None)
