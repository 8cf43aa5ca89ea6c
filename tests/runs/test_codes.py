"""Membership, ids and labels: anything but the one reading they have is refused."""

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.runs import codes


@pytest.mark.parametrize("stored", [[1, 2], [-1, 1], [0.0, 0.5], [np.nan, 1.0], ["in", "out"]])
def test_membership_codes_other_than_0_and_1_are_refused(stored):
    with pytest.raises(UserError, match="codes of 0 and 1 only"):
        codes.membership_of(np.array(stored), "x")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 1, 1, 3], r"more than once \(1: 2 times\)"),
        ([1, 2, 3, 4], r"ids\[3\] is 4; expected 0\.\.3\. They seem to count from 1"),
        ([0, 1, 3], "leave out example 2"),
        ([0, -1, 2, 3], r"ids\[1\] is -1"),
        ([0.0, 1.0, 2.0, 3.0], "whole numbers"),
    ],
)
def test_ids_are_each_there_once(ids, message):
    with pytest.raises(UserError, match=message):
        codes.ids_of(np.array(ids), 4, "x", complete=True)


@pytest.mark.parametrize("labels", [[0, np.inf, 1], [0, 2**40, 1], [0, 1], ["a", "b", "c"]])
def test_labels_are_whole_numbers_of_int32(labels):
    with pytest.raises(UserError, match="whole numbers"):
        codes.labels_of(np.array(labels), 3, "x")
