"""Plots as small SVGs: ROC, histograms, dots. Matplotlib's object interface only, imported when first used.

Drawing is fast because figures hold few points (curves are cut to a grid, clouds are thinned), axes are placed by
hand (no layout pass), text stays text, and mathtext is never parsed (which also keeps ``$`` in a user's name harmless).
"""

import base64
import dataclasses
import functools
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Float

from miajax.report import dark, palette, vectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Drawn = Any
"""A figure or axes of matplotlib, whose own annotations leave keyword arguments without a type."""
FPR_FLOOR = 1e-5
_MARKED = 24  # points of the grid between a curve's marks
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.edgecolor": palette.FAINT,
    "axes.labelcolor": palette.MUTED,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": palette.RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.color": palette.INK,
    "text.parse_math": False,
    "xtick.color": palette.FAINT,
    "ytick.color": palette.FAINT,
    "xtick.labelcolor": palette.MUTED,
    "ytick.labelcolor": palette.MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "miajax",
    "pdf.fonttype": 42,  # text stays text
    "axes.formatter.use_mathtext": False,
}
_PAGE_FONTS = "font-family: Inter, Segoe UI, Helvetica Neue, Arial, Liberation Sans, sans-serif"
FULL, HALF = 9.2, 4.44
"""Inches of figures as wide as a page and as half of one: what is drawn so wide has letters of one size there."""
INCHES = (HALF, 3.4)
_DOTS_PER_INCH = 220  # of what is drawn as pixels inside of a figure
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def styled(draw: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Runs ``draw`` under the house style, leaving the caller's matplotlib settings alone."""

    @functools.wraps(draw)
    def under_style(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        import matplotlib

        untyped: Any = matplotlib
        with untyped.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return under_style


@dataclasses.dataclass(frozen=True)
class Curve:
    """One attack's ROC.

    Attributes:
      label: its name in the legend.
      fpr, tpr: corners of the curve, both ascending, fractions.
      colour, dash, marker: how it is drawn; ``dash`` as matplotlib's line styles, ``marker`` as its markers.
      intervals: ``(fpr, tpr, low, high)`` where the TPR's interval is known; drawn as bars.
    """

    label: str
    fpr: Float[np.ndarray, " points"]
    tpr: Float[np.ndarray, " points"]
    colour: str
    dash: str = "-"
    marker: str = ""
    intervals: Sequence[tuple[float, float, float, float]] = ()


@dataclasses.dataclass(frozen=True)
class Sample:
    """Values to show as a histogram: a name, any number of values (NaN is left out), a colour."""

    label: str
    values: Float[np.ndarray, "..."]
    colour: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A vertical line with a name."""

    x: float
    label: str


@styled
def roc_figure(curves: Sequence[Curve], *, resolvable_fpr: float, inches: tuple[float, float] = INCHES) -> "Figure":
    """Log-log ROC from 1e-5 with the diagonal of chance and bars for known intervals.

    Args:
      curves: drawn in order; the legend follows it.
      resolvable_fpr: 1 / number of non-members; what lies left of it is shaded, because it rests on no false alarm.
      inches: width and height.
    """
    figure, axes = blank_axes(inches)
    grid = np.geomspace(FPR_FLOOR, 1.0, 240)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot([FPR_FLOOR, 1], [FPR_FLOOR, 1], color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)), label="chance")
    for index, curve in enumerate(curves):
        tpr = np.asarray(curve.tpr)[np.searchsorted(curve.fpr, grid, side="right") - 1]
        shown = np.where(tpr > 0, tpr, np.nan)
        marked = {"marker": curve.marker, "markersize": 4, "markevery": (7 * index % _MARKED, _MARKED)}
        axes.plot(grid, shown, color=curve.colour, linestyle=curve.dash, linewidth=1.6, label=curve.label, **marked)
        if curve.intervals:
            known = np.asarray(curve.intervals, np.float64)
            x, y, low, high = known[known[:, 1] > FPR_FLOOR].T
            spread = [np.maximum(y - np.maximum(low, FPR_FLOOR), 0), np.maximum(high - y, 0)]
            beside = x * 10 ** (0.018 * (index - (len(curves) - 1) / 2))  # bars at one rate would hide each other
            axes.errorbar(beside, y, spread, fmt="none", ecolor=curve.colour, elinewidth=1.1, capsize=2)
    if resolvable_fpr > FPR_FLOOR:
        axes.axvspan(FPR_FLOOR, resolvable_fpr, color=palette.WASH, linewidth=0, zorder=0)
        if resolvable_fpr > 3 * FPR_FLOOR:
            axes.text(
                math.sqrt(FPR_FLOOR * resolvable_fpr),
                0.7,
                "not\nresolvable",
                color=palette.MUTED,
                fontsize=8,
                ha="center",
                va="top",
            )
    axes.set_xlim(FPR_FLOOR, 1)
    axes.set_ylim(FPR_FLOOR, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([10.0**power for power in range(-5, 1)], [power_of_ten(power) for power in range(-5, 1)])
        axis.set_ticks([], minor=True)
    axes.grid(True)
    axes.set_xlabel("false-positive rate")
    axes.set_ylabel("true-positive rate")
    axes.legend(loc="lower right", borderaxespad=0.2, labelspacing=0.3, handlelength=2.2)
    return figure


@styled
def histogram_figure(
    samples: Sequence[Sample],
    *,
    xlabel: str,
    ylabel: str = "density",
    bins: int | None = None,
    log: bool = False,
    marks: Sequence[Mark] = (),
    overlay: tuple[str, Float[np.ndarray, " points"], Float[np.ndarray, " points"]] | None = None,
    clip: tuple[float, float] = (0.001, 0.001),
    inches: tuple[float, float] = INCHES,
) -> "Figure":
    """Histograms over common bins, as densities, filled under a step line.

    Args:
      samples: one or more sets of values.
      xlabel, ylabel: names of the axes.
      bins: number of bins, or None for as many as the smallest sample supports.
      log: logarithmic density, for tails.
      marks: vertical lines with names.
      overlay: ``(name, x, density)`` of a curve to compare with.
      clip: shares of the values left outside the axis, at the lower and at the upper end.
      inches: width and height.
    """
    figure, axes = blank_axes(inches)
    values = [sample.values for sample in samples]
    edges = common_edges(values, bins or supported_bins(values), clip, include=[mark.x for mark in marks])
    margin = 0.0 if any(clip) else 0.03 * (edges[-1] - edges[0])
    peak, floor = 0.0, math.inf
    for sample in samples:
        density = _density(sample.values, edges)
        positive = density[density > 0]
        peak = max(peak, density.max(initial=0))
        floor = min(floor, positive.min(initial=math.inf))
        axes.stairs(density, edges, color=sample.colour, fill=True, alpha=0.16, linewidth=0)
        axes.stairs(density, edges, color=sample.colour, linewidth=1.4, label=sample.label, baseline=None)
    if overlay is not None:
        name, x, density = overlay
        axes.plot(x, density, color=palette.MUTED, linewidth=1.1, linestyle="--", label=name)
        peak = max(peak, float(np.max(density)))
    if log and floor < math.inf:
        axes.set_yscale("log")
        bottom, top = math.floor(math.log10(floor)), math.ceil(math.log10(peak * 2))
        axes.set_ylim(10.0**bottom, 10.0**top)
        powers = range(bottom, top + 1, max(1, (top - bottom) // 5))
        axes.yaxis.set_ticks([10.0**power for power in powers], [power_of_ten(power) for power in powers])
        axes.yaxis.set_ticks([], minor=True)
    else:
        axes.set_ylim(0, 1.22 * peak or 1)
    axes.set_xlim(edges[0] - margin, edges[-1] + margin)
    draw_marks(axes, marks)
    axes.grid(True, axis="y")
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if len(samples) > 1 or overlay is not None:
        crowded = any(mark.x > 0.6 * edges[-1] + 0.4 * edges[0] for mark in marks)
        side = "upper left" if crowded else "upper right"
        axes.legend(loc=side, borderaxespad=0.1, handlelength=1.4, labelspacing=0.3)
    return figure


@styled
def gap_figure(
    member_accuracy: Float[np.ndarray, " models"],
    non_member_accuracy: Float[np.ndarray, " models"],
    *,
    most: int = 256,
    inches: tuple[float, float] = INCHES,
) -> "Figure":
    """Every model's accuracy on its members and on its non-members, joined by a line, sorted by the latter.

    Args:
      member_accuracy: fractions; models with NaN are left out.
      non_member_accuracy: fractions.
      most: models drawn at most, evenly picked from the sorted ones.
      inches: width and height.
    """
    figure, axes = blank_axes(inches, bottom=0.3)
    both = np.stack([np.asarray(member_accuracy, np.float64), np.asarray(non_member_accuracy, np.float64)])
    both = both[:, np.isfinite(both).all(axis=0)]
    both = both[:, np.lexsort((both[0], both[1]))]
    both = both[:, np.linspace(0, both.shape[1] - 1, min(both.shape[1], most), dtype=int)] if both.size else both
    rank = np.arange(int(both.shape[1]))
    axes.vlines(rank, both[1], both[0], color=palette.RULE, linewidth=min(1.4, 180 / max(1, len(rank))))
    size = 4.2 if len(rank) <= 64 else 2.6
    for values, label, colour in (
        (both[0], "on its members", palette.MEMBER),
        (both[1], "on its non-members", palette.NON_MEMBER),
    ):
        axes.plot(rank, values, "o", color=colour, markersize=size, markeredgewidth=0, label=label)
    if both.size:
        low, high = float(both.min()), float(both.max())
        span = max(high - low, 0.01)
        axes.set_ylim(low - 0.08 * span, high + 0.24 * span)
        ticks = [tick for tick in axes.get_yticks() if low - 0.08 * span <= tick <= min(1.0, high + 0.1 * span) + 1e-9]
        axes.set_yticks(ticks)
        axes.set_xlim(-0.03 * len(rank) - 0.5, 1.03 * len(rank) - 0.5)
    axes.set_xticks([])
    axes.grid(True, axis="y")
    axes.set_xlabel("models, sorted by accuracy on non-members", labelpad=6)
    axes.set_ylabel("accuracy")
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.1, handletextpad=0.2, columnspacing=1.2)
    return figure


@styled
def save_png(figure: Drawn, file: IO[bytes], *, dpi: int = 160) -> None:
    """Writes the figure as PNG into an open file; writing atomically is the caller's business."""
    figure.savefig(file, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})


@styled
def figure_to_data_uri(figure: "Figure", format: str = "svg") -> str:
    """The figure as a ``data:`` URI: ``svg`` (small, sharp on paper; the default) or ``png`` (many points).

    It is offered to ``vectors``, which keeps it as SVG and PDF where they were asked for.
    """
    if format == "png":
        buffer = io.BytesIO()
        save_png(figure, buffer)
        uri = _data_uri("image/png", buffer.getvalue())
    elif format == "svg":
        uri = _data_uri("image/svg+xml", dark.following_the_page(vector(figure, "svg").decode()).encode())
    else:
        raise ValueError(f"format is {format!r}; expected 'svg' or 'png'")
    vectors.offer(uri, lambda kind: vector(figure, kind))
    return uri


@styled
def vector(figure: Drawn, format: str) -> bytes:
    """The figure as SVG or PDF, the same bytes whenever it is drawn."""
    buffer = io.BytesIO()
    if format == "pdf":
        figure.savefig(buffer, format="pdf", transparent=True, metadata={"CreationDate": None}, dpi=_DOTS_PER_INCH)
        return buffer.getvalue()
    figure.savefig(buffer, format="svg", transparent=True, dpi=_DOTS_PER_INCH)
    svg = buffer.getvalue().decode()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)  # it holds the date
    return re.sub(r"font-family: [^;]*", _PAGE_FONTS, svg).encode()


