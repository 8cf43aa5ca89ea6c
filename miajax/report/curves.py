"""Plots of figures over the epochs of a training: lines with the bands of their intervals, rows of histograms."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from miajax.report import palette
from miajax.report.plots import (
    FULL,
    HALF,
    Drawn,
    Mark,
    axes_at,
    blank_axes,
    draw_marks,
    styled,
)
from miajax.report.rate_axes import floor_of_rates, logarithmic_rates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCHES = (HALF, 3.2)


@dataclasses.dataclass(frozen=True)
class Trace:
    """A figure after every epoch.

    Attributes:
      label: its name in the legend.
      values: ``[E]``; NaN leaves a gap.
      band: ``[E, 2]``, its interval, or None.
      colour, dash, marker: how it is drawn.
    """

    label: str
    values: Float[np.ndarray, " epochs"]
    band: Float[np.ndarray, "epochs 2"] | None
    colour: str
    dash: str = "-"
    marker: str = ""


@styled
def epoch_figure(
    traces: Sequence[Trace],
    *,
    ylabel: str,
    marks: Sequence[Mark] = (),
    level: tuple[float, str] | None = None,
    rates: bool = False,
    inches: tuple[float, float] = _INCHES,
) -> "Figure":
    """Figures against epochs 1 to E.

    Args:
      traces: drawn in order.
      ylabel: name of the upright axis.
      marks: epochs to name.
      level: a height to compare with, and its name.
      rates: whether they are rates of events that may be rare: on a logarithmic axis where an interval would flatten
        them.
      inches: width and height.
    """
    figure, axes = blank_axes(inches, left=0.62)
    _draw(axes, traces, level, _floor(traces) if rates else None)
    _finish(axes, traces, ylabel)
    draw_marks(axes, marks)
    return figure


@styled
def stacked_epoch_figure(
    panels: Sequence[tuple[str, Sequence[Trace], tuple[float, str] | None, bool]],
    *,
    marks: Sequence[Mark] = (),
    inches: tuple[float, float] = (6.4, 7.2),
) -> "Figure":
    """Several sets of traces above one another over the same epochs: ``(ylabel, traces, level, rates)`` each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches)
    height = 0.9 / len(panels)
    for place, (ylabel, traces, level, rates) in enumerate(panels):
        axes = axes_at(figure, (0.12, 0.965 - (place + 1) * height + 0.035, 0.85, height - 0.05))
        _draw(axes, traces, level, _floor(traces) if rates else None)
        _finish(axes, traces, ylabel)
        if place < len(panels) - 1:
            axes.set_xlabel("")
        draw_marks(axes, marks if place == 0 else [Mark(mark.x, "") for mark in marks])
    return figure


@styled
def histogram_row_figure(
    edges: Float[np.ndarray, " edges"],
    members: Float[np.ndarray, "epochs bins"],
    non_members: Float[np.ndarray, "epochs bins"],
    titles: Sequence[str],
    *,
    xlabel: str,
    inches: tuple[float, float] = (FULL, 2.5),
) -> "Figure":
    """Densities of members and non-members side by side, a panel an epoch, all to one scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches)
    width = 0.94 / len(titles)
    peak = float(max(members.max(), non_members.max()))
    for place, (member, non_member, title) in enumerate(zip(members, non_members, titles, strict=True)):
        axes = axes_at(figure, (0.055 + place * width, 0.2, width - 0.02, 0.68))
        for density, label, colour in (
            (non_member, "non-members", palette.NON_MEMBER), (member, "members", palette.MEMBER),
        ):  # fmt: skip
            axes.stairs(density, edges, color=colour, fill=True, alpha=0.16, linewidth=0)
            axes.stairs(density, edges, color=colour, linewidth=1.3, label=label, baseline=None)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.1 * peak)
        axes.set_title(title, fontsize=9, color=palette.INK, pad=4)
        axes.locator_params(
            axis="x", nbins=4, prune="both"
        )  # the last number of a panel would meet the next one's first
        axes.grid(True, axis="y")
        axes.set_xlabel(xlabel)
        if place:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel("density")
            axes.legend(loc="upper right", borderaxespad=0.1, handlelength=1.2, labelspacing=0.2)
    return figure


def _floor(traces: Sequence[Trace]) -> float | None:
    """Where a logarithmic axis begins, if rates need one."""
    values = np.concatenate([np.asarray(trace.values, np.float64) for trace in traces])
    bands = [np.asarray(trace.band, np.float64)[:, 1] for trace in traces if trace.band is not None]
    return floor_of_rates(values, np.concatenate(bands)) if bands else None


def _draw(axes: Drawn, traces: Sequence[Trace], level: tuple[float, str] | None, floor: float | None) -> None:
    if floor is not None:
        logarithmic_rates(axes, floor)
    if level is not None:
        height, name = level
        axes.axhline(height, color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)), label=name)
    for trace in traces:
        epochs = np.arange(1, len(trace.values) + 1)
        marker = trace.marker or ("o" if len(epochs) == 1 else "")
        shown = trace.values if floor is None else np.maximum(trace.values, floor)
        axes.plot(
            epochs, shown, color=trace.colour, linestyle=trace.dash, linewidth=1.5, label=trace.label,
            marker=marker, markersize=3.5, markevery=max(1, len(epochs) // 10),
        )  # fmt: skip
        if trace.band is not None:
            low, high = np.asarray(trace.band, np.float64).T
            low = low if floor is None else np.maximum(low, floor)
            axes.fill_between(epochs, low, high, color=trace.colour, alpha=0.15, linewidth=0)


def _finish(axes: Drawn, traces: Sequence[Trace], ylabel: str) -> None:
    last = max(len(trace.values) for trace in traces)
    axes.set_xlim(0.5, last + 0.5)
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100) if last / step <= 10), last)
    axes.set_xticks([1, *range(step, last + 1, step)] if step > 1 else list(range(1, last + 1)))
    low, high = axes.get_ylim()
    above = 0.08 + 0.07 * len(axes.get_legend_handles_labels()[1])  # marks carry their names at the top, and the legend
    if axes.get_yscale() == "log":
        axes.set_ylim(low, high * (high / low) ** above)
    else:
        axes.set_ylim(low, high + above * (high - low))
    axes.grid(True)
    axes.set_xlabel("epoch")
    axes.set_ylabel(ylabel)
    axes.legend(loc="best", borderaxespad=0.3, labelspacing=0.3, handlelength=2.0)
