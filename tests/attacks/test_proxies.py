"""Which examples stand in for an example: the nearest of its own label, found label by label."""

import jax
import numpy as np
import pytest

from miajax.attacks import proxies
from miajax.attacks.proxies import nearest_of_label

RNG = np.random.default_rng(0)


def slow(features: np.ndarray, labels: np.ndarray, k: int) -> list[list[int]]:
    """Every pair of the pool, one example after the other; equal ones by place."""
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(norm > 0, norm, 1)
    found = []
    for row in range(len(labels)):
        others = [other for other in np.flatnonzero(labels == labels[row]) if other != row]
        near = sorted(others, key=lambda other: (-np.float32(unit[row] @ unit[other]), other))
        found.append([int(other) for other in near[:k]])
    return found


@pytest.mark.parametrize(("examples", "classes", "k"), [(300, 3, 1), (41, 20, 4), (9, 2, 20), (30, 1, 3)])
def test_neighbours_are_those_of_every_pair_of_one_label(examples, classes, k):
    features = RNG.normal(size=(examples, 6)).astype(np.float32)
    features[1] = 0
    labels = np.r_[np.arange(classes), RNG.integers(0, classes, examples - classes)]
    ids, known = nearest_of_label(features, labels, k)
    found = [
        [int(other) for other, there in zip(ids[:, row], known[:, row], strict=True) if there]
        for row in range(examples)
    ]
    assert found == slow(features, labels, k)


def test_a_transformed_search_finds_the_same():
    features, labels = RNG.normal(size=(60, 5)).astype(np.float32), RNG.integers(0, 4, 60)
    plain = nearest_of_label(features, labels, 2)
    inside = jax.jit(lambda x, y: nearest_of_label(x, y, 2))(features, labels)
    np.testing.assert_array_equal(plain[1], inside[1])
    np.testing.assert_array_equal(np.where(plain[1], plain[0], -1), np.where(inside[1], inside[0], -1))


def test_the_same_features_are_searched_once_and_changed_ones_again(monkeypatch):
    searches = []
    search = proxies._of_every_label
    monkeypatch.setattr(proxies, "_of_every_label", lambda *given: searches.append(1) or search(*given))
    features, labels = RNG.normal(size=(50, 5)).astype(np.float32), RNG.integers(0, 3, 50)
    first = nearest_of_label(features, labels, 1)
    assert nearest_of_label(features.copy(), labels, 1) is first and len(searches) == 1
    features[0] = -features[0]
    nearest_of_label(features, labels, 1)
    nearest_of_label(features, labels, 2)
    nearest_of_label(features, (labels + 1) % 3, 2)
    assert len(searches) == 4
