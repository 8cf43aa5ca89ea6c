"""Which examples a saliency study looks at."""

import numpy as np

from miajax.studies.saliency.groups import by_vulnerability, distance_in_training_set, ends_by_class

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 3
VECTORS = RNG.normal(size=(40, 5)).astype(np.float32) + 4.0 * LABELS[:, None]
MEMBER = RNG.random(40) < 0.6


def test_distance_is_to_the_centroid_of_the_own_class_in_the_training_set():
    distance = distance_in_training_set(VECTORS, MEMBER, LABELS, 3)
    for example in range(40):
        if not MEMBER[example]:
            assert np.isnan(distance[example])
            continue
        centroid = VECTORS[MEMBER & (LABELS[example] == LABELS)].mean(0)
        np.testing.assert_allclose(distance[example], np.linalg.norm(VECTORS[example] - centroid), rtol=1e-5)


def test_each_class_has_its_own_nearest_and_farthest():
    distance = RNG.random(40)
    distance[LABELS == 1] += 100.0  # a class that is wider than all others is not alone at the far end
    distance[::5] = np.nan
    nearest, farthest = ends_by_class(distance, LABELS, 3, 2)
    assert LABELS[nearest].tolist() == LABELS[farthest].tolist() == [0, 0, 1, 1, 2, 2]
    for label in range(3):
        own = np.sort(distance[(label == LABELS) & np.isfinite(distance)])
        np.testing.assert_array_equal(distance[nearest[2 * label : 2 * label + 2]], own[:2])
        np.testing.assert_array_equal(distance[farthest[2 * label : 2 * label + 2]], own[::-1][:2])


def test_small_classes_are_not_shown_at_both_ends_and_many_classes_not_all():
    nearest, farthest = ends_by_class(np.arange(36.0), np.arange(36) % 12, 12, 2)  # three of each class
    assert not set(nearest) & set(farthest)
    assert (nearest % 12).tolist() == (farthest % 12).tolist() == list(range(10))


def test_unknown_vulnerability_is_at_neither_end():
    vulnerability = np.array([0.9, np.nan, 0.2, 0.6, np.nan, 0.4])
    most, least = by_vulnerability(vulnerability, 2)
    assert most.tolist() == [0, 3] and least.tolist() == [2, 5]
    most, least = by_vulnerability(vulnerability, 10)
    assert len(most) == len(least) == 3 and not set(most) & set(least)
