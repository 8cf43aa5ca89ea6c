"""Reports as PDF: by a browser, by WeasyPrint, or one line that says what is missing."""

import importlib.util
import re
import shutil
import subprocess

import pytest

from miajax.cli import main
from miajax.errors import UserError
from miajax.report import page, pdf


def _html(rows: int) -> str:
    table = page.Table([page.Column("Name"), page.Column("Value", "number")], [[f"row {k}", 0.5] for k in range(rows)])
    return page.Page("k", "A title", "s", [], [page.Section("Topic", "Finding", [table])]).html()


def _text(file) -> list[str]:
    """The pages' text."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext found: the text of the PDF is not read")
    done = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True)
    return done.stdout.split("\f")[:-1]


@pytest.fixture(params=["browser", "weasyprint"])
def printer(request, monkeypatch):
    if request.param == "browser":
        if not any(map(shutil.which, pdf.BROWSERS)):
            pytest.skip("no Chromium found: nothing is printed by it")
    elif importlib.util.find_spec("weasyprint") is None:
        pytest.skip("WeasyPrint is not installed: nothing is printed by it")
    else:
        monkeypatch.setattr(pdf, "BROWSERS", ())


def test_a_long_table_is_printed_whole_with_its_head_and_a_number_on_each_page(tmp_path, printer):
    (tmp_path / "a page.html").write_text(_html(150))
    pdf.write_pdf(tmp_path / "a page.html", tmp_path / "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
    pages = _text(tmp_path / "out.pdf")
    assert len(pages) > 2
    for number, text in enumerate(pages, 1):
        assert re.search(rf"k · A title.*{number} ?/ ?{len(pages)}$", text, re.MULTILINE)
        assert "Name" in text or "row" not in text
    found = re.findall(r"row (\d+)\s", " ".join(pages))
    assert found == [str(k) for k in range(150)]


def test_without_anything_that_prints_a_command_ends_in_one_line_before_it_does_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pdf, "BROWSERS", ())
    monkeypatch.setattr(pdf.importlib.util, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["lira", "--num_shadows", "4", "--pdf"])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1 and "pip install 'miajax[pdf]'" in error
    assert not any(tmp_path.iterdir())


def test_a_browser_that_fails_is_named_with_what_it_said_and_an_earlier_file_stays(tmp_path, monkeypatch):
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\necho 'no display' >&2\nexit 3\n")
    browser.chmod(0o755)
    monkeypatch.setattr(pdf, "BROWSERS", (str(browser),))
    (tmp_path / "report.html").write_text(_html(1))
    (tmp_path / "report.pdf").write_text("before")
    with pytest.raises(UserError, match=r"could not print .*report\.html \(no display\).*is written"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_text() == "before"
