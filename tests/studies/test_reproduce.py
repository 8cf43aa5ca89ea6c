"""Everything in miniature: parts, failures, resuming, and reports that open in a browser without a fault."""

import json

import pytest

from experiments import reproduce
from miajax.errors import UserError
from miajax.studies import reproduce as study
from miajax.studies.reproduce import ReproduceOptions, run_reproduce
from tests.experiments.test_attacks_command import main
from tests.report.browser import opened
from tests.report.html import Document

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

PARTS = ("lira", "saliency")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce") / "out"
    patch = pytest.MonkeyPatch()

    def breaks(*_):
        raise RuntimeError("no more paper")

    patch.setitem(study.PARTS, "overfitting", breaks)
    flags = ("--miniature", "True", "--campaigns", "digits", "--parts", *PARTS, "overfitting", "--out", str(folder))
    assert main(patch, reproduce, *flags) == 0
    patch.undo()
    return folder, json.loads((folder / "results.json").read_text())


def test_a_part_that_fails_is_named_and_the_others_go_on(finished):
    folder, results = finished
    parts = results["campaigns"]["digits"]["parts"]
    assert {name: part["status"] for name, part in parts.items()} == {
        "lira": "done", "saliency": "done", "overfitting": "failed"
    }
    assert "no more paper" in parts["overfitting"]["reason"]
    document = Document((folder / "report.html").read_text())
    assert "no more paper" in document.text
    links = {value for tag, name, value in document.attributes if (tag, name) == ("a", "href")}
    for part in PARTS:
        assert parts[part]["report"] in links and (folder / parts[part]["report"]).is_file()


def test_finished_parts_are_left_as_they_are(finished, monkeypatch):
    folder, results = finished
    called = []
    for part in study.PARTS:
        monkeypatch.setitem(study.PARTS, part, lambda *_, part=part: called.append(part) or 1 / 0)
    options = ReproduceOptions(miniature=True, campaigns=("digits",), parts=(*PARTS, "overfitting"))
    again = run_reproduce(folder, options).results
    assert called == ["overfitting"]
    for part in PARTS:
        assert again["campaigns"]["digits"]["parts"][part] == results["campaigns"]["digits"]["parts"][part]


def test_reports_open_without_an_error_or_a_missing_picture(finished, tmp_path):
    folder, _ = finished
    for report in sorted(folder.rglob("report.html")):
        _, missing, errors = opened(report, tmp_path)
        assert not missing and not errors, f"{report}: {missing} {errors}"


def test_scopes_campaigns_and_parts_that_do_not_exist_are_told():
    with pytest.raises(UserError, match="atlantis is unknown"):
        ReproduceOptions(campaigns=("atlantis",))
    with pytest.raises(UserError, match="poem is unknown"):
        ReproduceOptions(parts=("poem",))
    assert set(ReproduceOptions(scope="paper").configs()) == {"cifar10_densenet", "purchase100"}
