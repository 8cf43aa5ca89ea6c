"""The pictures of the report on defences."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from miajax.report import palette
from miajax.report.plots import FULL, blank_axes, styled
from miajax.studies.defenses.results import Row, named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = {
    "none": (palette.INK, "o"),
    "training": (palette.BLUE, "o"),
    "data": (palette.VERMILION, "s"),
    "answers": (palette.GREEN, "^"),
}


@styled
def trade_off_figure(rows: Sequence[Row]) -> "Figure":
    """Returns accuracy against what adaptive LiRA gets from the most vulnerable 1 %, a numbered point a defence."""
    figure, axes = blank_axes((FULL, 4.6))
    axes.set_position((0.07, 0.115, 0.5, 0.86))
    ends = [end for row in rows for end in row.test_accuracy.interval]
    left, right = min(ends), max(ends)
    step = min(0.043, 0.95 / len(rows))
    for number, row in enumerate(rows, 1):
        figures, same = row.most_vulnerable
        rate = named(figures)
        value, interval = rate.value, rate.interval
        colour, marker = STAGES[row.stage]
        title = f"{number}  {row.title}"
        figure.text(0.6, 0.965 - step * number, title, fontsize=8, color=colour, va="center")
        if value is None or interval is None:
            continue
        x = 100 * row.test_accuracy.value
        axes.plot([x, x], [100 * end for end in interval], color=colour, linewidth=0.8, alpha=0.5)
        across = [100 * end for end in row.test_accuracy.interval]
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
            fontsize=7,
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
def knowledge_figure(rows: Sequence[Row]) -> "Figure":
    """Returns LiRA's AUC by defence, without and with knowledge of it, joined by a line."""
    figure, axes = blank_axes((FULL, 0.55 + 0.24 * len(rows)), left=2.7)
    axes.axvline(0.5, color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    for place, row in enumerate(rows):
        naive, adaptive = row.lira_naive.auc, row.lira_adaptive.auc
        axes.plot(
            np.array([naive.value, adaptive.value], float), [place, place], color=palette.RULE, linewidth=2.4,
            solid_capstyle="round", zorder=1,
        )  # fmt: skip
        for auc, colour, label, marker, beside in (
            (row.threshold_auc, palette.SLATE, "threshold on the loss", "|", -0.22),
            (naive, palette.BLUE, "LiRA, defence unknown", "D", 0.0),
            (adaptive, palette.VERMILION, "LiRA, defence known", "o", 0.22),  # equal ones would hide each other
        ):
            axes.plot(
                np.array([auc.value], float),
                [place + beside],
                marker,
                color=colour,
                markersize=5,
                label=label if place == 0 else None,
            )
            if auc.interval is not None:
                axes.plot(auc.interval, [place + beside] * 2, color=colour, linewidth=0.9)
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.set_ylim(len(rows) - 0.4, -1.6)
    axes.grid(True, axis="x")
    axes.set_xlabel("AUC on all examples")
    axes.legend(loc="upper right", ncols=3, fontsize=8, borderaxespad=0.0, handletextpad=0.1, columnspacing=1.0)
    return figure
