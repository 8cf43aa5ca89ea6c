import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from miajax.errors import UserError
from miajax.metrics import roc as R
from tests.oracles import metrics as oracle

TIED = st.integers(-3, 3).map(float)


@st.composite
def scored(draw, elements=TIED):
    """Scores, many of them tied, with at least one member and one non-member."""
    size = draw(st.integers(2, 40))
    scores = draw(hnp.arrays(np.float32, size, elements=elements))
    member = draw(hnp.arrays(bool, size))
    member[0], member[-1] = True, False
    return scores, member


@settings(deadline=None)
@given(scored(), st.sampled_from([0.01, 0.1, 0.25, 0.29, 0.5, 1.0]))
def test_figures_equal_the_naive_ones_with_ties_at_any_size(drawn, fpr):
    scores, member = drawn
    curve = R.roc_curve(scores, member)
    assert R.auc(curve) == pytest.approx(oracle.auc(scores, member), abs=1e-12)
    assert R.advantage(curve) == pytest.approx(oracle.advantage(scores, member), abs=1e-12)
    assert R.absolute_advantage(curve) == pytest.approx(oracle.absolute_advantage(scores, member), abs=1e-12)
    assert R.balanced_accuracy(curve) == pytest.approx((1 + oracle.advantage(scores, member)) / 2, abs=1e-12)
    assert R.tpr_at_zero_fp(curve) == oracle.tpr_at_fpr(scores, member, 0.0)
    rate = R.tpr_at_fpr(curve, fpr)
    if fpr * curve.num_non_members < 1:
        assert rate is None
    else:
        assert rate == pytest.approx(oracle.tpr_at_fpr(scores, member, fpr), abs=1e-12)


@settings(deadline=None)
@given(scored(elements=st.floats(-1e6, 1e6, width=32)))
def test_curve_equals_that_of_scikit_learn(drawn):
    scores, member = drawn
    curve = R.roc_curve(scores, member)
    fpr, tpr, thresholds = sk.roc_curve(member, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(curve.tpr, tpr, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert R.auc(curve) == pytest.approx(sk.roc_auc_score(member, scores), abs=1e-12)


def test_tpr_at_a_tenth_of_a_per_cent_is_at_fpr_0_001_and_not_at_ten_per_cent():
    # 10,000 non-members at 0..9999; members sit so that exactly 7 are above the best 10, 90 above the best 1,000.
    others = np.arange(10_000.0)
    members = np.concatenate([np.full(7, 9_990.5), np.full(83, 9_000.5), np.full(910, -1.0)])
    curve = R.roc_curve(np.concatenate([others, members]), np.arange(11_000) >= 10_000)
    assert R.tpr_at_fpr(curve, 0.001) == 0.007
    assert R.tpr_at_fpr(curve, 0.1) == 0.09
    assert R.tpr_at_fpr(curve, 0.0009) == 0.007
    assert R.tpr_at_zero_fp(curve) == 0.0


def test_tpr_steps_and_is_not_interpolated():
    #                    m    n    m    m    n    n
    scores = np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    member = np.array([True, False, True, True, False, False])
    curve = R.roc_curve(scores, member)
    assert R.tpr_at_zero_fp(curve) == 1 / 3
    assert R.tpr_at_fpr(curve, 1 / 3) == 1.0
    assert R.tpr_at_fpr(curve, 0.5) == 1.0
    assert R.tpr_at_fpr(curve, 0.3) is None


def test_a_member_tied_with_the_best_non_member_does_not_count_at_zero_false_positives():
    curve = R.roc_curve(np.array([2.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
    assert R.tpr_at_zero_fp(curve) == 0.0
    assert R.auc(curve) == 0.625


def test_constant_scores_are_worth_nothing():
    curve = R.roc_curve(np.zeros(10, np.float32), np.arange(10) < 3)
    assert R.auc(curve) == 0.5
    assert R.advantage(curve) == R.absolute_advantage(curve) == 0.0
    assert R.tpr_at_fpr(curve, 0.2) == 0.0


def test_advantage_of_a_reversed_attack_is_zero_and_its_absolute_form_is_not():
    curve = R.roc_curve(np.array([0.0, 0.0, 1.0, 1.0]), np.array([True, True, False, False]))
    assert R.advantage(curve) == 0.0
    assert R.absolute_advantage(curve) == 1.0


def test_nan_scores_are_left_out_and_infinite_ones_are_extremes():
    scores = np.array([[np.inf, np.nan, 1.0], [-np.inf, 0.0, np.nan]], np.float32)
    member = np.array([[True, True, False], [False, True, False]])
    curve = R.roc_curve(scores, member)
    assert (curve.num_members, curve.num_non_members) == (2, 2)
    assert R.auc(curve) == 0.75


def test_integer_and_boolean_scores_are_ranked_like_numbers():
    member = np.array([True, False, True, False])
    assert R.auc(R.roc_curve(np.array([True, False, True, True]), member)) == 0.75
    assert R.auc(R.roc_curve(np.array([3, 0, 2, 2]), member)) == 0.875


@pytest.mark.parametrize("member", [np.ones(3, bool), np.zeros(3, bool)])
def test_one_sided_scores_are_refused(member):
    with pytest.raises(UserError, match="at least one of each"):
        R.roc_curve(np.arange(3.0), member)


def test_a_rate_is_resolved_from_exactly_one_over_the_number_of_non_members():
    assert [R.allowed_false_positives(1e-3, n) for n in (999, 1000, 1999, 2000)] == [0, 1, 1, 2]
    assert all(R.allowed_false_positives(k / n, n) == k for n in (7, 49, 100, 1000) for k in range(n + 1))


def test_ppv_follows_bayes_rule():
    assert R.ppv(0.5, 0.01, 0.1) == pytest.approx(0.05 / (0.05 + 0.009))
    assert R.ppv(0.3, 0.3, 0.01) == pytest.approx(0.01)
    assert R.ppv(0.2, 0.0, 0.01) == 1.0
    assert R.ppv(0.0, 0.0, 0.5) is None


def test_thinned_curve_keeps_the_exact_corners_at_low_rates():
    rng = np.random.default_rng(0)
    member = rng.random(30_000) < 0.5
    scores = np.round(rng.normal(size=30_000) + member, 4)
    curve = R.roc_curve(scores, member)
    fpr, tpr = R.thin(curve)
    assert len(fpr) <= 302
    assert (fpr[0], tpr[0]) == (0.0, R.tpr_at_zero_fp(curve))
    assert (fpr[-1], tpr[-1]) == (1.0, 1.0)
    for count in range(1, 10):
        rate = count / curve.num_non_members
        on_plot = tpr[fpr <= rate * (1 + 1e-9)].max()
        assert on_plot == R.tpr_at_fpr(curve, rate)
    assert np.all(np.diff(fpr) > 0)
    assert np.all(np.diff(tpr) >= 0)
    assert not math.isnan(tpr.sum())
