"""Tiny charts, one per example: written as SVG by hand, because a page holds dozens and each must cost microseconds."""

import base64
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from miajax.report import dark, numbers, palette, vectors
from miajax.report.bare import bare_pdf
from miajax.report.plots import Drawn

_WIDTH, _HEIGHT, _BASE = 200, 74, 56


def two_histograms(
    values: Sequence[Float[np.ndarray, " values"]],
    edges: Float[np.ndarray, " edges"],
    colours: Sequence[str] = (palette.NON_MEMBER, palette.MEMBER),
) -> str:
    """Overlaid histograms of equal area over common bins, with the ends of the axis, as an SVG ``data:`` URI.

    It is offered to ``vectors``, which keeps it where figures are asked for.

    Args:
      values: one array a histogram; NaN is left out, values beyond the edges count in the outer bins.
      edges: equal bins.
      colours: one a histogram.
    """
    shares = [_shares(sample, edges) for sample in values]
    peak = max((share.max(initial=0.0) for share in shares), default=0.0) or 1.0
    heights = [share / peak for share in shares]
    paths = "".join(
        f'<path d="{_steps(height)}" fill="{colour}" fill-opacity=".22" stroke="{colour}" stroke-width="1.2"/>'
        for height, colour in zip(heights, colours, strict=True)
    )
    marks = _marks(edges)
    labels = "".join(
        f'<text x="{x}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{text}</text>' for x, anchor, text in marks
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="10.5" '
        f'font-family="Inter,Segoe UI,Helvetica Neue,Arial,Liberation Sans,sans-serif" fill="{palette.MUTED}">{paths}'
        f'<path d="M0 {_BASE}.5H{_WIDTH}" stroke="{palette.FAINT}"/>{labels}</svg>'
    )
    uri = f"data:image/svg+xml;base64,{base64.b64encode(dark.following_the_page(svg).encode()).decode()}"
    vectors.offer(uri, lambda kind: svg.encode() if kind == "svg" else _as_pdf(heights, colours, marks))
    return uri


def _marks(edges: Float[np.ndarray, " edges"]) -> list[tuple[float, str, str]]:
    """Of the ends and the middle of the axis: where its number stands, which side of it, the number."""
    middle = 0.5 * (edges[0] + edges[-1])
    placed = ((1.0, "start", edges[0]), (_WIDTH / 2, "middle", middle), (_WIDTH - 1.0, "end", edges[-1]))
    return [(x, anchor, _number(value, edges)) for x, anchor, value in placed]


def _as_pdf(
    heights: Sequence[Float[np.ndarray, " bins"]], colours: Sequence[str], marks: Sequence[tuple[float, str, str]]
) -> bytes:
    def draw(axes: Drawn) -> None:
        for height, colour in zip(heights, colours, strict=True):
            tops, ends = _BASE - height * (_BASE - 4), np.linspace(0, _WIDTH, len(height) + 1)
            axes.stairs(tops, ends, baseline=_BASE, fill=True, facecolor=colour, edgecolor="none", alpha=0.22)
            axes.stairs(tops, ends, baseline=_BASE, color=colour, linewidth=1.2)
        axes.plot([0, _WIDTH], [_BASE + 0.5] * 2, color=palette.FAINT, linewidth=1)
        sides = {"start": "left", "middle": "center", "end": "right"}
        for x, anchor, text in marks:
            axes.text(x, _HEIGHT - 4, text, ha=sides[anchor], va="baseline", fontsize=10.5, color=palette.MUTED)

    return bare_pdf(_WIDTH, _HEIGHT, draw)


def _shares(sample: Float[np.ndarray, " values"], edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " bins"]:
    finite = np.asarray(sample, np.float64)
    finite = np.clip(finite[np.isfinite(finite)], edges[0], edges[-1])
    counts, _ = np.histogram(finite, bins=edges)
    return counts / max(1, finite.size)


def _steps(heights: Float[np.ndarray, " bins"]) -> str:
    step = _WIDTH / len(heights)
    tops = _BASE - heights * (_BASE - 4)
    corners = "".join(f"V{top:.1f}H{step * (index + 1):.1f}" for index, top in enumerate(tops))
    return f"M0 {_BASE}{corners}V{_BASE}Z"


def _number(value: float, edges: Float[np.ndarray, " edges"]) -> str:
    decimals = 0 if edges[-1] - edges[0] >= 8 else 1
    return numbers.fixed(value, decimals)
