"""A run in a store and its working copy: whole groups go up and come down, and a commit is what makes one exist."""

import re
import secrets
from pathlib import Path, PurePosixPath
from typing import Any, cast

from miajax.errors import UserError
from miajax.runs.atomic import hash_of, read_sealed, remove, write_sealed
from miajax.runs.integrity import LARGE_KINDS
from miajax.runs.leases import Leases
from miajax.runs.names import UNFINISHED, range_of
from miajax.runs.objects import Store
from miajax.runs.space import with_space_for
from miajax.runs.units import OnDisk, units_of

INSIDE = ".store"
"""Below a run's URL, what only stores have: ``commits``, ``uploads``, ``leases`` and ``damaged``."""
MANAGED = ("groups", "checkpoints", "damaged", *LARGE_KINDS)
"""Folders of a run that go up and down with its groups, not as single files."""


class Mirror:
    """One run folder in a store: `Units` that count there.

    A unit's files are sent under a name of their own, ``.store/uploads/UNIT/TOKEN/``; then its commit,
    ``.store/commits/UNIT.json``, says which they are. Readers look at commits alone: what was sent in part, or beside
    another sender, is never seen.

    Args:
      store: objects below the run's URL.
      path: the working copy, an existing folder.
    """

    def __init__(self, store: Store, path: Path):
        self.store, self.path = store, path
        self.leases = Leases(store, f"{INSIDE}/leases/")
        self.own: set[str] = set()
        """Units that this process finished, on their way up or there."""
        self._committed: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Looks which units are there."""
        under = f"{INSIDE}/commits/"
        names = (name.removeprefix(under).removesuffix(".json") for name in self.store.names(under))
        self._committed = {name for name in names if range_of(name.removeprefix(UNFINISHED))}

    def units(self) -> set[str]:
        """Units that may be believed: those of a commit when it was looked last, and this process's own."""
        return self._committed | self.own

    def unsent(self) -> set[range]:
        """Groups that were finished here and never reached the store."""
        return {*units_of(OnDisk(self.path).units())} - {*units_of(self.units())}

    def is_here(self, unit: str) -> bool:
        """Whether this process finished it."""
        return unit in self.own

    def renew(self, unit: str) -> None:
        """Removes a state from the working copy, which is never believed, and brings what the store holds."""
        remove(self.path / "checkpoints" / unit)
        if unit in self.units():
            self.fetch(unit)

    def size(self) -> int:
        """Bytes of the whole run in the store."""
        return sum(self.store.names().values())

    def push(self, unit: str) -> None:
        """Sends a unit as it lies in the working copy; it is there when the last object is, and not before."""
        if range_of(unit) is not None:
            self.own.add(unit)
        (self.path / INSIDE).mkdir(exist_ok=True)  # says, until it is sent, that what lies beside it is a run
        token, files = secrets.token_hex(8), self._local(unit)
        listed = {name: {"sha256": hash_of(path), "size": path.stat().st_size} for name, path in files.items()}
        sent = f"{INSIDE}/uploads/{unit}/"
        before = self.store.names(sent)
        self.store.send({f"{sent}{token}/{name}": path for name, path in files.items()})
        record = self.path / INSIDE / f"{unit}.json"
        write_sealed(record, {"unit": unit, "upload": token, "files": listed})
        self.store.put(self._commit(unit), record.read_bytes())
        self._committed.add(unit)
        self.store.remove(before)  # of a state before, or of a process that died while it sent

    def fetch(self, unit: str) -> None:
        """Brings a unit's files into the working copy: those that its commit names, and of its bytes.

        A file that lies there already with the same SHA-256 stays. What is damaged or missing in the store arrives as
        it is: who uses it checks it against the run's own records.
        """
        record = self._record(unit)
        listed: dict[str, Any] = record["files"]
        for name, path in self._local(unit).items():
            if name not in listed or hash_of(path) != listed[name].get("sha256"):
                remove(path)
        wanted = {name: self.path / name for name in listed if not (self.path / name).exists()}
        with_space_for(self.path, sum(int(listed[name].get("size") or 0) for name in wanted), lambda: unit)
        sent = f"{INSIDE}/uploads/{unit}/{record['upload']}"
        self.store.fetch({f"{sent}/{name}": path for name, path in wanted.items()})

    def fetch_records(self) -> None:
        """Brings the record of every finished group, ``group.json``, and no array."""
        for unit in sorted(self._committed):
            name = f"groups/{unit}/group.json"
            if range_of(unit) is not None and not (self.path / name).exists():
                record = self._record(unit)
                self.store.fetch({f"{INSIDE}/uploads/{unit}/{record['upload']}/{name}": self.path / name})

    def _record(self, unit: str) -> dict[str, Any]:
        """What a unit's commit says, in its form; of one that is damaged, that it has no files."""
        local = self.path / INSIDE / f"{unit}.json"
        self.store.fetch({self._commit(unit): local})
        try:
            record = read_sealed(local, required=lambda _: True)
        except UserError:
            record = {}
        token, files = record.get("upload"), record.get("files")
        listed = cast("dict[str, Any]", files if isinstance(files, dict) else {"": None})
        sound = (
            record.get("unit") == unit
            and isinstance(token, str)
            and re.fullmatch("[0-9a-f]{16}", token)
            and all(isinstance(each, dict) and _of(name, unit) for name, each in listed.items())
        )
        return record if sound else {"upload": "", "files": {}}

    def _local(self, unit: str) -> dict[str, Path]:
        """The unit's files in the working copy."""
        places = [self.path / "groups" / unit, self.path / "checkpoints" / unit]
        places += [self.path / kind / f"{unit}.npy" for kind in LARGE_KINDS]
        files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def _commit(self, unit: str) -> str:
        return f"{INSIDE}/commits/{unit}.json"

    def drop(self, unit: str) -> None:
        """A unit ceases to exist, first for its readers."""
        self.own.discard(unit)
        if unit in self._committed:
            self._committed.discard(unit)
            self.store.remove([self._commit(unit)])
            self.store.remove(self.store.names(f"{INSIDE}/uploads/{unit}/"))

    def set_aside(self, unit: str) -> None:
        """A damaged unit ceases to exist; its commit and its files stay where ``garbage`` names them."""
        self.own.discard(unit)
        if unit in self._committed and (content := self.store.read(self._commit(unit))) is not None:
            self.store.put(f"{INSIDE}/damaged/{unit}-{secrets.token_hex(4)}.json", content)
            self.store.remove([self._commit(unit)])
        self._committed.discard(unit)

    def garbage(self) -> dict[str, int]:
        """Objects that no commit names, with their bytes: half-sent files, damaged units, ends of leases."""
        self.refresh()
        there, kept = self.store.names(f"{INSIDE}/"), {self._commit(unit) for unit in self._committed}
        alive = tuple(f"{INSIDE}/uploads/{unit}/{self._record(unit)['upload']}/" for unit in self._committed)
        return {name: size for name, size in there.items() if name not in kept and not name.startswith(alive or ("/",))}

    def collect(self) -> None:
        """Deletes ``garbage``.

        Raises:
          UserError: another process holds a lease there.
        """
        if owners := self.leases.living():
            raise UserError(
                f"another process is at work in {self.store.url} ({owners[0]})",
                expected="a run that nobody writes to", remedy="Wait until it has ended",
            )  # fmt: skip
        self.store.remove(self.garbage())


def _of(name: str, unit: str) -> bool:
    """Whether a file may belong to a unit: a commit is data, and its word writes nowhere else."""
    parts = PurePosixPath(name).parts
    if "\\" in name or "\0" in name or ".." in parts or "/".join(parts) != name or len(parts) < 2:
        return False
    if len(parts) == 2:
        return parts[0] in LARGE_KINDS and parts[1] == f"{unit}.npy"
    return parts[0] in ("groups", "checkpoints") and parts[1] == unit
