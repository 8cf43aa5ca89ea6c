"""Every flag and every command line that README.md and docs/ write is one that the command takes."""

import dataclasses
import functools
import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest

from miajax.campaign.config import CampaignConfig
from miajax.campaign.presets import preset
from miajax.cli import NAMES
from miajax.cli.command import Place
from miajax.cli.flags import flags_of
from miajax.errors import UserError
from miajax.runs.urls import store_url

ROOT = Path(__file__).parents[2]
MADE = ("_build", "commands", "results_schema.md", "presets.md")  # pages that the code of the flags makes
PAGES = [
    "README.md",
    *sorted(
        str(page.relative_to(ROOT))
        for page in (ROOT / "docs").rglob("*.md")
        if not set(MADE) & {page.name, *(parent.name for parent in page.parents)}
    ),
]
OTHERS = r"\b(pip|pytest|tfds|venv)\b|benchmarks\.|--xla_|benchmarks/"  # flags of other programs
COMMAND = re.compile(r"(?:\bmiajax|python -m experiments\.|python -m miajax) ?(" + "|".join(NAMES) + r")\b(.*)")
OF_ALL = {"--quick", "--help", "--version"}  # --quick: of a benchmark, in a sentence about it
FLAG = re.compile(r"(?<![\w-])--[a-z]\w*")
NO_FLAGS = r"(^| )# .*| {3,}# ?.*| > [\w.]+$|\"$"  # comments, files that output goes to, ends of strings
PLACEHOLDER = r"\w\|\w|\b[A-Z]{2,}\b|\b[QPWnN]\b|\.\.\.|path/to"  # a value to be chosen: the flag's name is checked
PLACES = {
    "$first:$end": "0:1",
    "$address": "head:6379",
    "nearest_mean.py:nearest_mean": "gap",
    "--preset NAME": "--preset digits",
    "FIRST:END": "0:1",
    "EPSILON": "1",
    "NAME": "x",
}


def text_of(page: str) -> str:
    """A page without the mistakes that it shows, which are test_faq's."""
    return re.sub(r"^```console\n.*?^```", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)


