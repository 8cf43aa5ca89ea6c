"""What the pages name is there: public names, files, notebooks; and what they link has the form of a link."""

import json
import re
from urllib.parse import urlsplit

import pytest

import miajax as mj
from tests.docs.pages import DOCS, ROOT, WRITTEN

SOURCES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *WRITTEN, *sorted((ROOT / "miajax").rglob("*.py"))]


def test_the_library_pages_document_every_public_name_once():
    text = "\n".join(page.read_text() for page in sorted((DOCS / "reference" / "api").glob("*.md")))
    named = re.findall(r"^\.\. auto(?:class|function):: miajax\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == mj.__all__


def test_every_page_that_the_code_and_the_readme_name_exists():
    named = {(path, page) for path in SOURCES for page in re.findall(r"docs/[\w/]+\.md", path.read_text())}
    assert len(named) > 30
    assert [pair for pair in named if not (ROOT / pair[1]).is_file()] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(DOCS)))
def test_external_links_are_well_formed(page):
    for link in re.findall(r"https?://[^\s)>\]\"'`,]+", page.read_text()):
        parts = urlsplit(link)
        assert parts.scheme == "https" and re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), link


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(DOCS)))
def test_no_page_claims_that_a_leak_is_absent(page):
    claims = (
        r"\b(no leak(age)? (was|is) (found|there)|leaks nothing|does not leak|is (completely )?(safe|private) now)\b"
    )
    assert re.findall(claims, page.read_text(), re.IGNORECASE) == []


def test_the_landing_page_counts_the_attacks():
    (told,) = re.findall(r"\*\*(\d+) attacks\*\*", (DOCS / "index.md").read_text())
    assert int(told) == len(mj.attack_names())


def test_tutorials_read_no_file_that_they_do_not_make():
    for page in (DOCS / "tutorials").glob("*.md"):
        assert not re.search(r"\.\./shared|https?://(?!arxiv)", page.read_text()), page


def test_every_tutorial_is_a_notebook_that_is_what_its_page_says():
    pytest.importorskip("jupytext", reason="jupytext is of the extra docs")
    import notebooks

    made = {f"{page.stem}.ipynb": notebooks.notebook(page) for page in notebooks.sources()}
    kept = {path.name: path.read_text() for path in (DOCS / "tutorials" / "notebooks").glob("*.ipynb")}
    assert kept == made, "run python docs/_ext/notebooks.py"
    assert len(made) == 5


def test_colab_opens_a_tutorial_from_the_repository_or_takes_it_as_a_file():
    pytest.importorskip("jupytext", reason="jupytext is of the extra docs")
    import notebook_links

    opened = (
        "https://colab.research.google.com/github/OWNER/miajax/blob/main/docs/tutorials/notebooks/first_audit.ipynb"
    )
    assert notebook_links.colab("https://github.com/OWNER/miajax/", "first_audit") == opened
    assert notebook_links.colab("", "first_audit") == notebook_links.UPLOAD


def test_a_link_to_a_missing_page_or_place_is_found(tmp_path):
    pytest.importorskip("sphinx", reason="Sphinx is of the extra docs")
    import checked_links

    (tmp_path / "there.html").write_text('<h1 id="here">.</h1><a href="#here">.</a> <a href="https://a.b/">.</a>')
    links = ("there.html", "there.html#here", "there.html#gone", "gone.html", "#gone")
    (tmp_path / "links.html").write_text(" ".join(f'<a class="x" href="{link}">.</a>' for link in links))
    found = ["links.html: there.html#gone", "links.html: gone.html", "links.html: #gone"]
    assert sorted(checked_links.broken(tmp_path)) == sorted(found)


def test_a_notebook_installs_miajax_in_colab_and_holds_no_output():
    for path in (DOCS / "tutorials" / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert cells[0]["cell_type"] == "markdown" and "%pip install -q miajax" in "".join(cells[1]["source"])
        assert not any(cell.get("outputs") for cell in cells)
        assert not any(".md)" in "".join(cell["source"]) for cell in cells), "a link that leads nowhere in Colab"
