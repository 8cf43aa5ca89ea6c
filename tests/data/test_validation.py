import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miajax.data.dataset import Dataset
from miajax.data.validation import carve_validation
from miajax.errors import UserError


def numbered(counts) -> Dataset:
    """A data set whose single feature is the example's number, with so many examples of each class, mixed."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return Dataset(
        name="numbered",
        features=np.arange(len(labels))[:, None],
        labels=labels,
        num_classes=len(counts),
        provenance={"source": "here"},
    )


@given(
    counts=st.lists(st.integers(10, 40), min_size=2, max_size=6),
    percent=st.integers(5, 60),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None)
def test_pool_and_validation_partition_the_data_set_class_by_class(counts, percent, seed):
    dataset = numbered(counts)
    carved = carve_validation(dataset, percent / 100, seed)
    assert carved.validation_features is not None and carved.validation_labels is not None
    assert len(carved.validation_labels) == percent * dataset.num_examples // 100
    pool, held = carved.features[:, 0].astype(int), carved.validation_features[:, 0].astype(int)
    assert sorted([*pool, *held]) == list(range(dataset.num_examples))
    assert (np.diff(pool) > 0).all() and (np.diff(held) > 0).all()
    np.testing.assert_array_equal(dataset.labels[held], carved.validation_labels)
    np.testing.assert_array_equal(dataset.labels[pool], carved.labels)
    per_class = np.bincount(carved.validation_labels, minlength=len(counts))
    assert np.abs(per_class - np.array(counts) * percent / 100).max() <= 1


def test_the_seed_decides_which_examples_are_carved():
    dataset = numbered([50, 50])
    same, again, other = (carve_validation(dataset, 0.2, seed).content_hash for seed in (1, 1, 2))
    assert same == again != other


def test_the_carving_is_recorded_beside_the_source():
    provenance = carve_validation(numbered([10, 10]), 0.25, 3).provenance
    assert provenance == {"source": "here", "validation": "5 of 20 carved by class, seed 3"}


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.2, float("nan"), 0.01])
def test_a_fraction_that_leaves_one_side_empty_is_refused(fraction):
    with pytest.raises(UserError, match="validation fraction"):
        carve_validation(numbered([10, 10]), fraction, 0)


def test_a_class_that_would_lose_its_last_example_is_named():
    with pytest.raises(UserError, match="class 1 has no example in the pool"):
        carve_validation(numbered([30, 1]), 0.96, 0)


def test_carving_twice_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="already has a validation part"):
        carve_validation(carve_validation(numbered([10, 10]), 0.2, 0), 0.2, 0)
