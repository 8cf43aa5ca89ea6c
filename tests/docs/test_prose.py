"""Pages and help are plain English: a linter of prose (proselint), and a few rules of this project's own.

The rules stand in ``tests/docs/prose.py``, the linter's choices in ``docs/proselint.json``.
"""

import importlib
import re

import pytest

from miajax.cli import NAMES
from miajax.cli.flags import flags_of
from tests.docs.pages import DOCS, ROOT, WRITTEN
from tests.docs.prose import faults, sentences

SCHEMA = ROOT / "miajax" / "schemas" / "results.schema.json"
MADE = {
    DOCS / "benchmarks.md",  # lists of hardware and versions
    DOCS / "reference" / "presets.md",
    DOCS / "reference" / "results_schema.md",
}  # programs write them
AWAITED = {DOCS / "howto" / "cluster.md"}  # is still being written
PAGES = [page for page in (ROOT / "README.md", *WRITTEN) if page not in MADE | AWAITED]


def helps() -> dict[str, str]:
    """The text of every flag of every command."""
    found: dict[str, str] = {}
    for name in NAMES:
        run = importlib.import_module(f"miajax.cli.{name}").run
        found |= {flag.name: flag.help for flag in flags_of(run.kind, run.default([])).values()}
    return found


def linted(texts: dict[str, str]) -> list[str]:
    """What proselint finds, with the name of the text."""
    config = pytest.importorskip("proselint.config", reason="proselint is of the extra test")
    from proselint.checks import __register__ as every_check
    from proselint.registry import CheckRegistry
    from proselint.tools import LintFile

    CheckRegistry().register_many(every_check)
    chosen = config.load_from(DOCS / "proselint.json")
    return [
        f"{name}: {found.check_result.check_path}: {found.check_result.message}"
        for name, text in texts.items()
        if text
        for found in LintFile(name, text).lint(chosen)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_plain_english(page):
    assert faults(page.read_text()) == []


def test_the_help_of_every_flag_is_plain_english():
    texts = helps()
    assert len(texts) > 100
    assert {name: found for name, text in texts.items() if (found := faults(text, most_stops=3))} == {}


def test_the_meaning_of_every_key_of_results_is_plain_english():
    meanings = re.findall(r'"description": "((?:[^"\\]|\\.)*)"', SCHEMA.read_text())
    assert len(meanings) > 400
    assert [found for text in set(meanings) for found in faults(text)] == []


def test_the_linter_of_prose_finds_nothing():
    pages = {str(page.relative_to(ROOT)): " .\n\n".join(sentences(page.read_text())) for page in PAGES}
    assert linted(pages | helps()) == []


def test_the_linter_of_prose_is_at_work():
    assert linted({"text": "This is is very unique, at the end of the day."}) != []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("A word " * 16 + "ends.", "more than 30 words"),
        ("One thing: another; and a third.", "a chain of colons and semicolons"),
        ("A model does what is asked.", "private: what is asked"),
        ("| figure | must |\n|---|---|\n| docs | 6 min |", "a table of requirements"),
    ],
)
def test_a_text_that_breaks_a_rule_is_found(text, rule):
    assert rule in [fault.rule for fault in faults(text)]


def test_code_and_tables_are_no_prose():
    page = "---\na: b\n---\n# Title\n\n```python\nx: y; z: w\n```\n\n| a: b; c |\n\nText `a: b; c` [ends](x.md). More."
    assert list(sentences(page)) == ["Title", "Text code0x ends.", "More."]
