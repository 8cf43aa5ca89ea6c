import numpy as np
import pytest

from miajax.data.purchase_like import load_purchase_like
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError


@pytest.fixture(scope="module")
def baskets():
    return load_purchase_like(6000)


def test_it_has_the_shape_of_purchase_100_and_says_that_it_is_synthetic(baskets):
    assert baskets.features.shape == (6000, 600) and baskets.num_classes == 100
    assert set(np.unique(baskets.features)) == {0.0, 1.0}
    assert baskets.synthetic and baskets.name == "purchase_like" and "synthetic" in baskets.provenance["note"]


def test_a_longer_data_set_starts_with_the_shorter_one(baskets):
    short = load_dataset("purchase_like", DataOptions(max_examples=2345))
    np.testing.assert_array_equal(short.features, baskets.features[:2345])
    np.testing.assert_array_equal(short.labels, baskets.labels[:2345])


def test_the_first_hundred_examples_hold_one_of_each_class(baskets):
    assert sorted(baskets.labels[:100]) == list(range(100))
    with pytest.raises(UserError, match="has no example in the pool"):
        load_purchase_like(99)


def test_classes_differ_in_size_as_clusters_do(baskets):
    counts = np.bincount(baskets.labels)
    assert 3 < counts.max() / counts.min() < 30


def test_data_seed_draws_another_data_set_and_the_same_seed_the_same(baskets):
    assert load_purchase_like(300).content_hash == load_purchase_like(300).content_hash
    other = load_dataset("purchase_like", DataOptions(max_examples=300, data_seed=1))
    assert (other.features != baskets.features[:300]).mean() > 0.1


def test_classes_are_learnt_better_from_more_data_but_never_perfectly(baskets):
    """Nearest class mean, fitted on few and on many: the gap between seen and unseen is what attacks live on."""
    unseen = slice(5000, 6000)
    accuracies = []
    for size in (1000, 5000):
        x, y = baskets.features[:size], baskets.labels[:size]
        means = np.stack([x[y == c].mean(0) for c in range(100)])
        scores = baskets.features @ means.T - (means**2).sum(1) / 2
        right = scores.argmax(1) == baskets.labels
        accuracies.append((right[:size].mean(), right[unseen].mean()))
    (seen_few, few), (seen_many, many) = accuracies
    assert 0.3 < few < many - 0.1 < 0.9
    assert seen_few > few + 0.2 and seen_many > many + 0.02
