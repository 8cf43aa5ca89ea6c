"""Saliency's rank correlation where rows are of people."""

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_ind

from miajax.studies.saliency.figures import rank_correlation, relation, two_groups


def test_a_rank_correlation_of_equal_rows_is_that_of_their_people():
    rng = np.random.default_rng(0)
    one, groups = rng.random(30), np.repeat(np.arange(30), 4)
    other = rng.random(30) + 0.7 * one
    people, rows = rank_correlation(one, other), rank_correlation(one[groups], other[groups])
    grouped = rank_correlation(one[groups], other[groups], groups)
    assert grouped.value == pytest.approx(people.value, abs=1e-6) == pytest.approx(rows.value, abs=1e-6)
    assert grouped.interval == pytest.approx(people.interval, abs=1e-6)
    assert grouped.interval[0] < rows.interval[0] < rows.interval[1] < grouped.interval[1]


def test_means_over_people_are_welchs_of_each_persons_mean():
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 12, 40), rng.integers(20, 35, 50)
    values = rng.normal(size=90) + rng.normal(size=40)[np.concatenate([one, other])]
    values[[3, 60]] = np.nan
    found = two_groups(values[:40], values[40:], np.concatenate([one, other]))
    means = [
        [np.nanmean(side[own == person]) for person in np.unique(own) if np.isfinite(side[own == person]).any()]
        for side, own in ((values[:40], one), (values[40:], other))
    ]
    want = ttest_ind(*means, equal_var=False).confidence_interval()
    assert found.per_group is not None
    for got, mean in zip((found.per_group.vulnerable, found.per_group.safe), means, strict=True):
        assert got.value == pytest.approx(np.mean(mean), abs=1e-9)
    assert found.per_group.difference.interval == pytest.approx((want.low, want.high), abs=1e-9)
    assert found.vulnerable.value == pytest.approx(np.nanmean(values[:40]), abs=1e-9)


def test_equal_rows_of_people_say_no_more_than_one_of_each():
    rng = np.random.default_rng(2)
    one, other = rng.normal(1, 1, 15), rng.normal(0, 2, 15)
    groups = np.repeat(np.arange(30), 4)
    once, rows = two_groups(one, other), two_groups(np.repeat(one, 4), np.repeat(other, 4))
    grouped = two_groups(np.repeat(one, 4), np.repeat(other, 4), groups)
    for figures in (grouped, grouped.per_group):
        assert figures.difference.interval == pytest.approx(once.difference.interval, abs=1e-9)
    assert rows.difference.interval[0] > grouped.difference.interval[0]


def test_a_person_on_both_sides_moves_both_means():
    """The difference of the same people's rows is that of pairs: what a person has on both sides falls out."""
    rng = np.random.default_rng(3)
    person = rng.normal(0, 5, 20)
    one, other = person + 1 + 0.1 * rng.normal(size=20), person + 0.1 * rng.normal(size=20)
    found = two_groups(one, other, np.tile(np.arange(20), 2))
    deviation = (one - other).std(ddof=1) / 20**0.5
    reach = (found.difference.interval[1] - found.difference.interval[0]) / 2
    assert 1.9 * deviation < reach < 2.2 * deviation
    alone = two_groups(one, other).difference.interval
    assert alone[1] - alone[0] > 10 * 2 * reach


def test_relations_over_people_are_those_of_their_means():
    rng = np.random.default_rng(4)
    shift, vulnerability = rng.normal(size=40), rng.random(40)
    found = relation(shift, vulnerability, 10)
    assert found.spearman.value == pytest.approx(spearmanr(shift, vulnerability).statistic, abs=1e-6)
    order = np.argsort(vulnerability)
    assert found.vulnerable.value == pytest.approx(shift[order[-10:]].mean(), abs=1e-9)
