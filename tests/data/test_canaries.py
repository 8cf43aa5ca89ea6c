"""Canaries: what is changed, and that nothing else is."""

import dataclasses

import numpy as np
import pytest

from miajax.data.canaries import canary_ids, planted
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

DIGITS = load_dataset("digits")


@pytest.mark.parametrize("kind", ["mislabelled", "natural", "out_of_distribution"])
def test_only_canaries_change_and_the_provenance_says_so(kind):
    dataset = planted(DIGITS, kind, 50, seed=3)
    others = np.ones(DIGITS.num_examples, bool)
    others[canary_ids(DIGITS.num_examples, 50, 3)] = False
    assert others.sum() == DIGITS.num_examples - 50
    np.testing.assert_array_equal(dataset.features[others], DIGITS.features[others])
    np.testing.assert_array_equal(dataset.labels[others], DIGITS.labels[others])
    changed = dataset.labels[~others] != DIGITS.labels[~others]
    assert {"mislabelled": changed.all(), "natural": not changed.any(), "out_of_distribution": True}[kind]
    moved = (dataset.features[~others] != DIGITS.features[~others]).any(1)
    assert moved.all() if kind == "out_of_distribution" else not moved.any()
    assert kind.replace("_", " ") in dataset.provenance["canaries"]
    assert (dataset.content_hash == DIGITS.content_hash) == (kind == "natural")


def test_wrong_labels_are_spread_over_all_other_classes():
    dataset = planted(DIGITS, "mislabelled", 1797, seed=0)
    shift = (dataset.labels - DIGITS.labels) % 10
    assert np.bincount(shift, minlength=10)[0] == 0 and np.bincount(shift)[1:].min() > 140


def test_pictures_stay_within_their_range():
    pictures = dataclasses.replace(DIGITS, features=(DIGITS.features * 200).astype(np.uint8).reshape(-1, 8, 8, 1))
    dataset = planted(pictures, "out_of_distribution", 20, seed=0)
    assert dataset.features.dtype == np.uint8 and dataset.features.max() <= 200


def test_a_seed_draws_the_same_canaries_and_another_seed_others():
    np.testing.assert_array_equal(canary_ids(100, 10, 1), canary_ids(100, 10, 1))
    assert set(canary_ids(100, 10, 1)) != set(canary_ids(100, 10, 2))


def test_canaries_are_a_part_of_the_data_that_a_run_names():
    dataset = load_dataset("digits", DataOptions(canaries=10, canary_kind="out_of_distribution"))
    np.testing.assert_array_equal(dataset.features, planted(DIGITS, "out_of_distribution", 10, 0).features)


def test_a_kind_of_no_canaries_is_refused():
    with pytest.raises(UserError, match="--canaries beside it"):
        load_dataset("digits", DataOptions(canary_kind="natural"))


@pytest.mark.parametrize(("kind", "count"), [("upside_down", 5), ("natural", 0), ("natural", 1798)])
def test_impossible_canaries_are_refused_by_flag(kind, count):
    with pytest.raises(UserError, match="--canar"):
        planted(DIGITS, kind, count, 0)
