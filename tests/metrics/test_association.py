"""Figures of association: against SciPy and scikit-learn, under weights, ties, and their intervals' coverage."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from miajax.metrics.association import (
    Ranked,
    association,
    correlation_figure,
    crossed,
    resamples,
    share_figure,
)

N = 200


def pair(seed=0, ties=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    y = x + rng.normal(size=N)
    return (np.round(2 * x), np.round(2 * y)) if ties else (x, y)


def of(x, y, weights=None, top=0.05):
    weights = np.ones((1, len(x))) if weights is None else weights
    return association(Ranked(x, weights, top), Ranked(y, weights, top))


@pytest.mark.parametrize("ties", [False, True])
def test_unweighted_figures_are_those_of_scipy_and_sklearn(ties):
    x, y = pair(ties=ties)
    found = of(x, y)
    assert found.spearman[0] == pytest.approx(spearmanr(x, y)[0])
    if not ties:
        top = np.argsort(-y)[:10]
        assert found.precision[0] == pytest.approx(np.isin(np.argsort(-x)[:10], top).mean())
        assert found.auc[0] == pytest.approx(roc_auc_score(np.isin(np.arange(N), top), x))


def test_ties_at_the_edge_of_the_top_share_its_places():
    """Ten places; four outcomes above the others, whose 196 share the six places left: their order does not matter."""
    x, y = pair()
    y = np.where(np.arange(N) < 4, 1.0, 0.0)
    rng = np.random.default_rng(1)
    broken = [of(x, y + 1e-9 * rng.permutation(N)) for _ in range(3000)]
    found = of(x, y)
    assert found.precision[0] == pytest.approx(np.mean([each.precision[0] for each in broken]), abs=0.01)
    assert found.auc[0] == pytest.approx(np.mean([each.auc[0] for each in broken]), abs=0.01)


def test_a_weight_is_so_many_copies_of_an_example():
    x, y = pair(ties=True)
    counts = resamples(N, 3, 0)
    found = of(x, y, counts)
    for row, weights in enumerate(counts.astype(int)):
        copies = of(np.repeat(x, weights), np.repeat(y, weights))
        for figure in found._fields:
            assert getattr(found, figure)[row] == pytest.approx(getattr(copies, figure)[0], rel=1e-5), figure


def test_a_perfect_metric_finds_all_and_a_reversed_one_none():
    x, _ = pair()
    assert [values[0] for values in of(x, x)] == pytest.approx([1.0, 1.0, 1.0])
    assert [values[0] for values in of(-x, x)] == pytest.approx([-1.0, 0.0, 0.0])
    assert np.isnan(of(np.zeros(N), x).spearman[0])


def test_models_add_to_the_spread_and_one_group_is_no_sample():
    replicates = np.random.default_rng(0).normal(size=200)
    alone = crossed(replicates, np.array([0.3]))
    both = crossed(replicates, np.array([0.0, 1.0, 2.0, 1.0]))
    assert alone.variance == pytest.approx(replicates.var(ddof=1))
    assert both.variance == pytest.approx(alone.variance + 3 / 4 * 2.0) and both.degrees_of_freedom < 10


@pytest.mark.slow
def test_intervals_cover_the_figures_of_endless_examples_and_models():
    """Vulnerability is what 16 models measure, each with noise of its own; the truth is that of so many models."""

    def draw(rng, examples, models=16):
        metric = rng.normal(size=examples)
        measured = 0.7 * metric + rng.normal(size=examples) + rng.normal(size=(models, examples))
        return metric, measured

    metric, measured = draw(np.random.default_rng(99), 400_000, 16)
    truth = association(*(Ranked(v, np.ones((1, 400_000)), 0.05) for v in (metric, measured.mean(0))))
    hits = {"spearman": 0, "precision": 0, "auc": 0}
    repeats = 150
    for seed in range(repeats):
        metric, measured = draw(np.random.default_rng(seed), 500)
        weights = np.concatenate([np.ones((1, 500), np.float32), resamples(500, 100, seed)])
        base = association(Ranked(metric, weights, 0.05), Ranked(measured.mean(0), weights, 0.05))
        without = [of(metric, np.delete(measured, slice(2 * group, 2 * group + 2), 0).mean(0)) for group in range(8)]
        for figure in hits:
            replicates = getattr(base, figure)
            spread = crossed(replicates[1:], np.array([getattr(each, figure)[0] for each in without]))
            value = float(replicates[0])
            made = correlation_figure(value, spread) if figure == "spearman" else share_figure(value, spread, 25)
            hits[figure] += made.ci[0] <= getattr(truth, figure)[0] <= made.ci[1]
    assert all(count / repeats >= 0.9 for count in hits.values()), hits