def supported_bins(samples: Sequence[Float[np.ndarray, "..."]]) -> int:
    """Rice's rule, 2 n^(1/3) bins, for the smallest sample; between 8 and 70."""
    smallest = min((int(np.count_nonzero(np.isfinite(sample))) for sample in samples), default=0)
    return min(70, max(8, round(2 * smallest ** (1 / 3))))


def common_edges(
    samples: Sequence[Float[np.ndarray, "..."]],
    bins: int,
    clip: tuple[float, float] = (0.0, 0.0),
    include: Sequence[float] = (),
) -> Float[np.ndarray, " edges"]:
    """Equal bins over all finite values but the shares ``clip`` at both ends, widened to hold ``include``."""
    low, high = math.inf, -math.inf
    for sample in samples:
        values = np.asarray(sample).ravel()
        values = values[np.isfinite(values)]
        if values.size:
            few = values[:: max(1, values.size // 100_000)]  # enough for a quantile; sorting all would take longer
            first, last = np.quantile(few, [clip[0], 1 - clip[1]]) if any(clip) else (values.min(), values.max())
            low, high = min(low, float(first)), max(high, float(last))
    low, high = min([low, *include]), max([high, *include])
    if not math.isfinite(low):
        low, high = 0.0, 1.0
    if high - low < 1e-9 * max(1.0, abs(low)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def _density(values: Float[np.ndarray, "..."], edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " bins"]:
    finite = np.asarray(values).ravel()
    finite = finite[np.isfinite(finite)]
    counts, _ = np.histogram(finite, bins=len(edges) - 1, range=(edges[0], edges[-1]))
    return counts / max(1, finite.size) / (edges[1] - edges[0])


def draw_marks(axes: Drawn, marks: Sequence[Mark]) -> None:
    low, high = axes.get_xlim()
    for mark in marks:
        right = mark.x > (low + high) / 2
        axes.axvline(mark.x, color=palette.INK, linewidth=0.9, linestyle=(0, (4, 2)))
        axes.annotate(
            mark.label,
            (mark.x, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, -3),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            fontsize=8,
            color=palette.INK,
        )


def blank_axes(inches: tuple[float, float], *, left: float = 0.6, bottom: float = 0.46) -> tuple[Drawn, Drawn]:
    """A figure with one axes placed in inches from its edges."""
    from matplotlib.figure import Figure

    width, height = inches
    right, top = 0.08, 0.08
    figure = Figure(figsize=inches)
    place = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure, axes_at(figure, place)


def axes_at(figure: Drawn, place: tuple[float, float, float, float]) -> Drawn:
    """Axes at ``(left, bottom, width, height)``, fractions of the figure, with their grid behind what is drawn."""
    axes = figure.add_axes(place)
    axes.set_axisbelow(True)
    return axes


def power_of_ten(power: int) -> str:
    """How an axis writes 10 to the power."""
    return {0: "1", -1: "0.1", 1: "10"}.get(power, "10" + str(power).translate(_SUPERSCRIPT))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
