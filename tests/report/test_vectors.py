"""Figures as files of their own, named by where they stand."""

import numpy as np

from miajax.report import page, plots
from miajax.report.vectors import vector_figures


def _figure():
    return plots.histogram_figure([plots.Sample("members", np.arange(50.0), "#123456")], xlabel="x")


def _page(uri: str) -> page.Page:
    figure = page.Figure(uri, "alt", "caption", "How it / looks")
    inside = page.Details("more", [page.Columns([page.Stack([figure]), page.Prose(["text"])])])
    return page.Page("k", "t", "s", [], [page.Section("Big topic", "finding", [figure, inside])])


def test_every_figure_of_a_page_is_written_as_svg_and_pdf_in_the_order_of_the_page(tmp_path):
    with vector_figures(tmp_path / "figures"):
        _page(plots.figure_to_data_uri(_figure())).html()
    names = sorted(file.name for file in (tmp_path / "figures").iterdir())
    stem = "big-topic-how-it-looks"
    assert names == [f"{n}-{stem}.{kind}" for n in ("01", "02") for kind in ("pdf", "svg")]
    svg, pdf = ((tmp_path / "figures" / f"01-{stem}.{kind}").read_bytes() for kind in ("svg", "pdf"))
    assert svg.startswith(b"<svg") and b">x</text>" in svg and pdf.startswith(b"%PDF")


def test_pictures_of_many_points_are_vectors_too_and_come_out_the_same_each_time(tmp_path):
    for name in ("one", "other"):
        with vector_figures(tmp_path / name):
            _page(plots.figure_to_data_uri(_figure(), "png")).html()
    for kind in ("svg", "pdf"):
        file = f"01-big-topic-how-it-looks.{kind}"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    assert b"<svg" in (tmp_path / "one" / "01-big-topic-how-it-looks.svg").read_bytes()


def test_nothing_is_written_or_kept_where_nobody_asked(tmp_path):
    _page(plots.figure_to_data_uri(_figure())).html()
    with vector_figures(tmp_path / "figures"):
        _page("data:image/png;base64,iVBORw0KGgo=").html()  # drawn before, by no plot
    assert not (tmp_path / "figures").exists()
