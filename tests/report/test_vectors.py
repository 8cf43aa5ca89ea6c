"""Figures as files of their own, named by where they stand."""

import base64

import numpy as np

from miajax.report import dark, page, pictures, plots, spark
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


def test_charts_and_pictures_of_examples_are_written_by_the_name_of_their_example(tmp_path):
    values = [np.array([0.0, 0.2, 1.0]), np.array([2.5, 3.0, 3.0, 4.0])]
    with vector_figures(tmp_path / "figures"):
        chart = spark.two_histograms(values, np.linspace(0.0, 4.0, 5))
        picture = pictures.png_data_uri(np.arange(12, dtype=np.uint8).reshape(3, 4))
        shown = page.Exhibit("Example 7", ["AUC 1"], [(picture, "pixels")], (chart, "two histograms"))
        gallery = page.Gallery([shown, shown], "Most exposed")
        page.Page("k", "t", "s", [], [page.Section("Examples", "finding", [gallery])]).html()
    stem = "examples-most-exposed-example-7"
    assert sorted(file.name for file in (tmp_path / "figures").glob("*.svg")) == [
        f"01-{stem}-picture.svg", f"02-{stem}.svg", f"03-{stem}-picture.svg", f"04-{stem}.svg"
    ]  # fmt: skip
    read = {name: (tmp_path / "figures" / name).read_bytes() for name in (f"01-{stem}-picture.svg", f"02-{stem}.svg")}
    assert picture.encode() in read[f"01-{stem}-picture.svg"]
    shown = base64.b64decode(chart.partition(",")[2]).decode()
    assert dark.following_the_page(read[f"02-{stem}.svg"].decode()) == shown  # the file itself stays on any ground
    for name in read:
        assert (tmp_path / "figures" / name).with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_a_drawing_within_another_is_kept_by_both(tmp_path):
    with vector_figures(tmp_path / "outer"):
        with vector_figures(tmp_path / "inner"):
            _page(plots.figure_to_data_uri(_figure())).html()
        _page(plots.figure_to_data_uri(_figure())).html()
    assert [len(list((tmp_path / name).glob("*.svg"))) for name in ("inner", "outer")] == [2, 4]


def test_nothing_is_written_or_kept_where_nobody_asked(tmp_path):
    _page(plots.figure_to_data_uri(_figure())).html()
    with vector_figures(tmp_path / "figures"):
        _page("data:image/png;base64,iVBORw0KGgo=").html()  # drawn before, by no plot
    assert not (tmp_path / "figures").exists()
