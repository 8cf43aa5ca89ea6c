import pytest

from miajax.report import numbers
from miajax.report.privacy_words import _rate_bound


@pytest.mark.parametrize(
    ("epsilon", "said"),
    [
        (0.0, "more than 0.11 % at 0.1 % FPR"), (1.0, "more than 0.28 % at"), (4.0, "more than 5.5 % at"),
        (6.9, "more than 99.3 % at"), (20.0, "So large an epsilon allows attacks that find nearly every record"),
        (49.0, "So large an epsilon allows attacks"),
    ],
)  # fmt: skip
def test_a_guarantee_bounds_attacks_by_less_than_all_or_is_said_not_to(epsilon, said):
    text = _rate_bound({"epsilon": epsilon, "delta": 1e-5}).replace("\u00a0", " ")
    assert said in text and "100" not in text


def test_no_guarantee_bounds_nothing():
    assert _rate_bound({"epsilon": None, "delta": 1e-5}) == _rate_bound({"epsilon": 60.0, "delta": 1e-5}) == ""


@pytest.mark.parametrize(
    ("epsilon", "said"), [(0.0, "0.00"), (0.0799, "0.07"), (0.08, "0.08"), (7.999, "7.99"), (63.0, "63.00")]
)
def test_a_lower_bound_is_never_rounded_up(epsilon, said):
    assert numbers.lower(epsilon) == said
