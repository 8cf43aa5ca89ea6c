import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miajax.data.splits import membership
from miajax.metrics.calibration import PRIORS, median_of_others, shadow_calibrated
from tests.metrics.campaigns import Effects
from tests.oracles import metrics as oracle


@given(st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=9))
def test_median_of_others_is_the_median_without_the_own_value(values):
    found = median_of_others(np.array(values))
    assert found.tolist() == [np.median(values[:i] + values[i + 1 :]) for i in range(len(values))]


@pytest.mark.parametrize("num_models", [2, 3, 8])
@pytest.mark.parametrize("fpr", [0.05, 0.1, 0.29])
def test_rates_reached_equal_the_naive_ones(num_models, fpr):
    scores, member = Effects().draw(np.random.default_rng(0), num_models, 101)
    scores = np.round(scores, 1)
    scores[0, :4] = np.nan
    reached = shadow_calibrated(scores, member, np.ones(num_models, bool), fpr)
    false, true, of_targets = oracle.shadow_calibrated(scores, member, fpr)
    assert reached is not None
    assert reached.fpr.value == pytest.approx(false, abs=1e-12)
    assert reached.tpr.value == pytest.approx(true, abs=1e-12)
    assert reached.fpr_of_targets[1] == pytest.approx(np.median(of_targets), abs=1e-12)
    for figure in (reached.fpr, reached.tpr):
        assert 0.0 <= figure.ci[0] <= figure.value <= figure.ci[1] <= 1.0
    for prior in PRIORS:
        assert reached.ppv[prior] == pytest.approx(prior * true / (prior * true + (1 - prior) * false))


@pytest.mark.parametrize("failed", [None, 3])
def test_a_partner_sets_no_threshold(failed):
    scores, _ = Effects(model=1.0).draw(np.random.default_rng(4), 8, 101)
    member, valid = membership(0, 101, 8, "balanced"), np.arange(8) != failed
    reached = shadow_calibrated(scores, member, valid, 0.1)
    false, true, _ = oracle.shadow_calibrated(scores[valid], member[valid], 0.1)
    assert reached is not None
    assert (reached.fpr.value, reached.tpr.value) == pytest.approx((false, true), abs=1e-12)
    assert shadow_calibrated(scores[:2], member[:2], np.ones(2, bool), 0.1) is None


def test_alike_models_reach_the_rate_aimed_at_and_models_with_shifted_scores_do_not():
    rng = np.random.default_rng(1)
    valid = np.ones(32, bool)
    alike = shadow_calibrated(*Effects(model=0.0).draw(rng, 32, 1000), valid, 0.01)
    shifted = shadow_calibrated(*Effects(model=2.0).draw(rng, 32, 1000), valid, 0.01)
    assert alike is not None
    assert shifted is not None
    assert alike.fpr.ci[0] < 0.01 < alike.fpr.ci[1]
    assert shifted.fpr.value > 0.03
    assert shifted.fpr_of_targets[2] > 10 * max(shifted.fpr_of_targets[0], 0.01)


def test_an_unresolvable_rate_or_a_lone_target_gives_none():
    scores, member = Effects().draw(np.random.default_rng(2), 4, 100)
    assert shadow_calibrated(scores, member, np.ones(4, bool), 0.019) is None
    assert shadow_calibrated(scores, member, np.arange(4) == 1, 0.1) is None


def test_invalid_models_neither_set_thresholds_nor_are_targets():
    scores, member = Effects().draw(np.random.default_rng(3), 5, 100)
    valid = np.arange(5) != 2
    with_broken = scores.copy()
    with_broken[2] = 1e9
    found = shadow_calibrated(with_broken, member, valid, 0.1)
    without = shadow_calibrated(scores[valid], member[valid], valid[valid], 0.1)
    assert found is not None
    assert without is not None
    assert found.tpr == without.tpr
    assert found.thresholds.tolist() == without.thresholds.tolist()
