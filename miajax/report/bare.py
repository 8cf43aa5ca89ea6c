"""A drawing without margins, in the units of the picture that it repeats: what was written by hand, as PDF."""

from collections.abc import Callable

from miajax.report.plots import Drawn, styled, vector


@styled
def bare_pdf(width: float, height: float, draw: Callable[[Drawn], None]) -> bytes:
    """One axes that fills the page, without frame or ticks; y runs downwards, as in SVG.

    Args:
      width, height: in units, each of which is a point (1/72 inch).
      draw: draws on the axes in these units.
    """
    from matplotlib.figure import Figure

    figure: Drawn = Figure(figsize=(width / 72, height / 72))
    axes: Drawn = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    draw(axes)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return vector(figure, "pdf")
