"""Hashes of files that were made from a run's groups and are read again: scores, the table of examples."""

from pathlib import Path

from miajax.errors import UserError
from miajax.runs.atomic import hash_of, read_sealed, write_sealed

_FILE = "derived.json"


def remember(run: Path, *files: Path) -> None:
    """Records the hashes of files below ``run`` that were just written.

    Where a process dies in between, the file counts as changed and is made again.
    """
    known = {name: value for name, value in _known(run).items() if (run / name).exists()}
    hashes = {file.relative_to(run).as_posix(): hash_of(file) for file in files}
    write_sealed(run / _FILE, {**known, **hashes})


def why_changed(run: Path, file: Path) -> str:
    """Why a file that ``remember`` was told of may not be read; empty where it is what was written.

    Earlier versions recorded no hashes: files without one are taken as they are.
    """
    if not (run / _FILE).exists():
        return ""
    try:
        expected = read_sealed(run / _FILE, required=lambda _: True).get(file.relative_to(run).as_posix())
        found = hash_of(file) if file.is_file() else None
    except UserError as error:
        return str(error).rstrip(".")
    except OSError as error:
        return f"{file} cannot be read ({error.strerror})"
    return "" if expected in (None, found) else f"{file} {'is missing' if found is None else 'was changed or damaged'}"


def remembered(run: Path) -> tuple[str, ...]:
    """The files that ``remember`` was told of, by their path below the run; none where the list itself is damaged."""
    return tuple(_known(run))


def _known(run: Path) -> dict[str, str]:
    try:
        return read_sealed(run / _FILE, required=lambda _: True)
    except UserError:  # not there yet, or damaged: what it said of other files is lost, and they are made again
        return {}
