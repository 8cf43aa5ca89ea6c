"""The run folder: what a campaign leaves behind, written group by group, each group whole or not there."""

import contextlib
import datetime
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from miajax.errors import UserError
from miajax.runs.atomic import atomic_file, atomic_folder, hash_of, read_json, remove_leftovers, write_json, write_npy
from miajax.runs.checkpoints import load_tree, save_tree
from miajax.runs.locks import ModelLocks

FORMAT = 1


def fingerprint(identity: Mapping[str, Any]) -> str:
    """SHA-256 over all that models and signals depend on, the number of models left out."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, allow_nan=False).encode()).hexdigest()


def differences(stored: Any, asked: Any, where: str = "") -> list[str]:
    """The leaves in which two JSON values differ, as ``name: stored -> asked``."""
    if isinstance(stored, Mapping) and isinstance(asked, Mapping):
        names = list(dict.fromkeys([*stored, *asked]))
        return [
            line
            for name in names
            for line in differences(stored.get(name), asked.get(name), f"{where}.{name}" if where else name)
        ]
    return [] if stored == asked else [f"{where}: {json.dumps(stored)} there, {json.dumps(asked)} asked for"]


def range_name(models: range) -> str:
    """How a range of model ids is called on disk, both ends included."""
    return f"{models.start:05d}-{models.stop - 1:05d}"


def _range_of(name: str) -> range | None:
    first, _, last = name.partition("-")
    return range(int(first), int(last) + 1) if first.isdigit() and last.isdigit() else None


class RunFolder:
    """A campaign on disk.

    Args:
      path: the folder.

    ``open`` or ``create`` it; the constructor only names it.
    """

    def __init__(self, path: Path):
        self.path = path
        self.groups = path / "groups"

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
        if folder.manifest.get("format") != FORMAT:
            raise UserError(f"{path}/manifest.json has format {folder.manifest.get('format')}", expected=str(FORMAT))
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
        if (path / "manifest.json").is_file():
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
        if path.exists() and (not path.is_dir() or any(p.name[0] != "." for p in path.iterdir())):
            raise UserError(
                f"{path} exists and is not a run folder",
                expected="a new or empty folder",
                remedy="Choose another --out",
            )
        folder = cls(path)
        write_json(
            path / "manifest.json",
            {
                "format": FORMAT,
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "fingerprint": fingerprint(identity),
                "identity": identity,
                **manifest,
            },
        )
        return folder

    @property
    def manifest(self) -> dict[str, Any]:
        return read_json(self.path / "manifest.json")

    def update_manifest(self, **fields: Any) -> None:
        """Sets fields of the manifest."""
        write_json(self.path / "manifest.json", {**self.manifest, **fields})

    def done(self) -> list[range]:
        """The ranges of models that are finished, in order."""
        found = (_range_of(p.name) for p in self.groups.iterdir()) if self.groups.is_dir() else ()
        return sorted((r for r in found if r is not None), key=lambda r: r.start)

    def missing(self, wanted: range, group: int) -> list[range]:
        """The ranges still to be trained within ``wanted``, cut at multiples of ``group``, so that workers agree."""
        have = {i for models in self.done() for i in models}
        ranges: list[range] = []
        for i in wanted:
            if i in have:
                continue
            if ranges and ranges[-1].stop == i and i % group:
                ranges[-1] = range(ranges[-1].start, i + 1)
            else:
                ranges.append(range(i, i + 1))
        return ranges

    @contextlib.contextmanager
    def lock(self, models: range) -> Iterator[bool]:
        """Yields whether these models are ours to train; false while another process trains any of them."""
        if not hasattr(self, "_locks"):
            self._locks = ModelLocks(self.path / ".locks")
        with self._locks.hold(models) as ours:
            if ours:
                for kind in ("groups", "logits", "losses", "margins", "early_logits", "checkpoints"):
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
        """
        name = range_name(models)
        hashes = {}
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
            write_json(folder / "group.json", {"models": [models.start, models.stop], "sha256": hashes, **facts})
        shutil.rmtree(self._in_progress(models), ignore_errors=True)
        self._seconds_file(models).unlink(missing_ok=True)

    def group_facts(self, models: range) -> dict[str, Any]:
        """The group's own record."""
        return read_json(self.groups / range_name(models) / "group.json")

    def verify(self, models: range) -> None:
        """Checks every file of a finished group against its hash.

        Raises:
          UserError: one is missing or has changed.
        """
        name = range_name(models)
        for file, expected in self.group_facts(models)["sha256"].items():
            path = self.path / file
            state = "is missing" if not path.exists() else "" if hash_of(path) == expected else "was changed or damaged"
            if state:
                raise UserError(
                    f"group {name} of {self.path}: {file} {state}",
                    expected=f"SHA-256 {expected[:12]}...",
                    remedy=f"Delete {self.groups / name} and run the same command again to train those models anew",
                )

    def _in_progress(self, models: range) -> Path:
        return self.path / "checkpoints" / f"in-progress-{range_name(models)}"

    def save_progress(self, models: range, snapshot: Any, seconds: float = 0.0) -> None:
        """Stores an unfinished group's state, so that it can go on from there, and the seconds that it has taken."""
        save_tree(self._in_progress(models), snapshot)
        write_json(self._seconds_file(models), {"train_s": seconds})

    def progress_seconds(self, models: range) -> float:
        """Seconds that the training which ``load_progress`` goes on with has taken; 0 where there is none."""
        file = self._seconds_file(models)
        return float(read_json(file)["train_s"]) if file.is_file() and self._in_progress(models).is_dir() else 0.0

    def _seconds_file(self, models: range) -> Path:
        folder = self._in_progress(models)
        return folder.with_name(f"{folder.name}.json")

    def load_progress(self, models: range, *abstract: Any) -> Any | None:
        """What ``save_progress`` stored last, or None.

        Args:
          models: the group's.
          abstract: the forms that it may have, of different structure, the one to be reported of first.

        Raises:
          UserError: it has none of them, or is damaged.
        """
        if not self._in_progress(models).is_dir():
            return None
        failed: UserError | None = None
        for form in abstract:
            try:
                return load_tree(self._in_progress(models), form)
            except UserError as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def parts(self, kind: str, num_models: int) -> Iterator[tuple[range, np.ndarray]]:
        """An array of every finished group in order, read-only from disk: ``(models, array [G, ...])``.

        ``kind`` names either a small array or a large one; the last part is cut at ``num_models``.
        """
        for models in self.done():
            if models.start < num_models:
                yield self._part(kind, models, num_models)

    def kept(self, kind: str, num_models: int) -> Iterator[tuple[range, np.ndarray]]:
        """As ``parts``, of those groups that kept the array."""
        for models in self.done():
            if models.start < num_models and any(path.exists() for path in self._files(kind, models)):
                yield self._part(kind, models, num_models)

    def _files(self, kind: str, models: range) -> tuple[Path, Path]:
        """Where a group's array lies if it is small, and if it is large."""
        name = range_name(models)
        return self.groups / name / f"{kind}.npy", self.path / kind / f"{name}.npy"

    def _part(self, kind: str, models: range, num_models: int) -> tuple[range, np.ndarray]:
        small, large = self._files(kind, models)
        array = np.load(small if small.exists() else large, mmap_mode="r", allow_pickle=False)
        cut = range(models.start, min(models.stop, num_models))
        return cut, array[: len(cut)]

    def gather(self, kind: str, num_models: int) -> np.ndarray:
        """An array of all models, ``[M, ...]``, in memory."""
        return np.concatenate([np.asarray(part) for _, part in self.parts(kind, num_models)])

    def assemble(self, kind: str, num_models: int, file: str | None = None) -> np.ndarray:
        """Writes ``<file>.npy`` for all models from the groups' parts, a part at a time, and maps it back read-only."""
        path = self.path / f"{file or kind}.npy"
        first = next(self.parts(kind, num_models))[1]
        header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False}
        with atomic_file(path) as out:
            np.lib.format.write_array_header_1_0(out, {**header, "shape": (num_models, *first.shape[1:])})
            for _, part in self.parts(kind, num_models):
                np.ascontiguousarray(part).tofile(out)
        return np.load(path, mmap_mode="r", allow_pickle=False)


def with_space_for(path: Path, size: int, what: Callable[[], str]) -> None:
    """Refuses to begin what the disk can't hold.

    Raises:
      UserError: fewer than ``size`` bytes are free where ``path`` will lie.
    """
    there = next(p for p in (path, *path.resolve().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise UserError(
            f"{path} needs {size / 1e9:.2f} GB for {what()} and the disk has {free / 1e9:.2f} GB free",
            remedy="Free some space, choose another --out, or keep less with --keep",
        )
