import base64
import dataclasses
import io
import struct
import zlib
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from miajax.report import curves, pictures, plots, spark
from tests.report.fixtures import HOSTILE


def _svg(uri: str) -> ElementTree.Element:
    head, content = uri.split(",")
    assert head == "data:image/svg+xml;base64"
    return ElementTree.fromstring(base64.b64decode(content))


def _texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def _curve(label="attack", **changes):
    fpr, tpr = np.array([0.0, 1e-3, 1e-3, 0.1, 1.0]), np.array([0.0, 0.01, 0.02, 0.3, 1.0])
    return plots.Curve(**{"label": label, "fpr": fpr, "tpr": tpr, "colour": "#000000", **changes})


def test_hostile_names_reach_a_plot_as_plain_text():
    figure = plots.roc_figure([_curve(HOSTILE)], resolvable_fpr=1e-3)
    assert HOSTILE in _texts(_svg(plots.figure_to_data_uri(figure)))


def test_the_roc_is_a_step_curve_on_logarithmic_axes():
    axes = plots.roc_figure([_curve()], resolvable_fpr=1e-3).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlim() == axes.get_ylim() == (1e-5, 1.0)
    _, attack = axes.get_lines()[:2]
    x, y = attack.get_data()
    np.testing.assert_allclose(y[(x > 1.01e-3) & (x < 0.09)], 0.02)  # the larger TPR of the tie, and no interpolation
    assert np.isnan(y[x < 0.9e-3]).all()  # a rate of 0 has no place on the axis


def test_a_curve_of_a_million_points_is_drawn_with_few():
    fpr = np.linspace(0, 1, 1_000_000)
    uri = plots.figure_to_data_uri(plots.roc_figure([_curve(fpr=fpr, tpr=np.sqrt(fpr))], resolvable_fpr=1e-6))
    assert len(uri) < 60_000


def test_histograms_are_densities_of_the_finite_values():
    rng = np.random.default_rng(0)
    values = np.where(np.arange(1000) % 10 == 0, np.nan, rng.uniform(2.0, 4.0, 1000))
    axes = plots.histogram_figure([plots.Sample("members", values, "#000000")], xlabel="x", clip=(0.0, 0.0)).axes[0]
    stairs = axes.patches[-1].get_data()
    np.testing.assert_allclose(np.sum(stairs.values * np.diff(stairs.edges)), 1.0)


@pytest.mark.parametrize("values", [np.array([]), np.full(5, np.nan), np.full(5, 3.0)])
@pytest.mark.parametrize("log", [False, True])
def test_histograms_of_nothing_or_of_one_value_still_draw(values, log):
    figure = plots.histogram_figure([plots.Sample("x", values, "#000000")], xlabel="x", log=log)
    assert "x" in _texts(_svg(plots.figure_to_data_uri(figure)))


def test_the_gap_plot_leaves_out_failed_models_and_thins_many():
    member, other = np.linspace(0.9, 1.0, 500), np.linspace(0.8, 0.9, 500)
    member[3] = np.nan
    axes = plots.gap_figure(member, other, most=100).axes[0]
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [100, 100]
    assert np.isfinite(axes.get_lines()[0].get_ydata()).all()


def test_rates_that_an_interval_would_flatten_stand_on_a_logarithmic_axis():
    values, band = np.array([0.0, 0.002, 0.08]), np.array([[0.0, 0.9], [0.001, 0.01], [0.03, 0.2]])
    flattened = curves.Trace("attack", values, band, "#000000")
    axes = curves.epoch_figure([flattened], ylabel="TPR", rates=True).axes[0]
    assert axes.get_yscale() == "log" and axes.get_ylim()[0] < 1e-3
    assert next(tick.get_text() for tick in axes.get_yticklabels()) == "0"
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [1e-3, 0.002, 0.08])  # a rate of 0 lies on the floor
    narrow = dataclasses.replace(flattened, band=band / 10)
    assert curves.epoch_figure([narrow], ylabel="TPR", rates=True).axes[0].get_yscale() == "linear"
    assert curves.epoch_figure([flattened], ylabel="AUC").axes[0].get_yscale() == "linear"


def test_drawing_twice_gives_the_same_bytes_and_leaves_settings_alone():
    before = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}  # reading it loads one
    first, second = (plots.figure_to_data_uri(plots.roc_figure([_curve()], resolvable_fpr=1e-3)) for _ in range(2))
    assert first == second
    assert before == {key: matplotlib.rcParams[key] for key in before}


def test_a_figure_is_saved_as_png_into_an_open_file():
    file = io.BytesIO()
    plots.save_png(plots.roc_figure([_curve(intervals=[(1e-3, 0.02, 0.0, 0.03)])], resolvable_fpr=1e-3), file)
    assert file.getvalue().startswith(b"\x89PNG")


def test_a_figure_of_many_points_can_be_inlined_as_png():
    uri = plots.figure_to_data_uri(plots.roc_figure([_curve()], resolvable_fpr=1e-3), "png")
    assert base64.b64decode(uri.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="'svg' or 'png'"):
        plots.figure_to_data_uri(plots.roc_figure([_curve()], resolvable_fpr=1e-3), "gif")


def test_bins_grow_with_the_smallest_sample():
    big = np.zeros(1_000_000)
    assert plots.supported_bins([big]) == 70
    assert plots.supported_bins([big, np.zeros(1000)]) == 20
    assert plots.supported_bins([big, np.full(1000, np.nan)]) == 8


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 8, 8, 1), (5, 6, 7, 3)])
def test_pictures_survive_the_way_to_png(shape):
    values = np.random.default_rng(0).integers(0, 17, shape).astype(np.float32)
    picture = pictures.as_bytes(values, 0.0, 16.0)[0]
    content = base64.b64decode(pictures.png_data_uri(picture).split(",")[1])
    width, height = struct.unpack(">II", content[16:24])
    assert (height, width) == shape[1:3]
    start = content.index(b"IDAT") + 4
    rows = np.frombuffer(zlib.decompress(content[start:-16]), np.uint8).reshape(height, -1)
    np.testing.assert_array_equal(rows[:, 1:], picture.reshape(height, -1))
    np.testing.assert_array_equal(picture, np.round(values[0] * 255 / 16))


def test_a_picture_of_another_type_is_refused():
    with pytest.raises(ValueError, match="float64"):
        pictures.png_data_uri(np.zeros((8, 8)))


def test_a_small_chart_holds_one_shape_per_sample_and_the_ends_of_its_axis():
    edges = np.linspace(-2.0, 10.0, 11)
    uri = spark.two_histograms([np.array([-2.0, 4.0, np.nan]), np.array([])], edges)
    root = _svg(uri)
    assert _texts(root) == ["−2", "4", "10"]
    assert len([path for path in root.iter("{http://www.w3.org/2000/svg}path") if path.get("fill")]) == 2
