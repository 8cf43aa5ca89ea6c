"""``--vector`` leaves every picture of a page as a file of its own, whatever study wrote the page."""

import importlib
import re
from pathlib import Path

import pytest

from tests.golden.fixed_run import fixed_arrays, fixed_run, fixed_target
from tests.report.html import Document

SLOW = pytest.mark.slow  # attacks are compiled, or models trained
SMALL = ["--max_examples", "300", "--batch_size", "32", "--epochs", "3", "--chunk", "2"]
FINISHED = {
    "lira": ["--run", "RUN"],
    "attacks": ["--run", "RUN"],
    "low_budget": ["--run", "RUN", "--fpr", "0.01"],
    "stability": ["--run", "RUN", "--targets", "3"],
    "overfitting": ["--run", "RUN"],
    "outliers": ["--run", "RUN", "--resamples", "50", "--show_records"],
    "audit_target": ["--run", "RUN", "--target", "TARGET"],
    "import_signals": ["--source", "ARRAYS", "--format", "arrays", "--out", "OUT"],
    "audit_report": ["--run", "RUN"],
    "compare": ["--run", "RUN", "--with", "AFTER"],
}
TRAINED = {
    "saliency": ["--num_shadows", "16", *SMALL],
    "audit": ["--num_shadows", "8", "--canaries", "20", *SMALL],
    "dpsgd": ["--num_shadows", "4", "--epsilons", "8", *SMALL],
    "defenses": ["--num_shadows", "8", *SMALL, "--defenses", "early_stopping"],
    "reproduce": ["--miniature", "True", "--campaigns", "digits", "--parts", "lira", "saliency"],
}


@SLOW
@pytest.mark.parametrize("name", FINISHED)
def test_a_study_of_a_finished_run_writes_each_of_its_pictures(name, tmp_path):
    places = {"RUN": "run", "OUT": "out", "TARGET": "target.npz", "ARRAYS": "arrays.npz", "AFTER": "after"}
    fixed_run(tmp_path / "run")
    fixed_target(tmp_path / "target.npz", tmp_path / "run")
    fixed_arrays(tmp_path / "arrays.npz")
    if name in ("audit_report", "compare"):
        _run("lira", "--run", str(tmp_path / "run"))
    if name == "compare":
        fixed_run(tmp_path / "after")
        _run("lira", "--run", str(tmp_path / "after"))
    argv = [str(tmp_path / places[each]) if each in places else each for each in FINISHED[name]]
    _holds_every_picture(_run(name, *argv, "--vector").folder)


@SLOW
@pytest.mark.parametrize("name", TRAINED)
def test_a_study_that_trains_writes_each_of_its_pictures(name, tmp_path):
    _run(name, *TRAINED[name], "--out", str(tmp_path / "out"), "--vector")
    pages = sorted(tmp_path.rglob("report.html"))
    assert pages
    for page in pages:
        _holds_every_picture(page.parent)


def _run(name: str, *argv: str):
    return importlib.import_module(f"miajax.cli.{name}").run(list(argv))


def _holds_every_picture(folder: Path) -> None:
    pictures = Document((folder / "report.html").read_text()).pictures()
    figures = sorted(folder.glob("figures/*"))
    for kind, begins in (("svg", b"<svg"), ("pdf", b"%PDF")):
        own = [figure for figure in figures if figure.suffix == f".{kind}"]
        assert len(own) == len(pictures), f"{folder}: {len(pictures)} pictures, {[one.name for one in own]}"
        for number, figure in enumerate(own, start=1):
            assert int(re.fullmatch(r"(\d\d+)-[a-z0-9-]+\.\w+", figure.name)[1]) == number
            assert figure.read_bytes().startswith(begins)
