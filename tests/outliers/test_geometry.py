import numpy as np
import pytest

from miajax.outliers import geometry, neighbours
from tests.oracles import outliers as oracle
from tests.outliers.examples import NUM_CLASSES, clusters

VECTORS, LABELS = clusters()
WIDE = VECTORS.astype(np.float64)


def _close(got, want):
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_distances_to_centroids_equal_the_naive_loop():
    _close(geometry.centroid_distance(VECTORS, LABELS, NUM_CLASSES), oracle.centroid_distance(WIDE, LABELS))
    _close(geometry.centroid_angle(VECTORS, LABELS, NUM_CLASSES), oracle.centroid_angle(WIDE, LABELS))
    _close(geometry.centroid_ratio(VECTORS, LABELS, NUM_CLASSES), oracle.centroid_ratio(WIDE, LABELS))


def test_the_zero_vector_is_at_angle_one_not_nan():
    assert geometry.centroid_angle(VECTORS, LABELS, NUM_CLASSES)[5] == 1.0


def test_a_class_without_examples_is_nobodys_nearest_centroid():
    with_a_gap = geometry.centroid_ratio(VECTORS, LABELS, NUM_CLASSES + 2)
    _close(with_a_gap, geometry.centroid_ratio(VECTORS, LABELS, NUM_CLASSES))


@pytest.mark.parametrize("ridge", [1e-2, 1.0])
def test_mahalanobis_and_leverage_equal_explicit_inverses(ridge):
    _close(geometry.mahalanobis(VECTORS, LABELS, NUM_CLASSES, ridge), oracle.mahalanobis(WIDE, LABELS, ridge))
    _close(geometry.leverage(VECTORS, ridge), oracle.leverage(WIDE, ridge))


def test_mahalanobis_is_finite_with_constant_features_and_more_features_than_examples():
    wide = np.concatenate([VECTORS[:9], np.ones((9, 40), np.float32)], axis=1)
    assert np.isfinite(geometry.mahalanobis(wide, LABELS[:9], NUM_CLASSES)).all()
    assert (np.asarray(geometry.mahalanobis(np.ones((9, 4), np.float32), LABELS[:9], NUM_CLASSES)) == 0).all()


def test_leverage_adds_up_to_the_number_of_free_parameters():
    leverage = np.asarray(geometry.leverage(VECTORS))
    assert ((leverage > 0) & (leverage <= 1)).all()
    np.testing.assert_allclose(leverage.sum(), VECTORS.shape[1] + 1, rtol=1e-3)


@pytest.mark.parametrize("k", [1, 4, 60])
def test_neighbours_equal_a_full_sort(k):
    ids, distances = neighbours.nearest_neighbours(VECTORS, k)
    want_ids, want_distances = oracle.neighbours(WIDE, k)
    _close(distances, want_distances)
    # ties (two copies) may come in either order
    untied = np.array([len(set(row.round(5))) == k for row in want_distances])
    np.testing.assert_array_equal(np.asarray(ids)[untied], want_ids[untied])


def test_more_examples_than_a_block_are_all_scored():
    vectors, _ = clusters(600)
    ids, distances = neighbours.nearest_neighbours(vectors, 3)
    assert ids.shape == distances.shape == (600, 3)
    _close(distances[599], np.sort(np.linalg.norm(vectors - vectors[599], axis=1))[1:4])


def test_copies_are_at_distance_zero_even_far_from_the_origin():
    _, distances = neighbours.nearest_neighbours(VECTORS + np.float32(1000.0), 2)
    assert distances[9, 0] == 0 and distances[6, 0] == 0
    assert (np.delete(np.asarray(distances[:, 0]), [6, 9]) > 0).all()


def test_disagreement_is_the_share_of_neighbours_with_another_label():
    ids, _ = oracle.neighbours(WIDE, 5)
    want = np.array([np.mean([LABELS[j] != LABELS[i] for j in row]) for i, row in enumerate(ids)])
    _close(neighbours.knn_disagreement(VECTORS, LABELS, 5), want)


def test_as_many_neighbours_as_examples_are_refused():
    with pytest.raises(ValueError, match="61 neighbours of 61 examples"):
        neighbours.nearest_neighbours(VECTORS, 61)


PER_CLASS = {
    "distance": geometry.centroid_distance, "angle": geometry.centroid_angle, "ratio": geometry.centroid_ratio,
    "mahalanobis": geometry.mahalanobis,
}  # fmt: skip


@pytest.mark.parametrize("name", PER_CLASS)
def test_the_only_example_of_its_class_has_no_value_and_changes_no_other(name):
    lone = np.append(LABELS, NUM_CLASSES).astype(np.int32)
    vectors = np.concatenate([VECTORS, VECTORS[:1] + 300])
    got = np.asarray(PER_CLASS[name](vectors, lone, NUM_CLASSES + 1))
    assert np.isnan(got[-1]) and np.isfinite(got[:-1]).all()
    pair = np.asarray(PER_CLASS[name](np.concatenate([vectors, vectors[-1:] + 1]), np.append(lone, NUM_CLASSES), 4))
    assert np.isfinite(pair).all() and (pair[-2:] > 0).all()
    if name in ("distance", "angle"):
        _close(got[:-1], PER_CLASS[name](VECTORS, LABELS, NUM_CLASSES))


def test_with_one_class_only_no_other_centroid_is_near():
    assert np.isnan(geometry.centroid_ratio(VECTORS, np.zeros_like(LABELS), 1)).all()
    assert np.isnan(geometry.centroid_ratio(VECTORS, np.zeros_like(LABELS), 4)).all()


def test_with_fewer_examples_than_neighbours_all_others_are_the_neighbours():
    few, labels = VECTORS[:7], LABELS[:7]
    _, distances = oracle.neighbours(WIDE[:7], 6)
    _close(neighbours.knn_distance(few), distances.mean(1))
    _close(neighbours.knn_disagreement(few, labels), [np.mean(np.delete(labels, i) != labels[i]) for i in range(7)])


def test_the_only_example_of_its_class_disagrees_with_all_its_neighbours():
    lone = np.append(LABELS[:-1], NUM_CLASSES)
    assert neighbours.knn_disagreement(VECTORS, lone)[-1] == 1.0
