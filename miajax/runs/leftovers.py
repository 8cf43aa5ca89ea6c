"""What dead processes left in a run folder, deleted by the first that finds itself alone there."""

from collections.abc import Iterable
from pathlib import Path

from miajax.errors import UserError
from miajax.runs.atomic import TEMPORARY, remove


def sweep(run: Path, unfinished: Iterable[str]) -> None:
    """Deletes half-written files and states of groups that nobody will go on with.

    Call it only while no other process works in the folder.

    Args:
      run: folder of the run.
      unfinished: names of states in ``checkpoints`` that may still be resumed.
    """
    patterns = (f"{TEMPORARY}*", f"*/{TEMPORARY}*", "checkpoints/*.orbax-checkpoint-tmp*")
    for path in [path for pattern in patterns for path in run.glob(pattern)]:
        remove(path)
    wanted = set(unfinished)
    for path in list((run / "checkpoints").glob("in-progress-*")):
        if path.name.removesuffix(".json") not in wanted:
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
