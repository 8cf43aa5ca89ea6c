"""The plot of private training: accuracy, what LiRA finds, and epsilon from above and below, over the budgets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from miajax.metrics.figures import Estimate, fpr_key
from miajax.report import palette
from miajax.report.plots import FULL, Drawn, styled
from miajax.report.rate_axes import floor_of_rates, logarithmic_rates
from miajax.studies.dpsgd.figures import FPR, Dpsgd, Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST_EPSILON = 0.01  # bounds of 0 are drawn here, on the axis
_INCHES = (FULL, 8.2)
BOUND_NAMES = {
    "clopper_pearson": "one record, many models",
    "gdp": "one record, Gaussian",
    "one_run": "one-run audit",
    "one_run_gdp": "one-run audit, Gaussian",
    "pooled_clopper_pearson": "heuristic: all pooled",
    "pooled_gdp": "heuristic: all pooled, Gaussian",
}
_LOOK = {
    "clopper_pearson": (palette.VERMILION, "o"),
    "gdp": (palette.ORANGE, "^"),
    "one_run": (palette.GREEN, "s"),
    "one_run_gdp": (palette.PURPLE, "D"),
    "pooled_clopper_pearson": (palette.SLATE, "v"),
    "pooled_gdp": (palette.SLATE, "x"),
}


@styled
def privacy_figure(found: Dpsgd) -> "Figure":
    """Three panels over the budgets, the models without privacy first."""
    from matplotlib.figure import Figure

    names, columns = zip(*found.named, strict=True)
    figure: Drawn = Figure(figsize=_INCHES)
    for place, draw in enumerate((_accuracy, _found, _epsilons)):
        axes = figure.add_axes((0.085, 0.705 - 0.322 * place, 0.9, 0.275))
        axes.set_axisbelow(True)
        axes.grid(True)
        draw(axes, columns)
        axes.set_xlim(-0.4, len(columns) - 0.6)
        axes.set_xticks(range(len(columns)), names)
    figure.axes[-1].set_xlabel("requested epsilon (∞: clipped, no noise)")
    return figure


def _dots(axes: Drawn, figures: Sequence[Estimate], **look: Any) -> None:
    """Figures with their intervals, a place each; one without a value leaves a gap."""
    known = [
        (place, each.value, each.interval or (each.value, each.value))
        for place, each in enumerate(figures)
        if each.value is not None
    ]
    if known:
        reach = [[value - ends[0] for _, value, ends in known], [ends[1] - value for _, value, ends in known]]
        x, y, _ = zip(*known, strict=True)
        axes.errorbar(x, y, reach, capsize=2.5, elinewidth=1.1, **look)


def _accuracy(axes: Drawn, columns: Sequence[Point]) -> None:
    _dots(
        axes, [each.train_accuracy for each in columns], fmt="o", color=palette.MEMBER, markersize=4, label="on members"
    )
    _dots(
        axes,
        [each.test_accuracy for each in columns],
        fmt="o",
        color=palette.NON_MEMBER,
        markersize=4,
        label="on non-members",
    )
    axes.set_ylabel("accuracy")
    axes.legend(loc="lower left", ncols=2)


def _found(axes: Drawn, columns: Sequence[Point]) -> None:
    rates = [each.attacked.tpr for each in columns]
    _dots(axes, rates, fmt="o", color=palette.BLUE, markersize=4, label="LiRA, every model a target")
    line = max(each.attacked.chance for each in columns)
    axes.axhline(line, color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)), label="chance")
    tops = np.array([rate.interval[1] for rate in rates if rate.interval])
    floor = floor_of_rates(np.array([line, *(rate.value for rate in rates if rate.value is not None)]), tops)
    if floor is None:
        axes.set_ylim(0, 1.3 * max([line, *tops]))  # room for the legend
    else:
        logarithmic_rates(axes, floor)
    axes.set_ylabel(f"TPR at FPR {fpr_key(FPR)}")
    axes.legend(loc="upper right")


def _epsilons(axes: Drawn, columns: Sequence[Point]) -> None:
    axes.set_yscale("log")
    for accountant, size in (("rdp", 8), ("pld", 16)):
        spent = [column.guarantee.epsilon_by_accountant[accountant] for column in columns]
        known = [(x, value) for x, value in enumerate(spent) if value is not None]
        if known:
            axes.plot(
                *zip(*known, strict=True), linestyle="none", marker="_", markersize=size, markeredgewidth=2,
                color=palette.INK if accountant == "pld" else palette.FAINT, label=f"accountant: {accountant.upper()}",
            )  # fmt: skip
    names = list(columns[0].epsilon_lower)
    for index, name in enumerate(names):
        colour, marker = _LOOK[name]
        beside = 0.09 * (index - (len(names) - 1) / 2)
        bounds = [(place + beside, column.epsilon_lower[name]) for place, column in enumerate(columns)]
        known = [(x, max(bound, _LEAST_EPSILON)) for x, bound in bounds if bound is not None]
        if not known:
            continue
        x, y = zip(*known, strict=True)
        axes.plot(
            x, y, linestyle="none", marker=marker, markersize=4.5, color=colour, label=BOUND_NAMES[name], clip_on=False
        )
    top = max(column.guarantee.epsilon or 0.0 for column in columns)
    axes.set_ylim(_LEAST_EPSILON, 100 * max(top, 1.0))
    axes.set_yticks([0.01, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    axes.set_yticks([], minor=True)
    axes.set_ylabel("epsilon")
    axes.legend(loc="upper right", ncols=2, fontsize=8.5, labelspacing=0.25, columnspacing=1.0)
