"""What every metric of the registry has to do, and which planted outliers each kind finds."""

import functools

import jax
import numpy as np
import pytest

from miajax.outliers.registry import METRICS
from tests.outliers.examples import NUM_CLASSES, clusters, evidence

NAMES = tuple(METRICS)
PURE = tuple(name for name in NAMES if METRICS[name].pure)
EVIDENCE = evidence()


@functools.cache
def _score(name):
    return np.asarray(METRICS[name].score(EVIDENCE, NUM_CLASSES))


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_gives_one_finite_number_an_example_and_says_what_it_means(name):
    metric = METRICS[name]
    assert metric.name == name and metric.meaning and metric.source
    assert set(metric.needs) <= set(EVIDENCE._fields) and not metric.missing(EVIDENCE)
    assert metric.missing(EVIDENCE._replace(**{metric.needs[0]: None})) == (metric.needs[0],)
    assert _score(name).shape == EVIDENCE.labels.shape and np.isfinite(_score(name)).all()


@pytest.mark.parametrize("name", PURE)
def test_pure_metrics_work_under_jit_and_vmap(name):
    metric, batch = METRICS[name], jax.tree.map(lambda a: np.stack([a, a[::-1] if a.ndim == 2 else a]), EVIDENCE)
    scores = jax.jit(jax.vmap(lambda e: metric.score(e, NUM_CLASSES)))(batch)
    np.testing.assert_allclose(scores[0], _score(name), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_examples_does_not_matter(name):
    order = np.random.default_rng(3).permutation(len(EVIDENCE.labels))
    per_example = {"labels": 0, "vectors": 0, "valid": None, "early_logits": 1}
    shuffled = EVIDENCE._replace(
        **{
            field: array if (axis := per_example.get(field, -1)) is None else np.take(array, order, axis)
            for field, array in EVIDENCE._asdict().items()
        }
    )
    got = METRICS[name].score(shuffled, NUM_CLASSES)
    if name == "isolation_forest":  # draws its subsamples by position
        assert np.corrcoef(got, _score(name)[order])[0, 1] > 0.9
    else:
        np.testing.assert_allclose(got, _score(name)[order], rtol=1e-4, atol=1e-4)


def _planted(name, plant):
    """The two most outlying of 183 examples, after ``plant`` changed vectors and labels."""
    vectors, labels = clusters(183)
    vectors[5] = vectors[8] + 0.1  # the zero vector would be an outlier too
    plant(vectors, labels)
    scores = METRICS[name].score(EVIDENCE._replace(vectors=vectors, labels=labels), NUM_CLASSES)
    return [int(i) for i in np.argsort(-np.asarray(scores))[:2]]


@pytest.mark.parametrize("name", ["centroid_ratio", "centroid_angle", "knn_disagreement", "local_outlier_factor"])
def test_a_mislabelled_example_is_found(name):
    def mislabel(vectors, labels):
        labels[30] = (labels[30] + 1) % NUM_CLASSES

    assert _planted(name, mislabel)[0] == 30


FAR_FINDERS = [
    "centroid_distance", "knn_distance", "mahalanobis", "leverage", "local_outlier_factor", "isolation_forest",
]  # fmt: skip


@pytest.mark.parametrize("name", FAR_FINDERS)
def test_a_far_example_is_found(name):
    def move(vectors, labels):
        vectors[30] *= 5

    assert _planted(name, move)[0] == 30


@pytest.mark.parametrize("name", FAR_FINDERS)
def test_a_far_example_that_was_duplicated_is_found_with_its_copy(name):
    def move(vectors, labels):
        vectors[30] *= 5
        vectors[33] = vectors[30]

    assert set(_planted(name, move)) == {30, 33}
