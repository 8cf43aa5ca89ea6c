"""The run folder: what a campaign leaves behind, written group by group, each group whole or not there."""

import contextlib
import datetime
import functools
import json
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from miajax.errors import UserError
from miajax.runs.atomic import (
    atomic_folder,
    hash_of,
    remove,
    remove_leftovers,
    write_json,
    write_npy,
    write_sealed,
)
from miajax.runs.checkpoints import save_tree
from miajax.runs.groups import StoredGroups
from miajax.runs.identity import differences, fingerprint, format_of
from miajax.runs.integrity import LARGE_KINDS, Damaged, set_group_aside
from miajax.runs.leases import Leases
from miajax.runs.leftovers import leftovers, refuse_links, sweep
from miajax.runs.locks import LEASES, ModelLocks, leases_wanted
from miajax.runs.mounts import mirror_of, renewed, sent, settled
from miajax.runs.names import UNFINISHED, range_name, range_of
from miajax.runs.objects import Folder
from miajax.runs.unfinished import Progress, check_state, load_unfinished, save_unfinished
from miajax.runs.units import OnDisk
from miajax.typed import Json

FORMAT = 2
"""Of new runs; 1, or none, is of versions that sealed neither manifest nor records. docs/run_folder.md has both."""


class RunFolder(StoredGroups):
    """A campaign on disk.

    Where it is the working copy of a URL, groups go to the store as they are stored, and a group is there when its
    commit is: see ``miajax.runs.mirror``.

    Args:
      path: the folder.

    ``open`` or ``create`` it; the constructor only names it.
    """

    def __init__(self, path: Path):
        super().__init__(path, mirror_of(path) or OnDisk(path))
        self._say: Callable[[str], None] = lambda line: None
        self._leased: Leases | None = None  # where models were locked by them

    def tell(self, say: Callable[[str], None]) -> None:
        """Who hears of leases that are taken over, and of groups that are sent late."""
        self._say = say
        if self._leases is not None:
            self._leases.say = say

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run.

        Raises:
          UserError: there is none.
        """
        folder = cls(path)
        if not (path / "manifest.json").is_file():
            raise UserError(
                f"{path} is not a run folder",
                expected="a folder with a manifest.json that miajax wrote",
                remedy="Make one with: miajax lira --out DIR",
            )
        manifest = folder.manifest
        version, identity = folder.format, manifest.get("identity")
        if not 1 <= version <= FORMAT:
            raise UserError(
                f"{path}/manifest.json has format {version}", expected=f"1 to {FORMAT}",
                remedy="Read it with the version of miajax that wrote it",
            )  # fmt: skip
        if not isinstance(identity, dict) or manifest.get("fingerprint") != fingerprint(cast(Json, identity)):
            raise UserError(
                f"{path}/manifest.json was changed or damaged: its fingerprint is not that of its identity",
                expected="a manifest as miajax wrote it",
                remedy="Restore it from a copy, or choose another --out",
            )
        return folder

    @classmethod
    def create(cls, path: Path, identity: Mapping[str, Any], manifest: Mapping[str, Any]) -> "RunFolder":
        """A new run, or the one that is there if it has the same identity.

        Args:
          path: its folder.
          identity: JSON of all that models and signals depend on, but their number.
          manifest: what else the manifest of a new run holds.

        Raises:
          UserError: the folder holds something else, or a run of another identity; the fields that differ are named.
        """
        try:
            str(path.resolve()).encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{str(path)!r} is no UTF-8", expected="a path of text: checkpoints cannot be stored under another",
                remedy="Choose another --out",
            ) from None  # fmt: skip
        if (path / "manifest.json").is_file():
            return cls._continued(path, identity)
        if path.exists() and (not path.is_dir() or any(p.name[0] != "." for p in path.iterdir())):
            raise UserError(
                f"{path} exists and is not a run folder",
                expected="a new or empty folder",
                remedy="Choose another --out",
            )
        write_sealed(
            path / "manifest.json",
            {
                "format": FORMAT,
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "fingerprint": fingerprint(identity),
                "identity": identity,
                **manifest,
            },
            new=True,
        )
        settled(path / "manifest.json")
        return cls._continued(path, identity)  # of several that begin at once, the first one's manifest counts

    @classmethod
    def _continued(cls, path: Path, identity: Mapping[str, Any]) -> "RunFolder":
        folder = cls.open(path)
        stored = folder.manifest["identity"]
        asked = json.loads(json.dumps(identity))
        if folder.manifest["fingerprint"] != fingerprint(asked):
            listed = differences(stored, asked)
            raise UserError(
                f"{path} holds a run of another configuration ({'; '.join(listed[:8])})",
                remedy="Choose another --out, or repeat the run's own flags to continue it",
            )
        return folder

    def update_manifest(self, **fields: Any) -> None:
        """Sets fields of the manifest."""
        renewed(self.path / "manifest.json")
        manifest = {**self.manifest, **fields}
        (write_sealed if format_of(manifest) > 1 else write_json)(self.path / "manifest.json", manifest)
        sent(self.path / "manifest.json")

    def enter(self) -> None:
        """Prepares the folder for writing: leftovers of dead processes go, where no other process is at work here.

        Raises:
          UserError: one of its folders is a link.
        """
        refuse_links(self.path)
        if self._locks.alone():
            sweep(self.path, self._resumable())
        self._locks.stay()
        self._send_late()

    def _send_late(self) -> None:
        """Sends groups that were finished here and never reached the store, where nobody trained them since."""
        for models in sorted(self._units.unsent(), key=lambda each: each.start):
            name = range_name(models)
            with self.lock(models) as ours:
                if not ours or self.missing(models, len(models)) != [models]:
                    continue
                with contextlib.suppress(Damaged):
                    self.verify(models)
                    self._units.push(name)
                    self._say(f"models {name} were finished before and are sent now")

    @property
    def patience(self) -> float:
        """Seconds between two looks at what other processes train."""
        return 0.5 if self._leases is None else 3.0

    def unfinished(self) -> list[range]:
        """The ranges of models whose training was stored before its end, and may go on from there."""
        return sorted(self._resumable().values(), key=lambda models: models.start)

    def _resumable(self) -> dict[str, range]:
        have = {i for models in self.done() for i in models}
        names = (unit for unit in self._units.units() if unit.startswith(UNFINISHED))
        ranges = {name: range_of(name.removeprefix(UNFINISHED)) for name in names}
        return {name: models for name, models in ranges.items() if models and have.isdisjoint(models)}

    def garbage(self) -> list[Path]:
        """What may go: leftovers of dead processes, and what was set aside as damaged."""
        aside = [self.path / "damaged"] if (self.path / "damaged").is_dir() else []
        return [*leftovers(self.path, self._resumable()), *aside]

    def garbage_in_store(self) -> dict[str, int]:
        """As ``garbage``, objects of a store with their bytes; none elsewhere."""
        return self._units.garbage()

    def collect(self) -> list[Path]:
        """Deletes `garbage` and returns what it was.

        Raises:
          UserError: another process is at work in the folder.
        """
        refuse_links(self.path)
        if not self._locks.alone():
            raise UserError(
                f"another process is at work in {self.path}", expected="a folder that nobody writes to",
                remedy="Wait until it has ended",
            )  # fmt: skip
        self._units.collect()
        gone = self.garbage()
        for path in gone:
            remove(path)
        self._locks.stay()
        return gone

    def check_unfinished(self, models: range) -> None:
        """Checks the stored state of an unfinished group.

        Raises:
          UserError: it is of other models or another run, or damaged.
        """
        path = self._in_progress(models)
        self._units.fetch(path.name)
        if self.format > 1 or (path / "record.json").exists():  # earlier versions stored no hash
            check_state(path, self._owner(models))

    @functools.cached_property
    def _locks(self) -> ModelLocks:
        return ModelLocks(self.path / ".locks")

    @functools.cached_property
    def _leases(self) -> Leases | None:
        """Where locks of byte ranges do not keep everybody apart."""
        if self._units.leases is not None:
            return self._units.leases
        wanted = leases_wanted(self.path) or not self._locks.granted
        return Leases(Folder(self.path / LEASES), say=self._say) if wanted else None

    @contextlib.contextmanager
    def lock(self, models: range) -> Generator[bool]:
        """Yields whether these models are ours to train; false while another process trains any of them."""
        self._leased = leases = self._leases
        with (
            self._locks.hold(models) as here,
            leases.hold(models) if here and leases is not None else contextlib.nullcontext(here) as ours,
        ):
            if ours:
                self._units.refresh()  # who had the models until now may have stored them
                for kind in ("groups", *LARGE_KINDS):
                    remove_leftovers(self.path / kind, range_name(models))
            yield ours

    def save_group(
        self,
        models: range,
        arrays: Mapping[str, np.ndarray],
        beside: Mapping[str, np.ndarray],
        parameters: Any | None,
        facts: Mapping[str, Any],
    ) -> None:
        """Stores a finished group; it counts as done when its folder, written last, is there.

        Args:
          models: its ids.
          arrays: small arrays, into ``groups/<range>/<name>.npy``.
          beside: large arrays, into ``<name>/<range>.npy``.
          parameters: a pytree, into ``checkpoints/<range>``, or None.
          facts: JSON for the group's own record (plan, times, invalid models).

        Raises:
          UserError: the disk is full, the store does not answer, or the models are another process's by now.
        """
        name = range_name(models)
        if self._leased is not None:
            self._leased.check(models)
        hashes = {}
        for kind in LARGE_KINDS:  # of a process that died before its group's folder was there
            remove(self.path / kind / (name if kind == "checkpoints" else f"{name}.npy"))
        for kind, array in beside.items():
            write_npy(self.path / kind / f"{name}.npy", array)
            hashes[f"{kind}/{name}.npy"] = hash_of(self.path / kind / f"{name}.npy")
        if parameters is not None:
            save_tree(self.path / "checkpoints" / name, parameters)
            hashes[f"checkpoints/{name}"] = hash_of(self.path / "checkpoints" / name)
        with atomic_folder(self.groups / name) as folder:
            for kind, array in arrays.items():
                write_npy(folder / f"{kind}.npy", array)
                hashes[f"groups/{name}/{kind}.npy"] = hash_of(folder / f"{kind}.npy")
            write_sealed(folder / "group.json", {**self._owner(models), "sha256": hashes, **facts})
        state = self._in_progress(models)
        self._units.push(name)
        self._units.drop(state.name)
        for path in (state, state.with_name(f"{state.name}.json")):
            remove(path)

    def _owner(self, models: range) -> dict[str, Any]:
        """What binds a record to its models and its run."""
        return {"models": [models.start, models.stop], "fingerprint": self.manifest["fingerprint"]}

    def set_aside(self, models: range) -> Path:
        """Moves a damaged group into ``damaged/``, so that its models count as missing; hold its lock."""
        return self._aside(range_name(models))

    def _aside(self, unit: str) -> Path:
        self._units.set_aside(unit)
        return set_group_aside(self.path, unit)

    def _in_progress(self, models: range) -> Path:
        return self.path / "checkpoints" / f"{UNFINISHED}{range_name(models)}"

    def save_progress(self, models: range, snapshot: Any, seconds: float = 0.0) -> None:
        """Stores an unfinished group's state, so that it can go on from there, and the seconds that it has taken."""
        path = self._in_progress(models)
        if self._leased is not None:
            self._leased.check(models)
        save_unfinished(path, snapshot, seconds, self._owner(models))
        try:
            self._units.push(path.name)
        except UserError as error:  # training need not end for it
            self._say(f"warning: the state of models {range_name(models)} was not sent: {error}")

    def load_progress(self, models: range, *abstract: Any) -> Progress:
        """What ``save_progress`` stored last; a damaged state is set aside, and the note says so.

        Args:
          models: the group's.
          abstract: the forms that it may have, of different structure, the one to be reported of first.

        Raises:
          UserError: it has none of them.
        """
        path = self._in_progress(models)
        self._units.renew(path.name)
        aside = functools.partial(self._aside, path.name)
        return load_unfinished(path, abstract, self._owner(models), self.format > 1, aside)
