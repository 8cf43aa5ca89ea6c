"""Room on the disk: what a run or an export needs, before it is begun."""

import shutil
from collections.abc import Callable
from pathlib import Path

from miajax.errors import UserError
from miajax.memory import amount


def with_space_for(path: Path, size: int, what: Callable[[], str]) -> None:
    """Refuses to begin what the disk can't hold.

    Raises:
      UserError: fewer than ``size`` bytes are free where ``path`` will lie.
    """
    there = next(p for p in (path, *path.resolve().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise UserError(
            f"{path} needs {amount(size)} for {what()} and the disk has {amount(free)} free",
            remedy="Free some space, choose another --out, or keep less with --keep",
        )
