"""A plot of rates against budgets, such as numbers of shadow models."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from miajax.report import palette
from miajax.report.plots import INCHES, blank_axes, power_of_ten, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Line:
    """A rate measured at several budgets.

    Attributes:
      label: its name in the legend.
      points: ``(budget, rate, low, high)``, the last two an interval.
      colour, dash, marker: how it is drawn.
    """

    label: str
    points: Sequence[tuple[float, float, float, float]]
    colour: str
    dash: str = "-"
    marker: str = ""


@styled
def budget_figure(
    lines: Sequence[Line],
    *,
    xlabel: str,
    ylabel: str,
    chance: Sequence[tuple[float, float]],
    inches: tuple[float, float] = INCHES,
) -> "Figure":
    """Rates against powers of two, both axes logarithmic, with bars for intervals and a line where chance lies.

    Args:
      lines: drawn in order; points without a value are gaps.
      xlabel, ylabel: names of the axes.
      chance: budgets, and the rate of an attack without any power at each.
      inches: width and height.
    """
    figure, axes = blank_axes(inches)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    dotted = {"color": palette.MUTED, "linewidth": 0.9, "linestyle": (0, (1, 2)), "label": "chance"}
    if len(chance) == 1:
        axes.axhline(chance[0][1], **dotted)
    else:
        axes.plot(*zip(*chance, strict=True), **dotted)
    seen = [point for line in lines for point in line.points if point[1] > 0]
    rates = [*(rate for _, rate in chance), *(point[1] for point in seen)]
    floor = min(rates) / 2
    for index, line in enumerate([line for line in lines if line.points]):
        x, y, low, high = np.asarray(line.points, np.float64).T
        beside = x * 2 ** (0.03 * (index - (len(lines) - 1) / 2))  # bars at one budget would hide each other
        shown = np.where(y > 0, y, np.nan)
        axes.plot(
            beside, shown, line.marker or "o", color=line.colour, linestyle=line.dash,
            markersize=4.2 if line.marker else 3.2, label=line.label,
        )  # fmt: skip
        spread = [np.maximum(y - np.maximum(low, floor), 0), np.maximum(high - y, 0)]
        axes.errorbar(beside, shown, spread, fmt="none", ecolor=line.colour, elinewidth=0.9, capsize=1.5)
    budgets = sorted({int(point[0]) for line in lines for point in line.points})
    axes.xaxis.set_ticks(budgets, [f"{budget}" for budget in budgets])
    axes.xaxis.set_ticks([], minor=True)
    top = max(rates) * (2 + len(lines))  # the legend needs room
    powers = range(math.ceil(math.log10(floor)), math.floor(math.log10(top)) + 1)
    axes.set_ylim(floor, top)
    axes.yaxis.set_ticks([10.0**power for power in powers], [power_of_ten(power) for power in powers])
    axes.yaxis.set_ticks([], minor=True)
    axes.grid(True)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(loc="upper left", ncols=2, borderaxespad=0.2, labelspacing=0.3, handlelength=2.2)
    return figure
