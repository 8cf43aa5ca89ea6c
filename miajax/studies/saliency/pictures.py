"""Saliency maps as pictures: overlays on the example, signed differences; and the plots of the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from miajax.report import palette
from miajax.report.pictures import as_bytes, png_data_uri
from miajax.report.plots import FULL, Drawn, axes_at, blank_axes, figure_to_data_uri, styled
from miajax.studies.saliency.results import Curves, FeatureShare, MapFound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST_SIDE = 56  # pixels that a picture is enlarged to, in whole steps


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float32)


def _grey(picture: np.ndarray) -> np.ndarray:
    """``[H, W]`` in 0..1."""
    values = np.asarray(picture, np.float32).mean(-1)
    return values / 255 if picture.dtype == np.uint8 else (values - values.min()) / max(np.ptp(values), 1e-12)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    times = max(1, -(-_LEAST_SIDE // picture.shape[0]))
    return picture.repeat(times, 0).repeat(times, 1)


def displayed(picture: np.ndarray) -> np.ndarray:
    """``uint8[H, W, 3]``: the example itself, ``[H, W, K]``."""
    if picture.shape[-1] == 3:
        return as_bytes(picture, 0, 255 if picture.dtype == np.uint8 else 1)
    return np.repeat(as_bytes(_grey(picture), 0, 1)[..., None], 3, -1)


def plain(picture: np.ndarray) -> str:
    """The example itself, ``[H, W, K]``, as a ``data:`` URI."""
    return png_data_uri(np.ascontiguousarray(_enlarged(displayed(picture))))


@styled
def strip(pictures: Sequence[np.ndarray], titles: Sequence[str], *, across: int = 2) -> str:
    """Pictures ``[H, W, 3]``, each under its title, in rows of ``across``, as one ``data:`` URI."""
    from matplotlib.figure import Figure

    down = -(-len(pictures) // across)
    tile, gap, title = 1.0, 0.06, 0.19  # inches
    width, height = across * (tile + gap) - gap, down * (tile + title)
    figure: Drawn = Figure(figsize=(width, height))
    for place, (picture, name) in enumerate(zip(pictures, titles, strict=True)):
        row, column = divmod(place, across)
        bottom = height - (row + 1) * (tile + title)
        axes = axes_at(figure, (column * (tile + gap) / width, bottom / height, tile / width, tile / height))
        axes.imshow(picture, interpolation="none", aspect="auto")
        axes.set_axis_off()
        axes.set_title(name, fontsize=8, loc="left", pad=2, color=palette.MUTED)
    return figure_to_data_uri(figure)


def overlay(picture: np.ndarray, saliency: np.ndarray, largest: float | None = None) -> np.ndarray:
    """``uint8[H, W, 3]``: the example in grey under the magnitude of its map, the more the redder.

    ``largest`` gets the full colour; the map's own largest if None.
    """
    relevance = np.abs(saliency).reshape(*picture.shape[:2], -1).sum(-1)
    strength = (relevance / max(relevance.max() if largest is None else largest, 1e-12))[..., None].clip(0, 1)
    base = 255 - 150 * _grey(picture)[..., None]
    mixed = (1 - 0.85 * strength) * base + 0.85 * strength * _rgb(palette.VULNERABLE)
    return mixed.round().clip(0, 255).astype(np.uint8)


def signed(saliency: np.ndarray, shape: tuple[int, ...], largest: float) -> np.ndarray:
    """``uint8[H, W, 3]``: red above zero and blue below, grey where it is NaN; ``largest`` gets the full colour."""
    values = np.asarray(saliency, np.float32).reshape(*shape[:2], -1).sum(-1)[..., None] / max(largest, 1e-12)
    strength = np.nan_to_num(np.abs(values)).clip(0, 1)
    colour = np.where(values > 0, _rgb(palette.VULNERABLE), _rgb(palette.SAFE))
    mixed = np.where(np.isnan(values), _rgb(palette.RULE), (1 - strength) * 255 + strength * colour)
    return mixed.round().clip(0, 255).astype(np.uint8)


def key(strengths: Mapping[str, float]) -> list[tuple[str, str]]:
    """Names with the colours of ``signed`` at shares of the largest value: the scale of small pictures."""
    colours = [signed(np.full((1, 1), share, np.float32), (1, 1), 1.0)[0, 0] for share in strengths.values()]
    return [(name, "rgb({} {} {})".format(*colour)) for name, colour in zip(strengths, colours, strict=True)]


@styled
def deletion_figure(methods: Mapping[str, MapFound]) -> "Figure":
    """Returns deletion curves of vulnerable and safe examples, one panel a method."""
    from matplotlib.figure import Figure

    columns = 3
    top = 1.15 * max(_highest(entry.deletion.curves) for entry in methods.values())
    rows = -(-len(methods) // columns)
    figure: Drawn = Figure(figsize=(FULL, 2.5 * rows))
    for place, (name, entry) in enumerate(methods.items()):
        axes = figure.add_subplot(rows, columns, place + 1)
        curves, deleted = entry.deletion.curves, [100 * fraction for fraction in entry.deletion.fractions]
        for curve, band, colour, dash, label in (
            (curves.vulnerable, curves.vulnerable_ci, palette.VULNERABLE, "-", "vulnerable"),
            (curves.safe, curves.safe_ci, palette.SAFE, "--", "safe"),
        ):
            axes.plot(deleted, curve, color=colour, linestyle=dash, linewidth=1.5, label=label)
            if band:
                low, high = np.array([ends or (np.nan, np.nan) for ends in band]).T
                axes.fill_between(deleted, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.set_title(name.replace("_", " "), fontsize=9)
        axes.set_ylim(0, min(1.0, top))
        axes.grid(True)
        axes.set_xlabel("most relevant pixels deleted, %")
        if place % columns == 0:
            axes.set_ylabel("probability of the label")
        if place == 0:
            axes.legend(loc="upper right", fontsize=8)
    figure.subplots_adjust(left=0.09, right=0.99, top=0.93, bottom=0.11 if rows > 1 else 0.2, hspace=0.5, wspace=0.25)
    return figure


def _highest(curves: Curves) -> float:
    """The highest point of both curves and of their bands."""
    ends = [band[1] for band in (*curves.vulnerable_ci, *curves.safe_ci) if band]
    return max([*curves.vulnerable, *curves.safe, *ends])


@styled
def shift_figure(
    shifts: Mapping[str, tuple[Float[np.ndarray, " examples"], Float[np.ndarray, " examples"]]],
) -> "Figure":
    """Returns the shift of maps against vulnerability, a point an example, one panel a method."""
    from matplotlib.figure import Figure

    width = FULL
    figure: Drawn = Figure(figsize=(width, 3.3))
    for place, (name, (vulnerability, shift)) in enumerate(shifts.items()):
        axes = figure.add_subplot(1, len(shifts), place + 1)
        axes.axhline(0, color=palette.MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.plot(vulnerability, shift, ".", color=palette.ACCENT, markersize=2.5, alpha=0.5, rasterized=True)
        axes.set_title(name.replace("_", " "), fontsize=9)
        axes.grid(True)
        axes.set_xlabel("AUC of the example's scaled logit (even models)")
        if place == 0:
            axes.set_ylabel("shift of its map (odd models)")
    figure.subplots_adjust(left=0.62 / width, right=0.98, top=0.92, bottom=0.15)
    return figure


@styled
def feature_figure(features: Sequence[FeatureShare]) -> "Figure":
    """Returns the features that maps of a table rest on most, as bars with intervals."""
    figure, axes = blank_axes((FULL, 0.8 + 0.26 * len(features)), left=1.1)
    for offset, side, colour, shares in (
        (-0.19, "vulnerable", palette.VULNERABLE, [feature.vulnerable for feature in features]),
        (0.19, "safe", palette.SAFE, [feature.safe for feature in features]),
    ):
        places = np.arange(len(features)) + offset
        axes.barh(places, [share.value or 0.0 for share in shares], 0.36, color=colour, label=side)
        for y, share in zip(places, shares, strict=True):
            if share.interval is not None:
                axes.plot(share.interval, [y, y], color=palette.INK, linewidth=0.8)
    axes.set_yticks(range(len(features)), [f"feature {f.feature}" for f in features])
    axes.invert_yaxis()
    axes.grid(True, axis="x")
    axes.set_xlabel("share of the map's magnitude")
    axes.legend(loc="lower right", fontsize=8)
    return figure
