"""Figures on a dark page: an SVG that carries its own sheet and changes its colours with the page, without a script.

A browser that shows an SVG as a picture tells it whether the reader prefers dark. Where one does not, or on paper, the
figure stays dark on its light sheet, and can be read all the same.
"""

import re

from miajax.report import palette

_OPENING = re.compile(r"<svg\b[^>]*>")
_VIEW = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


def following_the_page(svg: str) -> str:
    """The figure on a sheet of the page's colour, with a rule for each of its colours that the dark page changes.

    Args:
      svg: a figure in colours of ``palette``, transparent where nothing is drawn.
    """
    opening, view = _OPENING.search(svg), _VIEW.search(svg)
    assert opening and view, "a figure is an SVG with a view box at 0 0"
    rules = "".join(_rules(light, dark) for light, dark in palette.DARK.items() if light in svg)
    rules += f".sheet{{fill:{palette.DARK[palette.PAPER]}}}"
    style = f"<style>@media screen and (prefers-color-scheme:dark){{{rules}}}</style>"
    sheet = f'<rect class="sheet" width="{view[1]}" height="{view[2]}" fill="#fff"/>'
    return svg[: opening.end()] + style + sheet + svg[opening.end() :]


def _rules(light: str, dark: str) -> str:
    """Matplotlib writes colours as styles, and they outrank a sheet; charts by hand have them as attributes."""
    return "".join(
        f'[style*="{part}: {light}"],[{part}="{light}"]{{{part}:{dark}!important}}' for part in ("fill", "stroke")
    )
