"""SVG figures that change their colours with the page."""

import re

import numpy as np
import pytest

from miajax.report import dark, palette, plots


def _drawn() -> str:
    samples = [plots.Sample("members", np.arange(50.0), palette.MEMBER)]
    return plots.vector(plots.histogram_figure(samples, xlabel="x"), "svg").decode()


def test_every_colour_of_a_figure_gets_a_rule_for_dark_pages_and_the_figure_a_sheet():
    plain = _drawn()
    shown = dark.following_the_page(plain)
    head = re.match(r'<svg[^>]*><style>(.*?)</style><rect class="sheet"[^>]*fill="#fff"/>', shown, re.DOTALL)
    assert head and head[1].startswith("@media screen and (prefers-color-scheme:dark)")
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", plain))
    assert palette.MEMBER in used and palette.MUTED in used
    for colour in used - {"#000000"}:
        assert f"{palette.DARK[colour]}!important" in head[1]
    assert palette.GREEN not in head[1]  # no rule for what is not drawn


def test_what_is_no_svg_is_refused():
    with pytest.raises(AssertionError, match="view box"):
        dark.following_the_page("<p>text</p>")
