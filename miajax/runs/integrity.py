"""Whether a finished group is what was stored: in its own place, of its own run, complete, and every byte the same."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from miajax.errors import UserError
from miajax.runs.atomic import hash_of
from miajax.runs.names import UNFINISHED

LARGE_KINDS = ("logits", "losses", "margins", "early_logits", "checkpoints")
"""Folders beside ``groups`` that hold a file or a folder of each group."""


class Damaged(UserError):
    """A group that may not be used.

    Attributes:
      reason: what is wrong, without the group's name.
    """

    def __init__(self, run: Path, name: str, reason: str):
        self.name, self.reason = name, reason
        super().__init__(
            f"group {name} of {run}: {reason}",
            expected="files as miajax wrote them",
            remedy=f"miajax lira --run {run} sets it aside and trains those models again",
        )


def check_group(run: Path, name: str, record: Mapping[str, Any], models: range, fingerprint: str | None,
                kinds: Iterable[str]) -> None:  # fmt: skip
    """Checks every file of a finished group.

    Args:
      run: folder of the run.
      name: of the group's folder.
      record: its own, from ``group.json``.
      models: that the name stands for.
      fingerprint: of the run, which the record must name; None where its version named none.
      kinds: small arrays that it must hold.

    Raises:
      Damaged: it belongs elsewhere, names too few files or too many, or one of them is missing or has changed.
    """

    def refuse(reason: str) -> None:
        raise Damaged(run, name, reason)

    if record.get("models") != [models.start, models.stop]:
        refuse(f"group.json is that of models {record.get('models')}")
    if fingerprint is not None and record.get("fingerprint") != fingerprint:
        refuse("group.json is that of another run")
    if not isinstance(record.get("sha256"), dict):
        refuse("group.json lists no files")
    hashes: dict[str, Any] = record["sha256"]
    for file in {*map(str, _on_disk(run, name)), *(f"groups/{name}/{kind}.npy" for kind in kinds)} - set(hashes):
        refuse(f"group.json lists no {file}")
    for file, expected in hashes.items():
        if not _belongs(file, name):
            refuse(f"group.json lists {file!r}, which is no file of this group")
        path = run / file
        try:
            if not path.exists():
                refuse(f"{file} is missing")
            if hash_of(path) != expected:
                refuse(f"{file} was changed or damaged")
        except OSError as error:
            refuse(f"{file} cannot be read ({error.strerror})")


def _on_disk(run: Path, name: str) -> list[Path]:
    folder = run / "groups" / name
    found = [path for path in folder.glob("*") if path.name != "group.json"]
    found += [run / kind / f"{name}.npy" for kind in LARGE_KINDS] + [run / "checkpoints" / name]
    return [path.relative_to(run) for path in found if path.exists()]


def _belongs(file: str, name: str) -> bool:
    large = {f"{kind}/{name}.npy" for kind in LARGE_KINDS} | {f"checkpoints/{name}"}
    return file in large or re.fullmatch(rf"groups/{name}/\w+\.npy", file, re.ASCII) is not None


def array_hash(array: np.ndarray) -> str:
    """SHA-256 of an array's values with their type and shape, wherever they lie."""
    head = f"{array.dtype.str} {array.shape}\0".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def set_group_aside(run: Path, name: str) -> Path:
    """Moves all files of a group, or its unfinished state, into ``damaged/`` and says where they lie now."""
    count = 1
    while (aside := run / "damaged" / f"{name}-{count}").exists():
        count += 1
    places = [Path("checkpoints") / name]
    if not name.startswith(UNFINISHED):
        places = [Path("groups") / name, *places, *(Path(kind) / f"{name}.npy" for kind in LARGE_KINDS)]
    for place in places:
        if (run / place).exists() or (run / place).is_symlink():
            (aside / place).parent.mkdir(parents=True, exist_ok=True)
            (run / place).replace(aside / place)
    return aside
