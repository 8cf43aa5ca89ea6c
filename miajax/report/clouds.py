"""Plots of many things beside one another: estimates with their intervals in rows, clouds of points in panels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from miajax.report import palette
from miajax.report.plots import FULL, INCHES, Drawn, Mark, axes_at, blank_axes, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Row(NamedTuple):
    """An estimate in a row: its name, value, interval and colour."""

    label: str
    value: float
    low: float
    high: float
    colour: str


class Cloud(NamedTuple):
    """One panel of points.

    Attributes:
      title: over the panel.
      points: ``[n, 2]``.
      circled: which points are circled, by the ring's name.
    """

    title: str
    points: Float[np.ndarray, "points 2"]
    circled: Mapping[str, Bool[np.ndarray, " points"]]


class Tile(NamedTuple):
    """A picture, ``uint8[H, W]`` or ``uint8[H, W, 3]``, and whether it is framed."""

    picture: UInt8[np.ndarray, "height width *channels"]
    marked: bool


_FRAME = 3  # pixels
_RINGS = (("o", 92, palette.BLUE), ("s", 46, palette.VERMILION), ("D", 13, palette.INK))
"""Shape, size and colour of the rings, the widest first: each inside the one before, and of a shape of its own."""


@styled
def forest_figure(
    columns: Sequence[tuple[str, Sequence[Row]]],
    *,
    marks: Sequence[Mark | None],
    key: Mapping[str, str],
    width: float = FULL,
) -> "Figure":
    """Estimates with intervals, one row each and one panel a figure; all panels have the same rows in the same order.

    Args:
      columns: ``(name of the figure, rows)``, the first row at the top.
      marks: of each panel, a value to compare with.
      key: colours by meaning, for the legend.
      width: in inches; the height follows the rows.
    """
    from matplotlib.figure import Figure

    count = len(columns[0][1])
    height = 0.9 + 0.19 * count
    figure: Drawn = Figure(figsize=(width, height))
    axes: Drawn = None
    left, right, gap = 2.35 / width, 0.15 / width, 0.25 / width
    each = (1 - left - right - gap * (len(columns) - 1)) / len(columns)
    places = np.arange(count)[::-1]
    for index, ((name, rows), mark) in enumerate(zip(columns, marks, strict=True)):
        axes = axes_at(figure, (left + index * (each + gap), 0.45 / height, each, 0.19 * count / height))
        for place, row in zip(places, rows, strict=True):
            axes.plot([row.low, row.high], [place, place], color=row.colour, linewidth=1.2)
            axes.plot([row.value], [place], "o", color=row.colour, markersize=3.6)
        if mark is not None:
            axes.axvline(mark.x, color=palette.MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.annotate(
                mark.label, (mark.x, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="center", va="bottom", fontsize=8, color=palette.MUTED,
            )  # fmt: skip
        axes.set_ylim(-0.7, count - 0.3)
        axes.set_yticks(places, [row.label for row in rows] if index == 0 else [""] * count)
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.set_xlabel(name)
    handles = [
        axes.plot([], [], "o", color=colour, markersize=4, label=label)[0] for label, colour in key.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="upper left", ncols=len(handles), bbox_to_anchor=(0.0, 1.0), handletextpad=0.1)
    return figure


@styled
def cloud_figure(clouds: Sequence[Cloud], *, width: float = FULL) -> "Figure":
    """Clouds of points without axes, five panels a row, with rings around some points, small rings in large ones.

    The rings of the first name are the widest; those of a name have one shape and one colour in all panels.
    """
    from matplotlib.figure import Figure

    across = min(5, len(clouds))
    down = -(-len(clouds) // across)
    side = width / across
    height = down * side + 0.35
    figure: Drawn = Figure(figsize=(width, height))
    axes: Drawn = None
    looks: dict[str, dict[str, Any]] = {}
    for index, cloud in enumerate(clouds):
        row, column = divmod(index, across)
        low = 1 - (0.35 + (row + 0.95) * side) / height
        axes = axes_at(figure, ((column + 0.03) / across, low, 0.94 / across, 0.85 * side / height))
        axes.scatter(*cloud.points.T, s=9, color=palette.FAINT, linewidths=0, rasterized=True)
        for ring, (name, circled) in enumerate(cloud.circled.items()):
            shape, size, colour = _RINGS[ring % len(_RINGS)]
            look = {"marker": shape, "s": size, "facecolors": "none", "edgecolors": colour, "linewidths": 1.2}
            axes.scatter(*cloud.points[circled].T, **looks.setdefault(name, look))
        axes.set_title(cloud.title, fontsize=9, color=palette.INK, pad=3)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color(palette.RULE)
    handles = [axes.scatter([], [], **look, label=name) for name, look in looks.items()]
    figure.legend(handles=handles, loc="upper left", ncols=max(1, len(handles)), bbox_to_anchor=(0.0, 1.0))
    return figure


@styled
def scatter_figure(
    x: Float[np.ndarray, " points"],
    y: Float[np.ndarray, " points"],
    hard: Bool[np.ndarray, " points"],
    *,
    xlabel: str,
    ylabel: str,
    level: tuple[float, str],
    most: int = 4000,
    inches: tuple[float, float] = INCHES,
) -> "Figure":
    """Two numbers of each example against each other, easy and hard ones in two colours.

    Args:
      x, y: one point an example.
      hard: which are hard to fit.
      xlabel, ylabel: names of the axes.
      level: height of a line, and its name.
      most: points drawn at most, every so many of them.
      inches: width and height.
    """
    figure, axes = blank_axes(inches)
    shown = np.arange(len(x))[:: max(1, -(-len(x) // most))]
    for where, label, colour in ((~hard, "easy to fit", palette.SKY), (hard, "hard to fit", palette.VERMILION)):
        rows = shown[where[shown]]
        axes.scatter(x[rows], y[rows], s=6, color=colour, alpha=0.45, linewidths=0, label=label, rasterized=True)
    axes.axhline(level[0], color=palette.MUTED, linewidth=0.9, linestyle=(0, (4, 2)), label=level[1])
    axes.grid(True)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(loc="lower right", borderaxespad=0.3, handletextpad=0.3, labelspacing=0.3)
    return figure


@styled
def picture_rows_figure(
    rows: Sequence[tuple[str, Sequence[Tile], Sequence[Tile]]], *, titles: tuple[str, str], width: float = FULL
) -> "Figure":
    """Pictures in rows, two blocks side by side; a coloured frame marks some.

    Args:
      rows: ``(name, left pictures, right pictures)``, all of one size.
      titles: over the blocks.
      width: in inches; the height follows the rows.
    """
    from matplotlib.figure import Figure

    most = max(len(block) for _, *blocks in rows for block in blocks)
    side = max(max(tile.picture.shape[:2]) for _, *blocks in rows for block in blocks for tile in block)
    enlarged = max(1, 48 // side)
    cell = side * enlarged + 2 * _FRAME + 4
    middle = most * cell + cell // 2
    canvas = np.zeros((len(rows) * cell, middle + most * cell, 4), np.uint8)  # seen through between the pictures
    for row, (_, *blocks) in enumerate(rows):
        for left, block in zip((0, middle), blocks, strict=True):
            for column, tile in enumerate(block):
                framed = _framed(tile, enlarged)
                top, start = row * cell, left + column * cell
                canvas[top : top + framed.shape[0], start : start + framed.shape[1]] = framed
    share = 0.86  # the names stand left of it
    height = width * share * canvas.shape[0] / canvas.shape[1]
    figure = Figure(figsize=(width, height + 0.35))
    axes = axes_at(figure, (1 - share, 0.05 / (height + 0.35), share, height / (height + 0.35)))
    axes.imshow(canvas, interpolation="none", aspect="auto")
    axes.set_yticks((np.arange(len(rows)) + 0.5) * cell, [name for name, *_ in rows])
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for left, title in zip((0, middle), titles, strict=True):
        axes.annotate(
            title, (left, 0), xytext=(0, 5), textcoords="offset points", fontsize=9, color=palette.INK, va="bottom"
        )
    return figure


def _framed(tile: Tile, enlarged: int) -> np.ndarray:
    """``uint8[h, w, 4]``: the picture enlarged, in a frame that is seen through where nothing is marked."""
    picture = tile.picture if tile.picture.ndim == 3 else np.repeat(tile.picture[..., None], 3, -1)
    picture = picture.repeat(enlarged, 0).repeat(enlarged, 1)
    colour = [*(int(palette.MEMBER[at : at + 2], 16) for at in (1, 3, 5)), 255] if tile.marked else [0, 0, 0, 0]
    framed = np.full((picture.shape[0] + 2 * _FRAME, picture.shape[1] + 2 * _FRAME, 4), colour, np.uint8)
    framed[_FRAME:-_FRAME, _FRAME:-_FRAME, :3] = picture
    framed[_FRAME:-_FRAME, _FRAME:-_FRAME, 3] = 255
    return framed
