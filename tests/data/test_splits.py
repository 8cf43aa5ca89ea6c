from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miajax.data.splits import SPLITS, Split, member_capacity, member_ids, membership
from miajax.errors import UserError

seeds = st.integers(0, 2**32)
sizes = st.integers(2, 41)
models = st.integers(1, 9)


@given(seed=seeds, n=sizes, m=models, fraction=st.integers(1, 99).map(lambda percent: percent / 100))
@settings(deadline=None)
def test_fixed_size_rows_have_exactly_the_stated_number_of_members(seed, n, m, fraction):
    size = floor(Fraction(str(fraction)) * n)
    if not 1 <= size < n:
        return
    rows = membership(seed, n, m, "fixed_size", fraction)
    assert rows.dtype == bool and rows.shape == (m, n)
    assert (rows.sum(1) == size).all()


@given(seed=seeds, n=sizes, pairs=st.integers(1, 5))
@settings(deadline=None)
def test_balanced_pairs_are_complements_and_every_example_is_a_member_of_half_the_models(seed, n, pairs):
    rows = membership(seed, n, 2 * pairs, "balanced")
    np.testing.assert_array_equal(rows[0::2], ~rows[1::2])
    assert (rows.sum(0) == pairs).all()
    assert set(np.unique(rows.sum(1))) <= {n // 2, (n + 1) // 2}


def test_balanced_gives_the_larger_half_of_an_odd_pool_to_both_sides_in_turn():
    sizes = membership(3, 7, 4, "balanced").sum(1)
    assert sizes.tolist() == [3, 4, 4, 3]


@given(seed=seeds, n=sizes, split=st.sampled_from(SPLITS), m=models, more=st.integers(0, 6))
@settings(deadline=None)
def test_earlier_rows_stay_the_same_when_models_are_added(seed, n, split: Split, m, more):
    few, many = membership(seed, n, m, split), membership(seed, n, m + more, split)
    np.testing.assert_array_equal(few, many[:m])


@pytest.mark.parametrize("split", SPLITS)
def test_another_seed_gives_another_split_and_the_same_seed_the_same(split: Split):
    once, again, other = (membership(seed, 101, 6, split) for seed in (5, 5, 6))
    np.testing.assert_array_equal(once, again)
    assert (once != other).mean() > 0.4


@pytest.mark.parametrize("split", SPLITS)
def test_models_of_different_pairs_draw_independently(split: Split):
    rows = membership(0, 20_001, 4, split)
    agreement = (rows[0] == rows[2]).mean()
    assert abs(agreement - 0.5) < 5 * 0.5 / 20_001**0.5


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("split", ["fixed_size", "bernoulli"])
def test_each_example_is_a_member_with_the_stated_frequency(split: Split, fraction):
    num_models, num_examples = 400, 25
    rows = membership(1, num_examples, num_models, split, fraction)
    expected = fraction if split == "bernoulli" else int(fraction * num_examples) / num_examples
    spread = (expected * (1 - expected) / num_models) ** 0.5
    assert np.abs(rows.mean(0) - expected).max() < 5 * spread


def test_bernoulli_rows_vary_in_size_as_a_binomial_does():
    counts = membership(2, 1000, 300, "bernoulli", 0.3).sum(1)
    assert 0.8 < counts.std() / (1000 * 0.3 * 0.7) ** 0.5 < 1.2


def test_published_fractions_give_the_published_sizes():
    assert membership(0, 197_324, 1, "fixed_size", 0.8).sum() == 157_859
    assert membership(0, 60_000, 1, "fixed_size", 5 / 6).sum() == 50_000
    assert membership(0, 100, 1, "fixed_size", 0.29).sum() == 29


@pytest.mark.parametrize("fraction", [-0.1, 0.0, 1.0, 1.5, float("nan"), 0.01, 1 - 1e-12])
def test_a_fraction_that_leaves_one_side_empty_is_refused(fraction):
    with pytest.raises(UserError, match="--member_fraction"):
        membership(0, 11, 2, "fixed_size", fraction)


def test_balanced_refuses_fractions_other_than_a_half():
    with pytest.raises(UserError, match=r"expected 0\.5.*fixed_size"):
        membership(0, 10, 2, "balanced", 0.3)


def test_an_unknown_split_lists_the_known_ones():
    with pytest.raises(UserError, match="fixed_size or balanced or bernoulli"):
        membership(0, 10, 2, "halves")  # pyright: ignore[reportArgumentType]


@given(seed=seeds, n=sizes, m=models, split=st.sampled_from(SPLITS))
@settings(deadline=None)
def test_member_ids_name_exactly_the_members_within_the_capacity(seed, n, m, split: Split):
    rows = membership(seed, n, m, split)
    ids, counts = member_ids(rows, member_capacity(n, split, 0.5))
    assert ids.dtype == counts.dtype == np.int32
    for row, padded, count in zip(rows, ids, counts, strict=True):
        np.testing.assert_array_equal(padded[:count], np.flatnonzero(row))
        assert (padded[count:] == padded[0]).all()


@pytest.mark.parametrize("split", SPLITS)
def test_capacity_is_exact_for_fixed_sizes_and_holds_hundreds_of_bernoulli_models(split: Split):
    counts = membership(4, 501, 300, split).sum(1)
    capacity = member_capacity(501, split, 0.5)
    assert counts.max() <= capacity
    if split != "bernoulli":
        assert counts.max() == capacity


def test_member_ids_refuse_a_capacity_below_the_largest_row():
    with pytest.raises(ValueError, match="more than the capacity 2"):
        member_ids(np.array([[True, True, True, False]]), 2)
