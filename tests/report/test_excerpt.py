"""Figures of a report shown again on another page."""

import numpy as np

from miajax.report import page, pictures, plots
from miajax.report.excerpt import figures_of
from miajax.report.vectors import vector_figures
from tests.report.fixtures import HOSTILE


def _figure(title: str, shift: float) -> page.Figure:
    drawn = plots.histogram_figure([plots.Sample("x", np.arange(9.0) + shift, "#123456")], xlabel="x")
    return page.Figure(plots.figure_to_data_uri(drawn), f"alt {title}", f"caption {shift}", title)


def _report(folder, figures):
    exhibit = page.Exhibit("1", [], [(pictures.png_data_uri(np.zeros((2, 2), np.uint8)), "pixels")])
    first = page.Section("First topic", "finding", [page.Gallery([exhibit]), figures[0]])
    second = page.Section("Second", "finding", [page.Columns([page.Details("more", [figures[1]])])])
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(page.Page("k", "t", "s", [], [first, second]).html())


def test_figures_are_those_of_the_page_with_their_section(tmp_path):
    figures = [_figure(HOSTILE, 0), _figure("", 1)]
    _report(tmp_path / "part", figures)
    found = figures_of(tmp_path / "part" / "report.html")
    assert [each.section for each in found] == ["first-topic", "second"]
    assert [each.figure for each in found] == figures


def test_files_of_figures_are_kept_again_by_the_page_that_shows_them(tmp_path):
    with vector_figures(tmp_path / "part" / "figures"):
        _report(tmp_path / "part", [_figure("one", 0), _figure("other", 1)])
    with vector_figures(tmp_path / "figures"):
        shown = [each.figure for each in figures_of(tmp_path / "part" / "report.html")]
        page.Page("k", "t", "s", [], [page.Section("Again", "finding", shown[::-1])]).html()
    for kind in ("svg", "pdf"):
        assert (tmp_path / "figures" / f"01-again-other.{kind}").read_bytes() == (
            tmp_path / "part" / "figures" / f"03-second-other.{kind}"
        ).read_bytes()


def test_no_report_has_no_figures(tmp_path):
    assert figures_of(tmp_path / "report.html") == []
    (tmp_path / "report.html").write_text("found")
    assert figures_of(tmp_path / "report.html") == []
