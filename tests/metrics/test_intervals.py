import numpy as np
import pytest
from scipy import stats

from miajax.metrics.intervals import (
    Hits,
    Spread,
    advantage_interval,
    clopper_pearson,
    crossed_spread,
    design_effect,
    few_hits_interval,
    rate_interval,
)
from tests.oracles import metrics as oracle


def spread_of(cells):
    return crossed_spread(cells.sum(axis=1), cells.sum(axis=0), float((cells**2).sum()))


@pytest.mark.parametrize("model_effect, example_effect", [(0.0, 0.0), (1.0, 0.2), (0.1, 2.0)])
def test_variance_is_that_of_the_analysis_of_variance(model_effect, example_effect):
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(7, 23)) + model_effect * rng.normal(size=(7, 1)) + example_effect * rng.normal(size=23)
    cells -= cells.mean()
    assert spread_of(cells).variance == pytest.approx(oracle.crossed_variance(cells), rel=1e-12)


def test_variance_of_a_mean_of_crossed_effects_is_the_true_one():
    rng = np.random.default_rng(1)
    num_models, num_examples = 20, 60
    means, estimates = [], []
    for _ in range(400):
        cells = rng.normal(size=(num_models, num_examples))
        cells += 0.4 * rng.normal(size=(num_models, 1)) + 0.6 * rng.normal(size=num_examples)
        means.append(cells.mean())
        estimates.append(spread_of((cells - cells.mean()) / cells.size).variance)
    truth = 0.4**2 / num_models + 0.6**2 / num_examples + 1.0 / (num_models * num_examples)
    assert np.var(means) == pytest.approx(truth, rel=0.2)
    assert np.mean(estimates) == pytest.approx(truth, rel=0.05)


def test_few_models_leave_few_degrees_of_freedom():
    rng = np.random.default_rng(2)
    cells = 5.0 * rng.normal(size=(6, 1)) + rng.normal(size=(6, 500))
    assert spread_of(cells - cells.mean()).degrees_of_freedom < 6.5
    assert spread_of(rng.normal(size=(200, 300))).degrees_of_freedom > 50


def test_one_example_that_carries_a_figure_leaves_few_degrees_of_freedom():
    cells = np.full((10, 1000), -1e-3)
    cells[:, 3] += 1.0
    assert spread_of(cells - cells.mean()).degrees_of_freedom < 3


def test_one_model_lets_the_examples_vary():
    cells = np.random.default_rng(3).normal(size=(1, 50))
    cells -= cells.mean()
    spread = spread_of(cells)
    assert spread.variance == pytest.approx(50 * cells.var(ddof=1))
    assert 5 < spread.degrees_of_freedom <= 49


def test_rate_interval_holds_its_rate_and_stays_within_zero_and_one():
    for rate in (0.0, 1e-6, 0.3, 0.999, 1.0):
        low, high = rate_interval(rate, Spread(1e-4, 5.0), trials=1000)
        assert 0.0 <= low <= rate <= high <= 1.0
        assert high > low


def test_rate_interval_is_the_usual_one_away_from_the_ends():
    low, high = rate_interval(0.5, Spread(1e-6, np.inf), trials=1000)
    assert [low, high] == pytest.approx([0.5 - 1.96e-3, 0.5 + 1.96e-3], abs=1e-6)


def test_no_success_in_a_thousand_excludes_one_per_cent_and_allows_one_in_a_thousand():
    low, high = rate_interval(0.0, Spread(0.0, np.inf), trials=1000)
    assert low == 0.0
    assert 0.001 < high < 0.01


def test_advantage_interval_reaches_further_down_than_up():
    low, high = advantage_interval(0.3, Spread(1e-4, np.inf))
    assert high == pytest.approx(0.3 + 0.0196, abs=1e-4)
    assert low == pytest.approx(0.3 - 0.0272, abs=1e-4)
    assert advantage_interval(0.01, Spread(1e-4, np.inf))[0] == 0.0


@pytest.mark.parametrize("successes, trials", [(0, 10), (3, 10), (10, 10), (1, 1), (57, 1000)])
def test_clopper_pearson_equals_the_exact_binomial_test(successes, trials):
    exact = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(successes, trials) == pytest.approx([exact.low, exact.high], abs=1e-9)


def test_no_hit_of_independent_members_ends_where_the_poisson_does():
    low, high = few_hits_interval(0.0, Spread(0.0, np.inf), 10_000, [Hits(0, 1.0, 0.0)])
    assert low == 0.0
    assert high >= -np.log(0.025) / 10_000  # Clopper and Pearson's, 3.69 / n, or the logit's, if that is wider
    assert high < 1e-3


@pytest.mark.parametrize("allowed, count", [(1, 0), (2, 1), (4, 3), (9, 6)])
def test_upper_end_of_few_hits_is_that_of_the_negative_binomial(allowed, count):
    """Of independent scores, hits above the (j + 1)-th non-member are negative binomial of that size."""
    hits = Hits(count, 1.0, 1.0 / (allowed + 1))
    _, high = few_hits_interval(count / 5000, Spread(1e-12, np.inf), 5000, [hits])
    mean = high * 5000
    assert stats.nbinom.cdf(count, allowed + 1, (allowed + 1) / (allowed + 1 + mean)) == pytest.approx(0.025, rel=1e-6)


def test_clustered_hits_end_higher_and_many_hits_as_before():
    spread = Spread(1e-12, np.inf)
    ends = [few_hits_interval(2 / 5000, spread, 5000, [Hits(2, design, 0.2)])[1] for design in (1.0, 2.0, 5.0)]
    assert ends[0] < ends[1] < ends[2]
    assert few_hits_interval(0.1, spread, 5000, [Hits(500, 5.0, 0.2)]) == rate_interval(0.1, spread, 5000)


def test_a_lower_threshold_bounds_the_rate_above_it():
    spread = Spread(0.0, np.inf)
    alone = few_hits_interval(0.0, spread, 5000, [Hits(0, 1.0, 1.6)])[1]
    both = few_hits_interval(0.0, spread, 5000, [Hits(0, 1.0, 1.6), Hits(10, 1.0, 0.12)])[1]
    assert both < 0.5 * alone


def test_design_effect_is_the_variance_over_that_of_independent_members():
    assert design_effect(0.1, 100, 0.0036) == pytest.approx(4.0)
    assert design_effect(0.1, 100, 0.0001) == 1.0
    assert design_effect(0.0, 100, 0.0036) == 1.0
