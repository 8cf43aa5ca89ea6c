"""The plot of private training: accuracy, what LiRA finds, and epsilon from above and below, over the budgets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from miajax.report import palette
from miajax.report.plots import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FPR = "0.001"
_LEAST_EPSILON = 0.01  # bounds of 0 are drawn here, on the axis
_INCHES = (6.6, 7.0)
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


def budget_name(point: Mapping[str, Any]) -> str:
    """A budget as axes and tables name it."""
    return "∞" if point["epsilon_target"] is None else f"{point['epsilon_target']:g}"


@styled
def privacy_figure(results: Mapping[str, Any]) -> "Figure":
    """Three panels over the budgets, the models without privacy first."""
    from matplotlib.figure import Figure

    columns = [results["non_private"], *results["points"]]
    names = ["no privacy", *map(budget_name, results["points"])]
    figure = Figure(figsize=_INCHES)
    for place, draw in enumerate((_accuracy, _found, _epsilons)):
        axes = figure.add_axes((0.12, 0.705 - 0.322 * place, 0.85, 0.275))
        axes.set_axisbelow(True)
        axes.grid(True)
        draw(axes, columns)
        axes.set_xlim(-0.4, len(columns) - 0.6)
        axes.set_xticks(range(len(columns)), names)
    figure.axes[-1].set_xlabel("epsilon that was asked for (∞: clipped, no noise)")
    return figure


def _dots(axes: "Axes", values: Sequence[float | None], intervals: Sequence[Any], **look: Any) -> None:
    """Values with their intervals, a place each; None leaves a gap."""
    pairs = enumerate(zip(values, intervals, strict=True))
    known = [(place, value, ends or (value, value)) for place, (value, ends) in pairs if value is not None]
    if known:
        reach = [[value - ends[0] for _, value, ends in known], [ends[1] - value for _, value, ends in known]]
        x, y, _ = zip(*known, strict=True)
        axes.errorbar(x, y, reach, capsize=2.5, elinewidth=1.1, **look)


def _accuracy(axes: "Axes", columns: Sequence[Mapping[str, Any]]) -> None:
    for side, colour, label in (
        ("train", palette.MEMBER, "on members"), ("test", palette.NON_MEMBER, "on non-members"),
    ):  # fmt: skip
        values, ends = ([column[f"{side}_accuracy{part}"] for column in columns] for part in ("", "_ci"))
        _dots(axes, values, ends, fmt="o", color=colour, markersize=4, label=label)
    axes.set_ylabel("accuracy")
    axes.legend(loc="lower left", ncols=2)


def chance(point: Mapping[str, Any]) -> float:
    """The true-positive rate at ``FPR`` of an attack without power; ``FPR`` itself in older results."""
    return point.get("lira_chance_tpr_at_fpr", {}).get(FPR) or float(FPR)


def _found(axes: "Axes", columns: Sequence[Mapping[str, Any]]) -> None:
    rates = [column["lira_tpr_at_fpr"].get(FPR) for column in columns]
    ends = [column["lira_tpr_at_fpr_ci"].get(FPR) for column in columns]
    _dots(axes, rates, ends, fmt="o", color=palette.BLUE, markersize=4, label="LiRA, every model a target")
    line = max(chance(column) for column in columns)
    axes.axhline(line, color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)), label="chance")
    axes.set_ylim(0, 1.3 * max([line, *(end[1] for end in ends if end)]))  # the legend needs room
    axes.set_ylabel(f"TPR at FPR {FPR}")
    axes.legend(loc="upper right")


def _epsilons(axes: "Axes", columns: Sequence[Mapping[str, Any]]) -> None:
    axes.set_yscale("log")
    for accountant, size in (("rdp", 8), ("pld", 16)):
        spent = [column["epsilon_by_accountant"][accountant] for column in columns]
        known = [(x, value) for x, value in enumerate(spent) if value is not None]
        if known:
            axes.plot(
                *zip(*known, strict=True), linestyle="none", marker="_", markersize=size, markeredgewidth=2,
                color=palette.INK if accountant == "pld" else palette.FAINT, label=f"accountant: {accountant.upper()}",
            )  # fmt: skip
    names = list(columns[0]["epsilon_lower"])
    for index, name in enumerate(names):
        colour, marker = _LOOK[name]
        beside = 0.09 * (index - (len(names) - 1) / 2)
        bounds = [(place + beside, column["epsilon_lower"][name]) for place, column in enumerate(columns)]
        known = [(x, max(bound, _LEAST_EPSILON)) for x, bound in bounds if bound is not None]
        if not known:
            continue
        x, y = zip(*known, strict=True)
        axes.plot(x, y, linestyle="none", marker=marker, markersize=4.5, color=colour, label=BOUND_NAMES[name])
    top = max(column["epsilon"] or 0.0 for column in columns)
    axes.set_ylim(_LEAST_EPSILON, 100 * max(top, 1.0))
    axes.set_yticks([0.01, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    axes.set_yticks([], minor=True)
    axes.set_ylabel("epsilon")
    axes.legend(loc="upper right", ncols=2, fontsize=7.5, labelspacing=0.25, columnspacing=1.0)
