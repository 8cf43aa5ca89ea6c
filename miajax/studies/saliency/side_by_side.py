"""A vulnerable and a protected example beside one another: each with its maps of models that saw it and did not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Num

from miajax.report import palette
from miajax.report.plots import FULL, Drawn, axes_at, styled
from miajax.studies.saliency.pictures import displayed, overlay, signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TILE, _GAP, _TITLE, _HEAD, _LEFT = 1.86, 0.12, 0.24, 0.74, 0.03  # inches
_HALF = 2 * _TILE + _GAP
_BETWEEN, _BAR_FROM, _BAR = 0.42, 0.22, 0.16
_STEPS = 128


class Side(NamedTuple):
    """One example.

    Attributes:
      heading: what it is.
      lines: what is known of it, two short lines at most.
      picture: as stored.
      seen, unseen: mean map of models that trained on it, and of models that did not; NaN where there is none.
    """

    heading: str
    lines: Sequence[str]
    picture: Num[np.ndarray, "height width channels"]
    seen: Float[np.ndarray, "height width *channels"]
    unseen: Float[np.ndarray, "height width *channels"]


@styled
def side_by_side_figure(sides: Sequence[Side], *, scale: str) -> "Figure":
    """Two examples, four pictures each: the example, the map over it, the map with and without its having been seen.

    Args:
      sides: the left and the right one; one colour scale holds for both.
      scale: what the scale measures.
    """
    from matplotlib.figure import Figure

    height = _HEAD + 2 * (_TITLE + _TILE) + 0.05
    figure: Drawn = Figure(figsize=(FULL, height))
    maps = [summed(each, side.picture.shape) for side in sides for each in (side.seen, side.unseen)]
    largest = max(float(np.nanmax(np.abs(each), initial=0.0)) for each in maps) or 1.0
    for number, side in enumerate(sides):
        left = _LEFT + number * (_HALF + _BETWEEN)
        figure.text(left / FULL, 1 - 0.05 / height, side.heading, fontsize=11, fontweight="bold", va="top")
        for row, line in enumerate(side.lines):
            top = 1 - (0.28 + 0.2 * row) / height
            figure.text(left / FULL, top, line, color=palette.MUTED, va="top")
        seen, unseen = maps[2 * number : 2 * number + 2]
        tiles = (
            ("the example", displayed(side.picture)),
            ("map over it, models trained on it", overlay(side.picture, np.nan_to_num(seen), largest)),
            ("map, models trained on it", signed(seen, side.picture.shape, largest)),
            ("map, models not trained on it", signed(unseen, side.picture.shape, largest)),
        )
        for place, (title, tile) in enumerate(tiles):
            down, across = divmod(place, 2)
            bottom = height - _HEAD - (down + 1) * (_TITLE + _TILE)
            x = left + across * (_TILE + _GAP)
            axes = axes_at(figure, (x / FULL, bottom / height, _TILE / FULL, _TILE / height))
            axes.imshow(tile, interpolation="none", aspect="auto")
            if place and np.isnan(unseen if place == 3 else seen).all():
                axes.text(0.5, 0.5, "no such model", transform=axes.transAxes, ha="center", color=palette.INK)
            _bare(axes)
            axes.set_title(title, fontsize=8.5, loc="left", pad=3, color=palette.INK)
    _colour_scale(figure, height, maps, largest, scale)
    return figure


def summed(saliency: Float[np.ndarray, "..."], shape: tuple[int, ...]) -> Float[np.ndarray, "height width"]:
    """A map as one number a pixel; NaN where it is not known."""
    return np.asarray(saliency, np.float32).reshape(*shape[:2], -1).sum(-1)


def _colour_scale(figure: Drawn, height: float, maps: Sequence[np.ndarray], largest: float, scale: str) -> None:
    lowest = -largest if min(float(np.nanmin(each, initial=0.0)) for each in maps) < 0 else 0.0
    values = np.linspace(lowest, largest, _STEPS, dtype=np.float32)[::-1, None]
    x = _LEFT + 2 * _HALF + _BETWEEN + _BAR_FROM
    tall = 2 * _TILE + _TITLE
    axes = axes_at(figure, (x / FULL, 0.05 / height, _BAR / FULL, tall / height))
    extent = (0.0, 1.0, lowest, largest)
    axes.imshow(signed(values, values.shape, largest), interpolation="none", aspect="auto", extent=extent)
    _bare(axes)
    ticks = [lowest, 0.0, largest] if lowest else [0.0, largest / 2, largest]
    axes.yaxis.tick_right()
    axes.set_yticks(ticks, [f"{tick:.2g}".replace("-", "−") for tick in ticks])
    axes.tick_params(axis="y", length=2)
    axes.set_ylabel(scale, fontsize=8.5, labelpad=2)


def _bare(axes: Drawn) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(palette.RULE)
