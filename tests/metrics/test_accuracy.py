import numpy as np

from miajax.metrics.accuracy import interval_over_models, mean_of_cells, share_by_model, share_correct
from miajax.metrics.paired import difference_over_models, mean_rate, mean_value


def _campaign(seed, models=12, examples=80):
    rng = np.random.default_rng(seed)
    hard = rng.normal(1.0, 1.0, examples) + rng.normal(0, 0.4, (models, 1))
    return rng.normal(size=(models, examples)) < hard, rng.random((models, examples)) < 0.5


def test_the_mean_over_models_weighs_models_alike_and_empty_ones_not():
    correct = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    counted = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
    found = share_by_model(correct, counted, np.ones(3, bool))
    assert found.value == (1.0 + 0.25) / 2
    assert abs(found.by_model.sum()) < 1e-12 and len(found.by_model) == 2
    np.testing.assert_allclose(found.by_model, [(1.0 - found.value) / 2, (0.25 - found.value) / 2])
    assert share_by_model(correct, counted, np.array([True, False, False])).value == 1.0


def test_of_equal_numbers_of_cells_the_mean_over_models_is_the_share_of_cells():
    correct, _ = _campaign(0)
    member = np.argsort(np.random.default_rng(1).random(correct.shape), axis=1) < 40
    one, other = share_by_model(correct, member, np.ones(len(correct), bool)), share_correct(correct, member)
    np.testing.assert_allclose(one.cells, other.cells, atol=1e-15)
    np.testing.assert_allclose(mean_rate([one]).ci, mean_rate([other]).ci)


def test_intervals_of_accuracy_cover_the_mean_over_campaigns():
    found = []
    for seed in range(300):
        correct, member = _campaign(seed)
        found.append(mean_rate([share_by_model(correct, member, np.ones(len(correct), bool))]))
    truth = np.mean([figure.value for figure in found])
    assert np.mean([figure.ci[0] <= truth <= figure.ci[1] for figure in found]) >= 0.92


def test_a_mean_of_cells_is_a_mean_with_its_interval():
    values = np.array([[0.0, 1.0, np.inf], [2.0, 3.0, 4.0]])
    found = mean_of_cells(values, np.isfinite(values))
    assert found.value == 2.0
    figure = mean_value([found])
    assert figure.ci[0] < 2.0 < figure.ci[1]


def test_models_are_the_sample_where_single_answers_are_not_known():
    np.testing.assert_allclose(interval_over_models(np.array([0.5, 0.7, np.nan])), [0.6 - 1.27062, 0.6 + 1.27062], 1e-4)
    assert interval_over_models(np.array([0.5])) is None
    assert interval_over_models(np.array([np.nan, np.nan])) is None


def test_the_difference_between_two_sets_of_models_covers():
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        hard = rng.normal(1.0, 1.0, 150)
        sides = []
        for lift in (0.0, 0.5):
            correct = rng.normal(size=(10, 150)) < hard + rng.normal(0, 0.3, (10, 1)) + lift
            sides.append(share_correct(correct, np.ones_like(correct)))
        low, high = difference_over_models(sides[1], sides[0]).ci
        inside += low <= 0.0948 <= high  # mean of Phi((1.5) / s) - Phi(1 / s), s^2 = 1 + 1 + .09
    assert inside >= 180
