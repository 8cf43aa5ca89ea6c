"""Numbers as people read them: as many digits as the interval supports, and rates in words."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from miajax.metrics import figures

DASH = "–"
_NBSP = "\u00a0"
_PER = {1: "ten", 2: "hundred", 3: "thousand", 4: "ten thousand", 5: "hundred thousand", 6: "million"}


@dataclasses.dataclass(frozen=True)
class Estimate(figures.Estimate):
    """A measured number as people read it; where there is none, tables show the reason as a footnote.

    Attributes:
      decimals: digits after the point, or None for as many as the interval supports.
    """

    decimals: int | None = None

    def __str__(self) -> str:
        return f"{self.number} {self.interval_text}".strip()

    @property
    def number(self) -> str:
        """The value alone, e.g. ``0.598``."""
        return DASH if self.value is None else self._printed(self.value)

    @property
    def interval_text(self) -> str:
        """The interval alone, e.g. ``[0.591, 0.605]``; empty where there is none."""
        if self.value is None or self.interval is None:
            return ""
        return f"[{self._printed(self.interval[0])}, {self._printed(self.interval[1])}]"

    def _printed(self, number: float) -> str:
        return rate(number, self.interval) if self.decimals is None else _no_minus_zero(f"{number:.{self.decimals}f}")


def shown(figure: figures.Estimate, decimals: int | None = None) -> Estimate:
    """A figure as people read it."""
    return Estimate(figure.value, figure.interval, figure.reason, figure.chance, decimals)


def estimate(
    value: Any, interval: Sequence[Any] | None = None, reason: str = "", decimals: int | None = None
) -> Estimate:
    """An ``Estimate`` from what JSON holds: null, NaN and infinite numbers all mean "no number"."""
    number = finite(value)
    ends = tuple(finite(end) for end in interval) if interval is not None else ()
    if number is None:
        return Estimate(None, None, reason, decimals=decimals)
    low, high = ends if len(ends) == 2 else (None, None)
    return Estimate(number, None if low is None or high is None else (low, high), decimals=decimals)


def finite(value: Any) -> float | None:
    """``value`` as a float, or None where it is missing, NaN or infinite."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def rate(value: float, interval: Sequence[float] | None = None) -> str:
    """A fraction with two digits of its interval's width, or two of its own without one; three to five decimals."""
    width = abs(interval[1] - interval[0]) if interval is not None else 0.0
    if width > 0:
        decimals = 1 + math.ceil(-math.log10(width))
    else:
        decimals = 1 - math.floor(math.log10(abs(value))) if value else 3
    return _no_minus_zero(f"{value:.{min(max(decimals, 3), 5)}f}")


def _no_minus_zero(text: str) -> str:
    return text if float(text) else text.lstrip("-")


def percent(fraction: float) -> str:
    """A fraction as per cent for prose: one decimal from 1 % on, two significant digits below; 0 and 100 are exact.

    What is not all never reads 100.0 %, and what is not nothing never 0: near either end digits are added, and beyond
    six of them it is below 0.000001 % or above 99.999999 %.
    """
    value = 100 * fraction
    if value in (0, 100):
        return f"{value:g}{_NBSP}%"
    if 0 < value < 1e-6:
        return f"below 0.000001{_NBSP}%"
    if 100 - 1e-6 < value < 100:
        return f"above 99.999999{_NBSP}%"
    decimals = 1 if abs(value) >= 1 else min(1 - math.floor(math.log10(abs(value))), 7)
    if value < 100:
        while float(f"{value:.{decimals}f}") == 100:
            decimals += 1
    return f"{value:.{decimals}f}{_NBSP}%"


def floored(epsilon: float, decimals: int = 2) -> float:
    """A lower bound, or the largest that could be shown, rounded down so that it stays one."""
    return math.floor(epsilon * 10**decimals + 1e-9) / 10**decimals


def lower(epsilon: float, decimals: int = 2) -> str:
    """A lower bound as text, rounded down."""
    return f"{floored(epsilon, decimals):,.{decimals}f}"