def code(page: str) -> list[str]:
    """Code blocks, line by line, and spans of code; comments and continuations resolved."""
    text = text_of(page)
    fence = r"^(`{3,})[^`\n]*\n(.*?)^\1$"
    fenced = [block for _, block in re.findall(fence, text, re.DOTALL | re.MULTILINE)]
    rest = re.sub(fence, "", text, flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^    \S.*$", rest, re.MULTILINE)
    lines = [line for block in [*fenced, "\n".join(indented)] for line in block.replace("\\\n", " ").splitlines()]
    parts = [part.strip(" &") for line in lines for part in re.sub(NO_FLAGS, "", line).split("&&")]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", rest)]
    return [part for part in [*parts, *spans] if part]


def command_lines(page: str) -> list[tuple[str, str]]:
    """``(command, its flags as written)`` of all command lines of a page."""
    found = [COMMAND.search(part) for part in code(page) if not re.search(OTHERS, part)]
    return [(match[1], match[2].strip()) for match in found if match]


def spans_of_flags(page: str) -> list[str]:
    """Flags without a command before them, with the values beside them."""
    return [part for part in code(page) if re.match(r"--\w", part) and not re.search(OTHERS, part)]


@functools.cache
def command(name: str):
    return importlib.import_module(f"miajax.cli.{name}").run


@pytest.fixture
def any_run(monkeypatch):
    """``--run DIR`` is a run of the preset digits, and no store is asked what lies at a URL."""

    def mounted(what, text, wanted, foreign=False):
        store_url(what, text)
        return Path("copy")

    monkeypatch.setattr("miajax.runs.mounts.mounted", mounted)
    monkeypatch.setattr("miajax.cli.command.stored_config", lambda path: preset("digits"))


def parsed(name: str, written: str):
    for placeholder, value in PLACES.items():
        written = written.replace(placeholder, value)
    written = re.sub(r"--(save_)?config \S+", "", written)  # no such file here: see the test of files of flags
    return command(name).parse(shlex.split(written))


LINES = [(page, name, written) for page in PAGES for name, written in command_lines(page)]
WITH_FLAGS = [line for line in LINES if line[2] and line[2] not in ("--help", "--version")]
SPANS = [(page, written) for page in PAGES for written in spans_of_flags(page)]


def test_all_flags_of_all_pages_stand_in_code_that_is_checked():
    assert {name for page, name, _ in LINES if page == "README.md"} == set(NAMES)
    assert len({page for page, _, _ in WITH_FLAGS}) > 9 and len(WITH_FLAGS) > 30
    assert len({flag for _, written in SPANS for flag in FLAG.findall(written)}) > 60
    for page in PAGES:
        text = re.sub(r"<code>.*?</code>", "", text_of(page))  # of benchmarks
        assert set(FLAG.findall(text)) <= {flag for part in code(page) for flag in FLAG.findall(part)}, page


TOML = re.compile(r"^```toml\n(?!\[)(.*?)^```", re.DOTALL | re.MULTILINE)
FILES_OF_FLAGS = [(page, block) for page in PAGES for block in TOML.findall((ROOT / page).read_text())]


@pytest.mark.parametrize(("page", "block"), FILES_OF_FLAGS, ids=[page for page, _ in FILES_OF_FLAGS])
def test_every_file_of_flags_is_taken(page, block, tmp_path):
    (tmp_path / "flags.toml").write_text(block)
    parse = command("lira").parse
    assert parse(["--config", str(tmp_path / "flags.toml")]) != parse([])


def completed(name: str, written: str) -> str:
    """With the flags that a command must be given, which sentences may leave out."""
    for flag in flags_of(command(name).kind).values():
        if flag.default is dataclasses.MISSING and f"--{flag.name}" not in written:
            written += f" --{flag.name} {(*flag.choices, '1')[0]}"
    return written


@pytest.mark.parametrize(("page", "name", "written"), WITH_FLAGS, ids=[" ".join(line)[:80] for line in WITH_FLAGS])
def test_every_command_line_parses(page, name, written, any_run):
    parsed(name, completed(name, written))


@pytest.mark.parametrize(("page", "written"), SPANS, ids=[" ".join(span)[:80] for span in SPANS])
def test_every_flag_is_taken_by_a_command_of_its_page(page, written, any_run):
    if set(FLAG.findall(written)) <= OF_ALL:
        return
    here = {name for of, name, _ in LINES if of == page} | {"lira"}
    takers = [name for name in sorted(here) if {flag[2:] for flag in FLAG.findall(written)} <= switched(name)]
    assert takers, f"{written} of {page} is taken by none of {sorted(here)}"
    if re.search(r"--\w+ [^-]", written) and not re.search(PLACEHOLDER, written):
        told = [refusal(name, written) for name in takers]
        assert None in told, told


def switched(name: str) -> set[str]:
    """Flags of a command, and the opposites of its switches."""
    known = command(name).known()
    return {*known, *(f"no_{flag.name}" for flag in known.values() if flag.is_switch)}


def refusal(name: str, written: str) -> str | None:
    """What a command says against flags with their values."""
    try:
        parsed(name, completed(name, written))
    except UserError as error:
        return str(error)
    return None


def test_the_readme_names_exactly_the_commands_without_the_main_jobs_flags():
    readme = " ".join((ROOT / "README.md").read_text().split())
    sentence = re.search(
        r"Every command takes the main job's flags .*? These take their own flags only: (.*?)\.", readme
    )
    assert sentence, "the sentence was rewritten: so must this test"
    named = set(re.findall(r"`(\w+)`", sentence[1]))
    shared = set(flags_of(Place)) | set(flags_of(CampaignConfig))
    without = {name for name in NAMES if not shared <= set(flags_of(command(name).kind))}
    assert named == without
    assert all(command(name).why_not for name in without) and not any(
        command(name).why_not for name in set(NAMES) - without
    )


def test_every_flag_of_a_benchmark_is_an_argument_of_its_main():
    text = " ".join((ROOT / page).read_text() for page in PAGES)
    lines = re.findall(r"python -m benchmarks\.(\w+)((?: --\w+(?: [\w./]+)?)+)", text)
    assert len({name for name, _ in lines}) > 8
    for name, written in lines:
        main = importlib.import_module(f"benchmarks.{name}").main
        taken = inspect.signature(main).parameters
        assert name == "gpu" or {flag[2:] for flag in FLAG.findall(written)} <= set(taken), (name, written)
