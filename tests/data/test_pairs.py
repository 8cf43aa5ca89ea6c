"""Designs of complementary pairs, and of equal counts without pairs, recognised in the membership matrix."""

import numpy as np
import pytest

from miajax.data.pairs import complementary_partners, equal_counts, halved
from miajax.data.splits import membership


@pytest.mark.parametrize("examples", [41, 700])
def test_balanced_models_find_their_partners_in_any_order(examples):
    order = np.random.default_rng(0).permutation(10)
    partners = complementary_partners(membership(0, examples, 10, "balanced")[order])
    assert partners is not None and partners.dtype == np.int32
    np.testing.assert_array_equal(order[partners], order ^ 1)


@pytest.mark.parametrize("split", ["fixed_size", "bernoulli"])
def test_independent_draws_have_no_partners(split):
    assert complementary_partners(membership(0, 300, 64, split)) is None


def test_a_model_whose_partner_is_missing_is_its_own():
    partners = complementary_partners(membership(0, 41, 6, "balanced")[[0, 1, 2, 4, 5]])
    assert partners is not None
    assert partners.tolist() == [1, 0, 2, 4, 3]


def test_rows_alike_in_their_first_examples_only_are_no_partners():
    member = membership(0, 600, 2, "balanced")
    member[1, 599] ^= True
    assert complementary_partners(member) is None


def test_of_equal_rows_each_has_one_partner():
    row = membership(0, 100, 1)[0]
    partners = complementary_partners(np.array([row, ~row, ~row, row, row]))
    assert partners is not None
    assert partners.tolist() == [1, 0, 3, 2, 4]


def test_a_chance_complement_in_a_tiny_pool_is_no_design_unless_every_model_has_one():
    by_chance = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], bool)
    assert complementary_partners(by_chance) is None
    assert complementary_partners(by_chance[:2]) is not None


def test_equal_counts_without_pairs_are_recognised():
    rng = np.random.default_rng(0)
    official = np.argsort(rng.random((8, 500)), 0) < 4
    assert equal_counts(official) == 4
    assert equal_counts(np.argsort(rng.random((8, 500)), 0) < 2) == 2
    for split in ("fixed_size", "balanced", "bernoulli"):
        assert equal_counts(membership(0, 500, 8, split)) is None


@pytest.mark.parametrize("models", [4, 6, 10, 14])
def test_halves_keep_pairs_together_and_share_no_model(models):
    order = np.random.default_rng(models).permutation(models)
    partners = complementary_partners(membership(0, 200, models, "balanced")[order])
    valid = np.arange(models) != 1
    first, second = halved(valid, partners)
    assert not (first & second).any() and ((first | second) == valid).all()
    for half in (first, second):
        kept = np.flatnonzero(half)
        assert all(half[partners[model]] or not valid[partners[model]] for model in kept)
    assert abs(int(first.sum()) - int(second.sum())) <= 2


def test_halves_of_models_without_partners_are_the_first_and_the_last():
    valid = np.array([True, False, True, True, True, True])
    first, second = halved(valid, None)
    assert np.flatnonzero(first).tolist() == [0, 2, 3] and np.flatnonzero(second).tolist() == [4, 5]
