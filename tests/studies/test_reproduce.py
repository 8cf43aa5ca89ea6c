"""Everything in miniature: parts, failures, resuming, and reports that open in a browser without a fault."""

import json
import re
import shutil
import subprocess

import pytest

from experiments import reproduce
from miajax.errors import UserError
from miajax.studies import reproduce as study
from miajax.studies.reproduce import ReproduceOptions, run_reproduce
from tests.experiments.test_attacks_command import main
from tests.report.html import Document

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), None)
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


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_reports_open_without_an_error_or_a_missing_picture(finished, tmp_path):
    folder, _ = finished
    probe = (
        "<script>window.onload = () => { document.title = 'missing ' + [...document.images].filter("
        "i => !i.complete || i.naturalWidth === 0).length + ' of ' + document.images.length }</script></body>"
    )
    for number, report in enumerate(sorted(folder.rglob("report.html"))):
        page = tmp_path / f"{number}.html"
        # The page's policy allows no script; the probe needs one, and what else it forbids stays forbidden.
        html = report.read_text().replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
        page.write_text(html.replace("</body>", probe))
        opened = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
             "--virtual-time-budget=5000", page.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        title = re.search(r"<title>(.*?)</title>", opened.stdout).group(1)
        assert re.fullmatch(r"missing 0 of \d+", title), f"{report}: {title}"
        assert "CONSOLE" not in opened.stderr, opened.stderr


def test_scopes_campaigns_and_parts_that_do_not_exist_are_told():
    with pytest.raises(UserError, match="atlantis is unknown"):
        ReproduceOptions(campaigns=("atlantis",))
    with pytest.raises(UserError, match="poem is unknown"):
        ReproduceOptions(parts=("poem",))
    assert set(ReproduceOptions(scope="paper").configs()) == {"cifar10_densenet", "purchase100"}
