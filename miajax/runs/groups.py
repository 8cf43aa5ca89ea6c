"""What lies in a run folder, read: which groups are finished, whether they are whole, and their arrays."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from miajax.array_files import load_npy
from miajax.errors import UserError
from miajax.runs.atomic import atomic_file, read_sealed
from miajax.runs.identity import format_of
from miajax.runs.integrity import Damaged, check_group
from miajax.runs.names import range_name
from miajax.runs.units import Units, units_of


class StoredGroups:
    """The finished groups of a run.

    Args:
      path: the run folder.
      units: where its groups count.
    """

    def __init__(self, path: Path, units: Units):
        self.path = path
        self.groups = path / "groups"
        self._units = units

    @property
    def manifest(self) -> dict[str, Any]:
        return read_sealed(self.path / "manifest.json", required=lambda found: format_of(found) > 1)

    @property
    def format(self) -> int:
        """Version of the folder's layout; 1 where the manifest names none."""
        return format_of(self.manifest)

    def done(self) -> list[range]:
        """The ranges of models that are finished, in order."""
        return units_of(self._units.units())

    def missing(self, wanted: range, group: int) -> list[range]:
        """The ranges still to be trained within ``wanted``, cut at multiples of ``group``, so that workers agree."""
        self._units.refresh()
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

    def group_facts(self, models: range) -> dict[str, Any]:
        """The group's own record.

        Raises:
          UserError: it is missing or damaged.
        """
        hashed = self.format > 1
        return read_sealed(self.groups / range_name(models) / "group.json", required=lambda _: hashed)

    def verify(self, models: range, kinds: Iterable[str] = ("signals",)) -> None:
        """Checks that a finished group is in its place, complete, and every file what it was.

        Args:
          models: the group's.
          kinds: small arrays that it must hold.

        Raises:
          Damaged: it may not be used.
        """
        name, manifest = range_name(models), self.manifest
        if any(other != models and other.start <= models.start < other.stop for other in self.done()):
            raise Damaged(self.path, name, "another group holds some of its models")
        try:
            if (self.groups / name).is_symlink():
                raise UserError(f"{self.groups / name} is a link")
            record = self.group_facts(models)
        except UserError as error:
            raise Damaged(self.path, name, str(error).split(";")[0].rstrip(".")) from error
        bound = format_of(manifest) > 1 or "fingerprint" in record
        check_group(self.path, name, record, models, manifest["fingerprint"] if bound else None, kinds)

    def verify_all(self, num_models: int, kinds: Iterable[str] = ("signals",)) -> None:
        """``verify`` of every group that the first ``num_models`` models lie in, for those who only read.

        Raises:
          UserError: groups are damaged, and all of them are named; or models are missing.
        """
        damaged: list[Damaged] = []
        for models in self.done():
            if models.start < num_models:
                try:
                    self.verify(models, kinds)
                except Damaged as error:
                    damaged.append(error)
        if damaged:
            raise UserError(
                f"{self.path}: {'; '.join(f'group {error.name}: {error.reason}' for error in damaged[:8])}"
                f"{f' and {len(damaged) - 8} more' if len(damaged) > 8 else ''}",
                expected="groups as miajax wrote them",
                remedy=f"miajax lira --run {self.path} sets them aside and trains those models again",
            )
        if missing := self.missing(range(num_models), num_models):
            raise UserError(
                f"{self.path} lacks models {', '.join(map(range_name, missing[:8]))}", expected="a finished run",
                remedy=f"Finish it with: miajax lira --run {self.path}",
            )  # fmt: skip

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

    def checkpoints(self, num_models: int) -> list[tuple[range, Path]]:
        """``(models, checkpoint)`` of every finished group of the first ``num_models`` that kept its parameters."""
        kept = [(models, self.path / "checkpoints" / range_name(models)) for models in self.done()]
        return [(models, path) for models, path in kept if models.start < num_models and path.is_dir()]

    def _files(self, kind: str, models: range) -> tuple[Path, Path]:
        """Where a group's array lies if it is small, and if it is large."""
        name = range_name(models)
        return self.groups / name / f"{kind}.npy", self.path / kind / f"{name}.npy"

    def _part(self, kind: str, models: range, num_models: int) -> tuple[range, np.ndarray]:
        small, large = self._files(kind, models)
        array = load_npy(small if small.exists() else large)
        if array.ndim < 1 or len(array) != len(models):
            raise Damaged(self.path, range_name(models), f"{kind} has shape {array.shape}")
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

    def is_here(self, models: range) -> bool:
        """Whether a finished group's files need not be fetched."""
        return self._units.is_here(range_name(models))

    def fetch(self, models: range) -> None:
        """Brings a finished group of a store into the working copy; elsewhere groups are where they are."""
        if not self.is_here(models):
            self._units.fetch(range_name(models))

    def size(self) -> int:
        """Bytes of all its files."""
        return self._units.size()
