import base64
import re

import pytest

from miajax.report import page, palette
from miajax.report.numbers import Estimate
from tests.report.fixtures import HOSTILE
from tests.report.html import Document

_DOT = "data:image/png;base64,iVBORw0KGgo="


def _every_block(text: str) -> list[page.Block]:
    columns = [page.Column(text, hint=text), page.Column(text, "number")]
    table = page.Table(columns, [[text, Estimate(None, reason=text)]], text)
    figure = page.Figure(_DOT, text, text, text)
    exhibit = page.Exhibit(text, [text], [(_DOT, text)], (_DOT, text))
    return [
        figure,
        table,
        page.Cards([page.Card(text, text, text, text)]),
        page.Prose([text]),
        page.Points([text], text),
        page.Terms([(text, text)]),
        page.Sign([(text, text)]),
        page.Code(text),
        page.Gallery([exhibit], text, text, [(text, "#000000")]),
        page.Columns([figure, page.Stack([page.Prose([text])])]),
        page.Details(text, [page.Prose([text])]),
    ]


def _page(blocks: list[page.Block], text: str = "plain") -> str:
    section = page.Section(text, text, blocks, [text])
    return page.Page(text, text, text, [(text, text)], [section, section], [text], text).html()


def test_every_block_escapes_hostile_text():
    html = _page(_every_block(HOSTILE), HOSTILE)
    document = Document(html)
    assert "script" not in document.tags
    assert "<script" not in html
    assert document.text.count("<script>alert('x')</script>") > 30
    assert ("img", "alt", HOSTILE) in document.attributes


def test_a_page_asks_nobody_for_anything():
    document = Document(_page(_every_block("text")))
    addresses = [value for _, name, value in document.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not {"link", "script", "iframe", "object"} & set(document.tags)
    policies = [value for tag, name, value in document.attributes if (tag, name) == ("meta", "content")]
    assert any("default-src 'none'" in policy for policy in policies)


def test_a_missing_value_is_a_dash_whose_reason_is_said_once():
    first, second = "too few non-members", "not computed"
    cells = [Estimate(None, reason=reason) for reason in (first, second, first)]
    columns = [page.Column("attack"), *(page.Column("rate", "number") for _ in cells)]
    document = Document(_page([page.Table(columns, [["gap", *cells]])]))
    assert ["gap", "–a", "–b", "–a"] in document.rows
    assert document.text.count(f"a {first}") == 2  # the section stands on the page twice
    assert document.text.count(f"b {second}") == 2


def test_footnote_marks_go_on_after_z():
    assert [page.footnote_mark(index) for index in (0, 25, 26, 52)] == ["a", "z", "aa", "ba"]


def test_columns_print_their_own_kind_of_number():
    kinds = ["count", "seconds", "share", "number", "text"]
    table = page.Table([page.Column(kind, kind) for kind in kinds], [[229888, 1.5, 0.42, 0.0421, "x"]])
    printed = [cell.replace("\u00a0", " ") for cell in Document(_page([table])).rows[1]]
    assert printed == ["229,888", "1.50 s", "42.0 %", "0.042", "x"]


def test_a_table_with_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 columns but rows of \\[1\\] cells"):
        page.Table([page.Column("a"), page.Column("b")], [["only one"]])


def test_a_figure_that_is_not_inline_is_refused():
    with pytest.raises(ValueError, match="must be inline"):
        page.Figure("https://example.org/roc.png", "a", "b")


def test_a_table_too_wide_for_a_sheet_is_split_and_repeats_its_first_column():
    columns = [page.Column(f"c{k}", "number" if k else "text") for k in range(30)]
    missing = Estimate(None, reason="too few")
    table = page.Table(columns, [["row", *(k / 100 for k in range(28)), missing]], "caption", [0])
    parts = table.parts()
    assert [len(part.columns) for part in parts] == [11, 11, 10]
    assert [part.columns[0].title for part in parts] == ["c0"] * 3
    assert [cell for part in parts for cell in part.rows[0][1:]] == list(table.rows[0][1:])
    html = _page([table])
    assert html.count("<table>") == 2 * 3 and html.count("too few</li>") == 2  # two sections; one footnote each
    assert page.Table(columns[:11], []).parts()[0].columns == columns[:11]


def test_every_cell_carries_its_heading_for_narrow_screens():
    html = _page([page.Table([page.Column("Attack"), page.Column("TPR", "number", 'at "FPR"')], [["a", 0.5]])])
    assert 'data-label="Attack"' in html and 'data-label="TPR at &#34;FPR&#34;"' in html


@pytest.mark.parametrize(
    "text", ['"; } body { display: none } /*', "</style><script>alert(1)</script>", "a\\\nb", "é 李"]
)
def test_the_running_title_ends_neither_its_string_nor_the_style_sheet(text):
    written = str(page.css_text(text))
    assert written[0] == written[-1] == '"' and not set(written[1:-1]) & set('"<>{}\n*/')
    decoded = re.sub(r"\\([0-9a-f]{6})", lambda match: chr(int(match[1], 16)), written[1:-1])
    assert decoded == text


def test_what_is_to_be_signed_is_blank_where_nothing_is_known():
    assert "<dt>Auditor</dt><dd></dd>" in _page([page.Sign([("Auditor", "")])])


def test_what_scrolls_sideways_can_be_reached_by_the_keyboard():
    html = _page(_every_block("plain"))
    scrolling = re.findall(r'<div class="scroll"[^>]*>', html)
    assert scrolling and all('tabindex="0"' in tag and "aria-label=" in tag for tag in scrolling)


def test_text_has_contrast_enough_to_be_read():
    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    styles = re.search(r"<style>(.*?)</style>", _page([]), re.DOTALL)
    assert styles
    names = set(re.findall(r"[{;\s]color: var\(--([a-z-]+)\)", styles[1]))
    assert len(names) >= 3
    for colours in (palette.PAGE, palette.PAGE_DARK):
        for name in names:
            for ground in ("paper", "wash"):
                low, high = sorted(luminance(colours[each]) for each in (name, ground))
                assert (high + 0.05) / (low + 0.05) >= 4.5, f"{name} on {ground}, by the WCAG: {colours[name]}"


def test_a_page_goes_dark_on_screens_whose_reader_prefers_it_and_stays_light_on_paper():
    html = _page(_every_block("plain"))
    light, dark = html.split("@media screen and (prefers-color-scheme: dark)", 1)
    for name, colour in palette.PAGE.items():
        assert f"--{name}: {colour};" in light and f"--{name}: {palette.PAGE_DARK[name]};" in dark.split("}", 1)[0]


def test_every_table_has_a_caption_the_visible_one_or_its_sections_name():
    columns = [page.Column("a"), page.Column("b", "number")]
    html = _page([page.Table(columns, [["x", 0.5]], "what it shows"), page.Table(columns, [["x", 0.5]])])
    assert html.count("<caption>what it shows</caption>") == 2  # the section stands on the page twice
    assert html.count('<caption class="unseen">plain</caption>') == 2
    assert html.count("<table>") == html.count("</caption>") == 4


def test_a_figure_of_the_pages_width_scrolls_on_a_phone_and_can_be_reached_by_the_keyboard():
    def drawn(width: int) -> str:
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 100"></svg>'
        return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()

    wide, half = (page.Figure(drawn(width), "alt", "caption", "Title") for width in (662, 320))
    assert wide.wide and not half.wide and not page.Figure(_DOT, "a", "b").wide
    html = _page([wide])
    assert 'tabindex="0" role="group" aria-label="Title: figure"' in html and '<img class="wide"' in html
    assert 'class="wide"' not in _page([half])
