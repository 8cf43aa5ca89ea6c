import math

import pytest

from miajax.report import numbers
from miajax.report.numbers import Estimate, estimate


@pytest.mark.parametrize(
    ("value", "interval", "printed"),
    [
        (0.5981, (0.5912, 0.6049), "0.598 [0.591, 0.605]"),
        (0.02704, (0.0243, 0.0301), "0.0270 [0.0243, 0.0301]"),
        (0.00102, (0.00091, 0.00113), "0.00102 [0.00091, 0.00113]"),
        (1.0, None, "1.000"),
        (0.0, None, "0.000"),
        (0.0076, None, "0.0076"),
        (0.25, (0.25, 0.25), "0.250 [0.250, 0.250]"),
        (-0.0001, (-0.1, 0.1), "0.000 [-0.100, 0.100]"),
    ],
)
def test_a_number_has_the_digits_that_its_interval_supports(value, interval, printed):
    assert str(estimate(value, interval)) == printed


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_what_is_no_number_becomes_a_dash_with_its_reason(nothing):
    missing = estimate(nothing, [0.1, 0.2], "too few models")
    assert (str(missing), missing.value, missing.interval, missing.reason) == ("–", None, None, "too few models")


@pytest.mark.parametrize("broken", [[None, 0.2], [math.nan, 0.2], [], None])
def test_half_an_interval_is_no_interval(broken):
    assert estimate(0.1, broken, "unused") == Estimate(0.1)


@pytest.mark.parametrize(
    ("fraction", "printed"),
    [(0.0268, "2.7 %"), (0.001, "0.10 %"), (0.00046, "0.046 %"), (0.598, "59.8 %"), (1.0, "100 %"), (0.0, "0 %")],
)
def test_per_cent_keeps_two_digits_below_one_per_cent(fraction, printed):
    assert numbers.percent(fraction).replace("\u00a0", " ") == printed


def test_false_alarm_rates_are_said_in_words():
    assert numbers.one_per(1e-3) == "one false alarm per thousand"
    assert numbers.one_per(1e-4) == "one false alarm per ten thousand"
    assert numbers.one_per(0.004) == "one false alarm per 250"


@pytest.mark.parametrize(
    ("duration", "printed"),
    [(0.314, "0.31 s"), (11.27, "11.3 s"), (192.0, "3 min 12 s"), (7500.0, "2 h 5 min")],
)
def test_durations_read_well_from_milliseconds_to_hours(duration, printed):
    assert numbers.seconds(duration).replace("\u00a0", " ") == printed


@pytest.mark.parametrize(
    ("fraction", "printed"),
    [
        (0.0, "0 %"), (1.0, "100 %"), (0.9996, "99.96 %"), (0.99996, "99.996 %"), (0.999, "99.9 %"),
        (0.0004, "0.040 %"),
        (1e-12, "below 0.000001 %"), (1 - 1e-12, "above 99.999999 %"), (-0.013, "-1.3 %"), (1.2, "120.0 %"),
        (0.02, "2.0 %"),
    ],
)  # fmt: skip
def test_only_all_is_a_hundred_per_cent_and_only_nothing_is_none(fraction, printed):
    assert numbers.percent(fraction).replace("\u00a0", " ") == printed


@pytest.mark.parametrize(
    ("ratio", "printed"),
    [
        (0.0, "0 times chance"), (0.004, "0.0040 times chance"), (0.3, "0.30 times chance"),
        (0.97, "about as much as chance"), (1.0, "about as much as chance"), (1.049, "about as much as chance"),
        (1.3, "1.3 times chance"), (9.96, "10.0 times chance"), (1234.0, "1,234 times chance"),
    ],
)  # fmt: skip
def test_nothing_is_one_time_what_it_is_held_against(ratio, printed):
    assert numbers.times(ratio, "chance") == printed


@pytest.mark.parametrize(
    ("difference", "interval", "printed"),
    [
        (0.0061, (0.0023, 0.0102), "+0.0061 [+0.0023, +0.0102]"), (-0.2, (-0.31, -0.09), "−0.200 [−0.310, −0.090]"),
        (0.0, None, "0.000"), (0.0, (0.0, 0.0), "0.000 [0.000, 0.000]"),
        (1e-9, (-1e-9, 1e-9), "0.000000 [0.000000, 0.000000]"),
    ],
)  # fmt: skip
def test_differences_stand_in_the_unit_of_their_figure_with_the_digits_of_their_interval(difference, interval, printed):
    assert numbers.difference(difference, interval) == printed


def test_an_end_beside_zero_is_not_printed_as_zero():
    assert numbers.difference(0.0046, (0.00003, 0.0092)) == "+0.00460 [+0.00003, +0.00920]"
    assert numbers.difference(0.0046, (0.0, 0.0092)) == "+0.0046 [0.0000, +0.0092]"


def test_points_carry_their_interval_in_the_same_digits():
    assert numbers.points(0.0061, (0.0020, 0.0102), signed=True) == "+0.61 points [+0.20, +1.02]"
    assert numbers.points(-0.73) == "−73.0 points"
    assert numbers.points(-0.00001) == "0.0 points"
