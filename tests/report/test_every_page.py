"""Every kind of page as readers meet it: wide and on a phone, light and dark, by keyboard and screen reader.

``--vector`` leaves each picture of a page as a file of its own, whatever study wrote it.
"""

import importlib
import re
from pathlib import Path

import pytest

from miajax.report import palette
from tests.golden.fixed_run import fixed_arrays, fixed_run, fixed_target
from tests.report.axe import axe_core, looked_at
from tests.report.browser import chromium
from tests.report.html import Document

pytestmark = pytest.mark.slow  # attacks are compiled, a few models trained, and a browser opens every page
_WIDE, _PHONE = 1200, 400
_LETTERS = {_WIDE: 9.0, _PHONE: 7.5}  # pixels; smaller ones can't be read
_SMALL = ["--max_examples", "300", "--batch_size", "32", "--epochs", "3", "--chunk", "2"]
_RUN = ["--run", "run"]
_COMMANDS = {
    "lira": _RUN,
    "attacks": _RUN,
    "low_budget": [*_RUN, "--fpr", "0.01"],
    "overfitting": _RUN,
    "outliers": [*_RUN, "--resamples", "50", "--show_records"],
    "stability": [*_RUN, "--targets", "2"],
    "audit_target": [*_RUN, "--target", "target.npz"],
    "import_signals": ["--source", "arrays.npz", "--format", "arrays", "--out", "imported"],
    "audit_report": _RUN,
    "compare": [*_RUN, "--with", "after"],
    "audit": ["--num_shadows", "8", "--canaries", "20", *_SMALL, "--out", "audit"],
    "dpsgd": ["--num_shadows", "4", "--epsilons", "8", *_SMALL, "--out", "dpsgd"],
    "defenses": ["--num_shadows", "8", *_SMALL, "--defenses", "early_stopping", "--out", "defenses"],
    "reproduce": ["--miniature", "True", "--campaigns", "digits", "--parts", "lira", "saliency", "--out", "paper"],
}
_KINDS = [*_COMMANDS, "saliency"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every kind of page by name."""
    folder = tmp_path_factory.mktemp("pages")
    found: dict[str, Path] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fixed_run(Path("run"))
        fixed_run(Path("after"))
        fixed_target(Path("target.npz"), Path("run"))
        fixed_arrays(Path("arrays.npz"))
        _made("lira", ["--run", "after"])
        for name, argv in _COMMANDS.items():
            found[name] = folder / _made(name, [*argv, "--vector"])
    return {**found, "saliency": folder / "paper" / "digits" / "saliency" / "report.html"}


def _made(name: str, argv: list[str]) -> Path:
    return importlib.import_module(f"miajax.cli.{name}").run(argv).folder / "report.html"


@pytest.fixture(scope="module")
def seen(request, tmp_path_factory):
    """What is seen of every page, by kind, width and whether it is dark."""
    for needed in (chromium, axe_core):  # without them no page need be looked at
        needed()
    pages = request.getfixturevalue("pages")
    folder = tmp_path_factory.mktemp("looked_at")
    return {
        (*key, dark): each
        for dark in (False, True)
        for key, each in looked_at(pages, (_WIDE, _PHONE), folder, dark=dark).items()
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [_WIDE, _PHONE])
@pytest.mark.parametrize("kind", _KINDS)
def test_axe_core_finds_nothing_serious(seen, kind, width, dark):
    found = seen[kind, width, dark]
    assert found["passed"] > 10, "axe-core looked at next to nothing"
    serious = [each for each in found["violations"] if each[1] in ("serious", "critical")]
    assert not serious


@pytest.mark.parametrize("kind", _KINDS)
def test_a_page_is_dark_where_its_reader_prefers_it(seen, kind):
    for dark, colour in ((False, palette.PAPER), (True, palette.DARK[palette.PAPER])):
        parts = ", ".join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5))
        assert seen[kind, _WIDE, dark]["background"] == f"rgb({parts})"


@pytest.mark.parametrize("width", [_WIDE, _PHONE])
@pytest.mark.parametrize("kind", _KINDS)
def test_nothing_is_cut_off_and_what_scrolls_is_reached_by_the_keyboard(seen, kind, width):
    found = seen[kind, width, False]
    assert found["wide"] <= 0 and not found["jutting"] and not found["unreachable"]


@pytest.mark.parametrize("width", [_WIDE, _PHONE])
@pytest.mark.parametrize("kind", _KINDS)
def test_letters_of_figures_can_be_read(seen, kind, width):
    smallest = seen[kind, width, False]["letters"]
    assert smallest is None or smallest >= _LETTERS[width]


@pytest.mark.parametrize("kind", _KINDS)
def test_every_table_has_a_caption(seen, kind):
    assert seen[kind, _WIDE, False]["captions"] == 0


def test_a_fault_would_be_found(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><html><head><title>t</title></head><body><main style='background:#fff'>"
        f"<p>{'unbroken' * 40}</p><p style='color:#ccc'>pale</p><div style='width:2000px'>wide</div>"
        "<table><tr><td>x</td></tr></table>"
        "<img src='data:image/png;base64,iVBORw0KGgo='></main></body></html>"
    )
    found = looked_at({"bad": page}, (400,), tmp_path, dark=False)["bad", 400]
    assert {"color-contrast", "html-has-lang", "image-alt"} <= {each[0] for each in found["violations"]}
    assert [each[:3] for each in found["jutting"]] == ["<di", "<p>"] and found["wide"] > 0 and found["captions"] == 1


@pytest.mark.parametrize("kind", _KINDS)
def test_every_picture_of_a_page_is_a_file_of_its_own(pages, kind):
    page = pages[kind]
    pictures, figures = Document(page.read_text()).pictures(), sorted(page.parent.glob("figures/*"))
    for suffix, begins in ((".svg", b"<svg"), (".pdf", b"%PDF")):
        own = [figure for figure in figures if figure.suffix == suffix]
        assert len(own) == len(pictures), f"{len(pictures)} pictures, {[one.name for one in own]}"
        for number, figure in enumerate(own, start=1):
            assert int(re.fullmatch(r"(\d\d+)-[a-z0-9-]+\.\w+", figure.name)[1]) == number
            assert figure.read_bytes().startswith(begins)
