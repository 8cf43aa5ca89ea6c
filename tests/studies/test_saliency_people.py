"""Saliency's rank correlation where rows are of people."""

import numpy as np
import pytest

from miajax.studies.saliency.figures import rank_correlation


def test_a_rank_correlation_of_equal_rows_is_that_of_their_people():
    rng = np.random.default_rng(0)
    one, groups = rng.random(30), np.repeat(np.arange(30), 4)
    other = rng.random(30) + 0.7 * one
    people, rows = rank_correlation(one, other), rank_correlation(one[groups], other[groups])
    grouped = rank_correlation(one[groups], other[groups], groups)
    assert grouped.value == pytest.approx(people.value, abs=1e-6) == pytest.approx(rows.value, abs=1e-6)
    assert grouped.interval == pytest.approx(people.interval, abs=1e-6)
    assert grouped.interval[0] < rows.interval[0] < rows.interval[1] < grouped.interval[1]
