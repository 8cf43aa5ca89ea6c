"""The local outlier factor against its definition, with and without copies, and what small classes are given."""

import warnings

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor

from miajax.outliers import density
from tests.oracles import outliers as oracle
from tests.outliers.examples import clusters

PLANTED = (0, 1, 2)


def _pool(copies, seed=0):
    """Two classes of 150; three planted outliers in the first, and one ordinary row of it ``copies`` more times."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(300, 5))
    labels = np.repeat([0, 1], 150)
    vectors[list(PLANTED)] += [[9, 9, 9, 9, 9], [0, 0, 0, 0, 8], [-7, -7, -7, -7, -7]]
    return np.concatenate([vectors, np.repeat(vectors[50:51], copies, 0)]), np.append(labels, np.zeros(copies, int))


@pytest.mark.parametrize("copies", [0, 25, 200])
def test_copies_leave_the_factor_as_defined_and_the_planted_outliers_first(copies):
    vectors, labels = _pool(copies)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = density.local_outlier_factor(vectors, labels)
    assert set(np.argsort(-got)[:3]) == set(PLANTED)
    ordinary = np.delete(got, PLANTED)
    assert ordinary.max() < 2.5 < got[list(PLANTED)].min()
    assert len(set(got[labels == 0][vectors[labels == 0, 0] == vectors[50, 0]])) == 1, "copies have one value"
    np.testing.assert_allclose(got[labels == 0], oracle.local_outlier_factor(vectors[labels == 0], 20), rtol=1e-9)


def test_the_other_class_never_hears_of_the_copies():
    (vectors, labels), (more, more_labels) = _pool(0), _pool(200)
    one, other = (density.local_outlier_factor(*pool) for pool in ((vectors, labels), (more, more_labels)))
    np.testing.assert_array_equal(one[labels == 1], other[: len(labels)][labels == 1])


def test_without_copies_the_values_are_those_of_scikit_learn_ties_included():
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 17, (400, 6)).astype(float)  # whole numbers: many distances are equal
    vectors = np.unique(drawn, axis=0)[rng.permutation(len(np.unique(drawn, axis=0)))]
    labels = np.arange(len(vectors)) % 2
    got = density.local_outlier_factor(vectors, labels)
    for label in (0, 1):
        theirs = -LocalOutlierFactor(20).fit(vectors[labels == label]).negative_outlier_factor_
        np.testing.assert_allclose(got[labels == label], theirs, rtol=1e-12)


def test_classes_smaller_than_the_neighbourhood_use_all_others():
    vectors, labels = clusters(21)
    got = density.local_outlier_factor(vectors, labels)
    for label in range(3):
        own = vectors[labels == label].astype(float)
        np.testing.assert_allclose(got[labels == label], oracle.local_outlier_factor(own, 20), rtol=1e-9)


def test_examples_at_one_place_are_as_dense_as_their_neighbours():
    vectors = np.concatenate([np.ones((40, 3)), np.random.default_rng(0).normal(size=(30, 3))])
    got = density.local_outlier_factor(vectors, np.repeat([0, 1], [40, 30]))
    assert (got[:40] == 1.0).all() and np.isfinite(got).all()


def test_minus_zero_is_zero():
    first, place = density.places(np.array([[0.0, 1.0], [2.0, 1.0], [-0.0, 1.0]]))
    np.testing.assert_array_equal(first, [0, 1])
    np.testing.assert_array_equal(place, [0, 1, 0])


@pytest.mark.parametrize("score", [density.local_outlier_factor, density.isolation_score])
def test_classes_of_one_and_two_have_no_value_and_classes_of_three_have(score):
    vectors = np.random.default_rng(0).normal(size=(46, 4))
    got = score(vectors, np.repeat([0, 1, 2, 3], [40, 1, 2, 3]))
    assert np.isnan(got[40:43]).all() and np.isfinite(np.delete(got, [40, 41, 42])).all()


def test_constant_features_leave_the_isolation_forest_finite():
    vectors = np.concatenate([np.random.default_rng(0).normal(size=(30, 2)), np.ones((30, 3))], axis=1)
    assert np.isfinite(density.isolation_score(vectors, np.zeros(30, int))).all()
    assert len(set(density.isolation_score(np.ones((30, 3)), np.zeros(30, int)))) == 1