def points(difference: float, interval: Sequence[float] | None = None, *, signed: bool = False) -> str:
    """A difference of fractions in percentage points, with a real minus sign; as many digits as the interval supports.

    Args:
      difference: a fraction less another.
      interval: of it, or None.
      signed: with a plus sign where it is positive.
    """
    ends = None if interval is None else [100 * end for end in interval]
    number = fixed(100 * difference, _decimals(ends, 1), signed)
    return f"{number} points" + _bracketed(ends, _decimals(ends, 1), signed)


def difference(value: float, interval: Sequence[float] | None = None) -> str:
    """A difference in the figure's own unit, such as of two AUCs, signed and with its interval: ``+0.006 [...]``."""
    decimals = max(3, _decimals(interval, 3))
    return fixed(value, decimals, True) + _bracketed(interval, decimals, True)


def moved(change: figures.Estimate) -> str:
    """``difference`` of a figure; a dash where there is none."""
    return DASH if change.value is None else difference(change.value, change.interval)


def moved_points(change: figures.Estimate) -> str:
    """``points`` of a figure, signed; a dash where there is none."""
    return DASH if change.value is None else points(change.value, change.interval, signed=True)


def _decimals(interval: Sequence[float] | None, fewest: int) -> int:
    """Digits after the point that show two digits of the interval's width, at most three beyond the fewest."""
    width = 0.0 if interval is None else abs(interval[1] - interval[0])
    if interval is None or width == 0:
        return fewest
    decimals = min(max(fewest, 1 + math.ceil(-math.log10(width))), fewest + 3)
    while decimals < fewest + 3 and any(end and not float(f"{end:.{decimals}f}") for end in interval):
        decimals += 1  # an end that lies off 0 is not printed as 0: which side it lies on is what matters
    return decimals


def fixed(value: float, decimals: int, signed: bool = False) -> str:
    """A number with so many digits after the point, a real minus sign, and none before a 0."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"


def _bracketed(interval: Sequence[float] | None, decimals: int, signed: bool) -> str:
    return "" if interval is None else f" [{', '.join(fixed(end, decimals, signed) for end in interval)}]"


def level(fraction: float) -> str:
    """A fraction that somebody chose, as per cent with no digit more than it has: ``0.1 %``."""
    return f"{100 * fraction:g}{_NBSP}%"


def percent_interval(interval: Sequence[float] | None) -> str:
    """``2.4 % to 3.0 %``, or nothing without an interval."""
    return "" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def times(ratio: float, of: str) -> str:
    """How a figure compares with another that ``of`` names: ``27 times chance``, ``2.7 times chance``.

    What would read "1.0 times" is "about as much as" it, and small ratios keep two digits.
    """
    if 0.95 <= ratio < 1.05:
        return f"about as much as {of}"
    decimals = 0 if ratio >= 10 or ratio == 0 else 1 if ratio >= 1 else min(1 - math.floor(math.log10(ratio)), 6)
    return f"{ratio:,.{decimals}f} times {of}"


def count(value: int | float) -> str:
    """A whole number with thousands separated."""
    return f"{value:,.0f}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 model``, ``256 models``."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def seconds(value: float) -> str:
    """A duration with three significant digits below a minute, minutes and hours above."""
    if value < 10:
        return f"{value:.2f}{_NBSP}s"
    if value < 60:
        return f"{value:.1f}{_NBSP}s"
    if value < 3600:
        return f"{int(value // 60)}{_NBSP}min {value % 60:.0f}{_NBSP}s"
    return f"{int(value // 3600):,}{_NBSP}h {value % 3600 / 60:.0f}{_NBSP}min"


def plain(value: float, digits: int = 2) -> str:
    """A positive number of any size with so many significant digits, never as a power of ten: ``0.0012``, ``1,200``."""
    if 0 < value < 1e-6:
        return "below 0.000001"
    decimals = 0 if value == 0 else min(max(0, digits - 1 - math.floor(math.log10(abs(value)))), 6)
    return f"{value:,.{decimals}f}"


def one_per(fpr: float) -> str:
    """A false-positive rate in words: ``one false alarm per thousand``."""
    power = round(-math.log10(fpr))
    exact = math.isclose(fpr, 10.0**-power, rel_tol=1e-9) and power in _PER
    return f"one false alarm per {_PER[power] if exact else count(1 / fpr)}"
