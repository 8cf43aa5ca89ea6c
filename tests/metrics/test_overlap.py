"""How far attackers agree: by hand, by slow twins, under independence, and where they are one and the same."""

import numpy as np
import pytest

from miajax.metrics.overlap import (
    agreement,
    chance_jaccard,
    expected_jaccard,
    most_named,
    over_pairs,
    ratio,
    shared_top,
)
from tests.oracles import per_record as oracle


def attackers(seed=0, count=3, targets=5, records=40):
    rng = np.random.default_rng(seed)
    member = rng.random((targets, records)) < 0.5
    return rng.random((count, targets, records)) < 0.2 + 0.3 * member, member


def test_shares_are_those_of_sets_counted_one_by_one():
    named, member = attackers()
    found = agreement(named, member)
    cells = [(t, x) for t, x in np.argwhere(member)]
    any_ = np.mean([named[:, t, x].any() for t, x in cells])
    all_ = np.mean([named[:, t, x].all() for t, x in cells])
    assert found.found_by_any.value == pytest.approx(any_)
    assert found.found_by_all.value == pytest.approx(all_)
    assert found.flips.value == pytest.approx(any_ - all_)
    both = sum((named[i] & named[j] & member).sum() for i in range(3) for j in range(i))
    either = sum(((named[i] | named[j]) & member).sum() for i in range(3) for j in range(i))
    assert found.jaccard.value == pytest.approx(both / either)
    assert found.false_by_all.value == pytest.approx(np.mean([named[:, t, x].all() for t, x in np.argwhere(~member)]))
    assert found.tpr.value == pytest.approx(named[:, member].mean())
    for figure in (found.jaccard, found.found_by_any, found.found_by_all, found.flips, found.tpr):
        assert figure.interval is not None and figure.interval[0] <= figure.value <= figure.interval[1]


def test_independent_attackers_show_what_chance_says():
    rng = np.random.default_rng(1)
    member = rng.random((40, 4000)) < 0.5
    rates = np.array([0.1, 0.3, 0.2])
    named = rng.random((3, *member.shape)) < rates[:, None, None]
    found = agreement(named, member)
    for figure in (found.jaccard, found.found_by_any, found.flips, found.false_by_any):
        assert figure.value == pytest.approx(figure.chance, rel=0.03)
    assert found.found_by_all.chance == pytest.approx(rates.prod(), rel=0.05)
    assert found.found_by_all.value == pytest.approx(rates.prod(), rel=0.2)  # 480 cells


def test_one_attacker_twice_agrees_with_itself_and_two_that_share_no_record_never():
    named, member = attackers(count=1)
    same = agreement(np.concatenate([named, named]), member)
    assert same.jaccard.value == 1.0 and same.flips.value == 0.0
    assert same.found_by_any.value == same.found_by_all.value == same.tpr.value
    apart = agreement(np.concatenate([named, ~named]), member)
    assert apart.jaccard.value == 0.0 and apart.flips.value == 1.0 and apart.found_by_any.value == 1.0
    assert apart.flips_of_records == {0.5: 1.0, 0.9: 1.0, 0.99: 1.0}


def test_where_nobody_is_named_there_is_no_overlap_and_the_reason_is_told():
    _, member = attackers()
    found = agreement(np.zeros((2, *member.shape), bool), member)
    assert found.jaccard.value is None and found.jaccard.reason == "No attacker names a member."
    assert found.found_by_any.value == 0.0
    assert chance_jaccard(np.zeros((2, 5)), np.full(5, 20)) is None


@pytest.mark.parametrize(("num", "one", "other"), [(30, 5, 7), (10, 8, 9), (12, 0, 4), (9, 0, 0), (200, 2, 2)])
def test_two_random_sets_overlap_as_counting_all_of_them_says(num, one, other):
    assert expected_jaccard(num, one, other) == pytest.approx(oracle.expected_jaccard(num, one, other))


def test_two_random_sets_overlap_as_drawing_them_says():
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(4000):
        a, b = (set(rng.permutation(30)[:size]) for size in (6, 9))
        drawn.append(len(a & b) / len(a | b))
    assert expected_jaccard(30, 6, 9) == pytest.approx(np.mean(drawn), abs=0.005)


def test_the_most_named_are_ordered_by_share_then_by_score_and_unknown_ones_come_last():
    shares = np.array([0.5, 1.0, 1.0, np.nan, 0.5])
    scores = np.array([3.0, 1.0, 2.0, 9.0, 4.0])
    for count, chosen in ((1, {2}), (2, {1, 2}), (3, {1, 2, 4}), (5, {0, 1, 2, 3, 4})):
        assert set(np.flatnonzero(most_named(shares, scores, count))) == chosen


def test_shared_top_is_the_mean_over_pairs_of_neighbours():
    tops = np.zeros((5, 20), bool)
    for row, chosen in enumerate([(0, 1, 2, 3), (2, 3, 4, 5), (6, 7, 8, 9), (6, 7, 8, 10), (0, 1, 2, 3)]):
        tops[row, list(chosen)] = True
    found = shared_top(tops)
    assert found.value == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert found.chance == pytest.approx(4 / 20)


def test_a_ratio_s_interval_covers_where_records_are_named_by_all_or_none():
    """Whole records are alike over targets: cells are far fewer than they look, and an interval by cells would miss."""
    held = []
    rng = np.random.default_rng(3)
    for _ in range(200):
        easy = rng.random(150) < 0.2
        named = easy & (rng.random((2, 10, 150)) < 0.9)
        found = agreement(named, np.ones((10, 150), bool)).tpr
        assert found.interval is not None
        held.append(found.interval[0] <= 0.18 <= found.interval[1])
    assert 0.9 <= np.mean(held) <= 0.99


def test_groups_are_one_draw_and_widen_the_interval():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(30), 5)
    part = (rng.random(30) < 0.3)[groups].astype(float) * np.ones((8, 1))
    whole = np.ones_like(part)
    alone, together = ratio(part, whole), ratio(part, whole, groups)
    assert alone.interval is not None and together.interval is not None
    assert alone.value == together.value
    assert np.ptp(together.interval) > 1.5 * np.ptp(alone.interval)


def test_two_pairs_are_no_sample_of_pairs_and_four_are():
    """With two, the few records on top are the sample; a variance between two pairs would leave 0 to 1."""
    rng = np.random.default_rng(5)
    whole = np.zeros((4, 300))
    whole[:, :20] = 1.0
    part = whole * (rng.random(whole.shape) < 0.8)
    two, four = over_pairs(part[:2], whole[:2]), over_pairs(part, whole)
    assert two.value == pytest.approx(part[:2].sum() / 40) and four.value == pytest.approx(part.sum() / 80)
    assert two.interval is not None and 0.5 < two.interval[0] < two.value < two.interval[1] < 0.95
    assert over_pairs(part[:2], whole[:2]).interval == ratio(part[:2].sum(0)[None], whole[:2].sum(0)[None]).interval
    assert four.interval == ratio(part, whole).interval
