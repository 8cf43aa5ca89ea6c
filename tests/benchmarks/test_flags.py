"""A benchmark's flags are the arguments of its main."""

from pathlib import Path
from typing import Literal

import pytest

from benchmarks._flags import call

seen: list[tuple] = []


def main(run: Path, only: Literal["mlp", "cnn"] | None = None, repeats: int = 5, quick: bool = False) -> None:
    """Measures something.

    Args:
      run: a folder
        to read.
      only: one network.
      repeats: how often.
      quick: in small.
    """
    seen.append((run, only, repeats, quick))


def test_flags_are_arguments_with_their_types_and_defaults():
    seen.clear()
    call(main, ["--run", "a/b", "--quick", "--only", "cnn"])
    call(main, ["--run=c", "--repeats", "2", "--no_quick"])
    assert seen == [(Path("a/b"), "cnn", 5, True), (Path("c"), None, 2, False)]


@pytest.mark.parametrize(
    ("argv", "told"), [([], "--run is missing"), (["--run", "a", "--only", "x"], "one of mlp, cnn")]
)
def test_a_wrong_flag_is_one_line_and_status_2(argv, told, capsys):
    seen.clear()
    with pytest.raises(SystemExit) as end:
        call(main, argv)
    error = capsys.readouterr().err
    assert end.value.code == 2 and not seen and error.count("\n") == 1 and told in error


def test_help_says_what_the_docstring_says(capsys):
    with pytest.raises(SystemExit) as end:
        call(main, ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0 and "Measures something." in text and "Args" not in text
    assert "--run PATH a folder to read" in text and "how often (default: 5)" in text
