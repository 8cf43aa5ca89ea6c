"""Shares of outliers that are named, where rows are of people."""

import numpy as np
import pytest

from miajax.metrics.intervals import clopper_pearson
from miajax.studies.outliers.study import share_named


def test_a_share_rests_on_people_where_rows_are_theirs():
    named, groups = np.arange(60) < 15, np.repeat(np.arange(60), 4)
    alone = share_named(named, np.ones(60, bool), np.arange(60)).vulnerable
    together = share_named(named[groups], np.ones(240, bool), groups).vulnerable
    by_row = share_named(named[groups], np.ones(240, bool)).vulnerable
    assert alone.value == together.value == by_row.value == 0.25
    assert together.interval == pytest.approx(alone.interval, abs=1e-9)  # four equal rows of a person say no more
    assert by_row.interval == pytest.approx(clopper_pearson(60, 240))
    width, of_rows = (figure.interval[1] - figure.interval[0] for figure in (together, by_row))
    assert 1.7 < width / of_rows < 2.3  # a quarter of the draws


@pytest.mark.parametrize("groups", [None, np.array([0, 0, 1])])
def test_shares_of_no_and_of_all_examples_have_a_reason_or_an_interval(groups):
    none = share_named(np.ones(3, bool), np.zeros(3, bool), groups)
    assert none.vulnerable.value is None and none.num_examples == 0
    every = share_named(np.ones(3, bool), np.ones(3, bool), groups).vulnerable
    assert every.value == 1.0 and every.interval is not None and every.interval[0] < 1.0
