"""Leave-one-out moments and medians against loops over the targets in float64."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miajax.attacks.leave_one_out import leave_one_out, leave_one_out_products
from miajax.attacks.order_statistics import medians
from tests.oracles import attacks as oracle


def _sample(seed, models, examples, gap=0.0, heavy=False):
    rng = np.random.default_rng(seed)
    side = rng.random((models, examples)) < 0.5
    noise = rng.standard_t(2, (models, examples)) if heavy else rng.normal(size=(models, examples))
    return (noise + gap * side).astype(np.float32), side


@pytest.mark.parametrize("gap", [0.0, 20.0, -20.0])
@pytest.mark.parametrize("models, examples", [(8, 211), (33, 61), (256, 9)])
@pytest.mark.parametrize("heavy", [False, True])
def test_moments_equal_the_loop_over_targets_however_far_in_and_out_lie_apart(models, examples, gap, heavy):
    values, side = _sample(models, models, examples, gap, heavy)
    for this in (side, ~side):
        count, mean, squares = oracle.leave_one_out(values, this)
        got = jax.jit(leave_one_out)(values, this)
        np.testing.assert_array_equal(got.count, count)
        some, two = count >= 1, count >= 2
        np.testing.assert_allclose(np.asarray(got.mean)[some], mean[some], rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(np.asarray(got.sum_squares)[two], squares[two], rtol=1e-5)


def test_variance_without_an_outlier_keeps_its_digits():
    values = np.float32([[1.0], [1.5], [2.0], [3000.0]])
    got = leave_one_out(values, np.ones((4, 1), bool))
    np.testing.assert_allclose(got.sum_squares[3, 0], 0.5, rtol=1e-3)


def test_covariance_without_a_model_that_towers_over_the_others_keeps_its_digits():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(8, 3, 7)).astype(np.float32)
    values[:, 1] = values[:, 0] + 0.1 * values[:, 1]
    values[2] *= 1e3
    side = rng.random((8, 1, 7)) < 0.8
    side[2] = True
    partners = np.array([0, 1, 3, 2, 4, 5, 6, 7])
    side[3] = False
    got = leave_one_out_products(values, side, partners)
    for t, own in ((2, [2, 3]), (3, [2, 3]), (4, [4])):
        for x in range(7):
            rest = values[[m for m in np.flatnonzero(side[:, 0, x]) if m not in own], :, x].astype(np.float64)
            want = (rest - rest.mean(0)).T @ (rest - rest.mean(0))
            np.testing.assert_allclose(got.sum_squares[t, :, :, x], want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


def test_double_precision_in_gives_double_precision_out():
    values, side = _sample(3, 16, 50, 20.0)
    with jax.enable_x64(True):
        got = leave_one_out(values.astype(np.float64), side)
        _, _, squares = oracle.leave_one_out(values, side)
        two = np.asarray(got.count) >= 2
        np.testing.assert_allclose(np.asarray(got.sum_squares)[two], squares[two], rtol=1e-12)


def test_models_of_the_other_side_may_be_nan():
    values, side = _sample(4, 9, 20)
    clean = leave_one_out(values, side)
    dirty = leave_one_out(np.where(side, values, np.nan), side)
    jax.tree.map(np.testing.assert_array_equal, clean, dirty)


@settings(deadline=None, max_examples=24)
@given(models=st.sampled_from([1, 2, 5, 12]), seed=st.integers(0, 10**6), levels=st.sampled_from([2, 5, 10**6]))
def test_medians_equal_numpy_on_ties_odd_sizes_and_empty_sides(models, seed, levels):
    rng = np.random.default_rng(seed)
    values = (rng.integers(-levels, levels + 1, (models, 12)) / 3).astype(np.float32)
    side = rng.random(values.shape) < rng.random()
    whole, without = map(np.asarray, jax.jit(medians)(values, side))
    for x in range(values.shape[1]):
        want = np.median(values[side[:, x], x]) if side[:, x].any() else np.nan
        np.testing.assert_array_equal(whole[x], want)
        for t in range(models):
            keep = side[:, x].copy()
            keep[t] = False
            np.testing.assert_array_equal(without[t, x], np.median(values[keep, x]) if keep.any() else np.nan)


def test_medians_order_negative_zero_subnormal_and_huge_numbers():
    values = np.float32([-3e38, -1e-40, -0.0, 0.0, 1e-40, 3e38, 7.0])[:, None]
    whole, _ = medians(values, np.ones((7, 1), bool))
    np.testing.assert_array_equal(whole, [0.0])
