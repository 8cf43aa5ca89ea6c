"""``miajax``: what it lists, how fast, and what is told where a command or a flag is not one."""

import importlib
import pkgutil
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import miajax.cli
from miajax.cli import COMMANDS, NAMES, main

ROOT = Path(__file__).parents[2]
SHARED = {"command", "config_file", "flags", "help", "process", "stores"}  # files of miajax.cli that are no command


def ended(capsys, *argv: str, prog: str = "miajax") -> tuple[int, str, str]:
    """Exit status, output and errors of a command in this process."""
    status = 0
    try:
        main(argv, prog)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, *capsys.readouterr()


def test_every_command_is_listed_once_and_stands_in_experiments_too():
    files = {module.name for module in pkgutil.iter_modules(miajax.cli.__path__)} - SHARED
    assert len(NAMES) == len(set(NAMES)) and set(NAMES) == files
    for name in NAMES:
        of = importlib.import_module(f"miajax.cli.{name}").run
        assert importlib.import_module(f"experiments.{name}").run is of and of.name == name


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_all_commands_a_line_each_within_80_columns(argv, capsys):
    status, text, _ = ended(capsys, *argv)
    assert status == 0 and max(map(len, text.splitlines())) <= 80
    for title, group in COMMANDS.items():
        assert title in text.splitlines()
        for name, what in group.items():
            assert re.search(rf"^  {name} +{re.escape(what)}$", text, re.MULTILINE)


def test_help_answers_within_a_third_of_a_second_and_imports_nothing_heavy():
    code = (
        "import sys; from miajax.cli import main; main(['--help']);"
        "print([m for m in ('jax', 'numpy', 'scipy', 'rich', 'flax') if m in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3, "CPU time: load does not count"


@pytest.mark.parametrize("argv", [["--help"], ["export", "--help"]])
def test_a_reader_that_has_gone_ends_it_without_a_word(argv):
    started = subprocess.Popen(
        [sys.executable, "-m", "miajax", *argv], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert started.stdout is not None and started.stderr is not None
    started.stdout.close()
    with started.stderr as errors:
        assert errors.read() == b"" and started.wait(120) == 1


def test_version_is_the_packages(capsys):
    assert ended(capsys, "--version")[:2] == (0, f"miajax {miajax.__version__}\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"miajax": "miajax.cli:main"}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("lria", "error: lria is no command. Did you mean lira?"),
        ("audits", "error: audits is no command. Did you mean audit"),
        ("xyz", "error: xyz is no command. miajax --help lists all."),
        ("--num_shadows", "error: --num_shadows stands where a command is expected. miajax --help lists all."),
    ],
)
def test_an_unknown_command_is_one_line_with_its_neighbours_and_status_2(typed, told, capsys):
    status, out, error = ended(capsys, typed, "8")
    assert status == 2 and not out and error.count("\n") == 1 and error.startswith(told), error


@pytest.mark.parametrize("prog", ["miajax", "python -m miajax"])
def test_help_and_errors_name_what_was_typed(prog, capsys):
    status, text, _ = ended(capsys, "low-budget", "--help", prog=prog)
    assert status == 0 and text.startswith(f"usage: {prog} low-budget ")
    assert f"\n  {prog} low-budget --run" in text or f"\n  {prog} low_budget --run" in text
    status, _, error = ended(capsys, "low_budget", "--zzz", "1", prog=prog)
    assert status == 2
    assert error == f"error: --zzz is no flag of {prog} low_budget. {prog} low_budget --help lists them.\n"


def test_both_modules_start_the_command_and_name_themselves():
    for module, prog in (("experiments.export", "python -m experiments.export"), ("miajax", "python -m miajax export")):
        rest = [] if module != "miajax" else ["export"]
        done = subprocess.run(
            [sys.executable, "-m", module, *rest, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0 and done.stdout.startswith(f"usage: {prog} --run PATH"), done.stderr
        assert f"\n  {prog} --run runs/" in done.stdout


@pytest.mark.parametrize("name", ["audit_target", "epsilon", "reproduce", "export", "import_signals"])
def test_a_flag_of_the_main_job_without_a_meaning_here_is_told_so(name, capsys):
    status, _, error = ended(capsys, name, "--learning_rate", "1")
    assert status == 2 and error.count("\n") == 1
    assert error.startswith(f"error: --learning_rate has no meaning for miajax {name}. ") and len(error) > 80
