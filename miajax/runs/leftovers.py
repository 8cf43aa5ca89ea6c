"""What dead processes left in a run folder, deleted by the first that finds itself alone there."""

from collections.abc import Iterable
from pathlib import Path

from miajax.errors import UserError
from miajax.runs.atomic import TEMPORARY, remove
from miajax.runs.names import UNFINISHED


def leftovers(run: Path, unfinished: Iterable[str]) -> list[Path]:
    """Half-written files and states of groups that nobody will go on with, unless another process is writing them.

    Args:
      run: folder of the run.
      unfinished: names of states in ``checkpoints`` that may still be resumed.
    """
    patterns = (f"{TEMPORARY}*", f"*/{TEMPORARY}*", "checkpoints/*.orbax-checkpoint-tmp*")
    found = {path for pattern in patterns for path in run.glob(pattern)}
    wanted = set(unfinished)
    found |= {p for p in (run / "checkpoints").glob(f"{UNFINISHED}*") if p.name.removesuffix(".json") not in wanted}
    return sorted(found)


def sweep(run: Path, unfinished: Iterable[str]) -> None:
    """Deletes `leftovers`; call it only while no other process works in the folder."""
    for path in leftovers(run, unfinished):
        remove(path)


def refuse_links(run: Path) -> None:
    """Refuses to write where a link inside the folder would carry it elsewhere.

    Raises:
      UserError: one of the run's own folders is a link.
    """
    for path in sorted(run.iterdir()) if run.is_dir() else ():
        if path.is_symlink() and not path.is_file():
            raise UserError(
                f"{path} is a link to {path.readlink()}",
                expected="a folder of the run itself, since what is written there would land elsewhere",
                remedy="Link the whole run folder instead, or replace the link by what it points to",
            )
