"""The pictures of the report on defences."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from miajax.report import palette
from miajax.report.plots import blank_axes, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Json = Mapping[str, Any]
FPR = "0.01"
STAGES = {
    "none": (palette.INK, "o"),
    "training": (palette.BLUE, "o"),
    "data": (palette.VERMILION, "s"),
    "answers": (palette.GREEN, "^"),
}


def most_vulnerable(row: Json) -> tuple[Json | None, bool]:
    """Adaptive LiRA's figures on the examples that were most vulnerable before, or, where they are gone, on those that
    now are; and whether the former."""
    figures = row["lira_adaptive"]
    before = figures["top_1pct"]
    return (before, True) if before is not None else (figures["now_most_vulnerable"], False)


def rate(figures: Json | None) -> tuple[float | None, Sequence[float] | None]:
    """Share of the members named at ``FPR`` over all examples, with its interval."""
    if figures is None:
        return None, None
    return figures["named"][FPR], figures["named_ci"][FPR]


@styled
def trade_off_figure(results: Json) -> "Figure":
    """Returns accuracy against what adaptive LiRA gets from the most vulnerable 1 %, a numbered point a defence."""
    figure, axes = blank_axes((9.2, 4.6))
    axes.set_position((0.07, 0.115, 0.5, 0.86))
    ends = [end for row in results["rows"] for end in row["test_accuracy_ci"]]
    left, right = min(ends), max(ends)
    step = min(0.043, 0.95 / len(results["rows"]))
    for number, row in enumerate(results["rows"], 1):
        figures, same = most_vulnerable(row)
        value, interval = rate(figures)
        colour, marker = STAGES[row["stage"]]
        title = f"{number}  {row['title']}"
        figure.text(0.6, 0.965 - step * number, title, fontsize=8, color=colour, va="center")
        if value is None or interval is None:
            continue
        x = 100 * row["test_accuracy"]
        axes.plot([x, x], [100 * end for end in interval], color=colour, linewidth=0.8, alpha=0.5)
        across = [100 * end for end in row["test_accuracy_ci"]]
        axes.plot(across, [100 * value] * 2, color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(
            [x],
            [100 * value],
            marker,
            color=colour,
            markersize=10,
            markerfacecolor=colour if same else "white",
            markeredgewidth=1.2,
            linestyle="none",
        )
        axes.annotate(
            str(number),
            (x, 100 * value),
            ha="center",
            va="center",
            fontsize=6.5,
            color="white" if same else colour,
            zorder=5,
        )
    margin = 100 * max(right - left, 0.01) * 0.08
    axes.set_xlim(100 * left - margin, 100 * right + margin)
    axes.set_ylim(-4, 106)
    axes.grid(True)
    axes.set_xlabel("accuracy on non-members, %")
    axes.set_ylabel("members among the most vulnerable named at 1 % FPR, %")
    return figure


@styled
def knowledge_figure(results: Json) -> "Figure":
    """Returns LiRA's AUC by defence, without and with knowledge of it, joined by a line."""
    rows = results["rows"]
    figure, axes = blank_axes((7.6, 0.55 + 0.24 * len(rows)), left=2.7)
    axes.axvline(0.5, color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    for place, row in enumerate(rows):
        values = [row[name].get("auc") for name in ("lira_naive", "lira_adaptive")]
        threshold = row["threshold_auc"]
        axes.plot(values, [place, place], color=palette.RULE, linewidth=2.4, solid_capstyle="round", zorder=1)
        for value, interval, colour, label, marker in (
            (threshold, row["threshold_auc_ci"], palette.SLATE, "threshold on the loss", "|"),
            (values[0], row["lira_naive"].get("auc_ci"), palette.SKY, "LiRA, defence unknown", "o"),
            (values[1], row["lira_adaptive"].get("auc_ci"), palette.VERMILION, "LiRA, defence known", "o"),
        ):
            axes.plot([value], [place], marker, color=colour, markersize=6, label=label if place == 0 else None)
            axes.plot(interval, [place, place], color=colour, linewidth=0.9)
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -1.6)
    axes.grid(True, axis="x")
    axes.set_xlabel("AUC on all examples")
    axes.legend(loc="upper right", ncols=3, fontsize=8, borderaxespad=0.0, handletextpad=0.1, columnspacing=1.0)
    return figure
