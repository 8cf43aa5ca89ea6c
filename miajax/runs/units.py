"""What a run consists of, group by group, and where that counts: in its folder, or in a store (`runs.mirror`)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from miajax.runs.leases import Leases
from miajax.runs.names import UNFINISHED, range_of


@runtime_checkable
class Units(Protocol):
    """Finished groups, ``00000-00007``, and states of unfinished ones, ``in-progress-00000-00007``."""

    @property
    def leases(self) -> Leases | None:
        """What keeps the processes of the run apart; None where locks of files may."""
        ...

    def units(self) -> set[str]:
        """Units that may be believed, as far as was looked."""
        ...

    def refresh(self) -> None:
        """Looks which units are there."""

    def unsent(self) -> set[range]:
        """Groups whose files are on this machine, and that count nowhere yet."""
        ...

    def is_here(self, unit: str) -> bool:
        """Whether a unit's files need not be fetched."""
        ...

    def fetch(self, unit: str) -> None:
        """Brings a unit's files to where they are read."""

    def renew(self, unit: str) -> None:
        """Makes an unfinished group's state the one that counts, or none where there is none."""

    def push(self, unit: str) -> None:
        """Makes a unit count whose files are written."""

    def drop(self, unit: str) -> None:
        """A unit ceases to exist, first for its readers; its files are the caller's to remove."""

    def set_aside(self, unit: str) -> None:
        """A damaged unit ceases to exist; its files are the caller's to move."""

    def garbage(self) -> dict[str, int]:
        """What no unit needs and does not lie in the run folder, with its bytes."""
        ...

    def collect(self) -> None:
        """Deletes ``garbage``."""

    def size(self) -> int:
        """Bytes of the whole run."""
        ...


class OnDisk:
    """Units of a run whose folder is where they count: what lies there is what there is.

    Args:
      path: the run folder.
    """

    leases: Leases | None = None

    def __init__(self, path: Path):
        self.path = path

    def units(self) -> set[str]:
        groups = self.path / "groups"
        names = {place.name for place in groups.iterdir()} if groups.is_dir() else set[str]()
        return names | {place.name for place in (self.path / "checkpoints").glob(f"{UNFINISHED}*") if place.is_dir()}

    def refresh(self) -> None: ...

    def unsent(self) -> set[range]:
        return set()

    def is_here(self, unit: str) -> bool:
        return True

    def fetch(self, unit: str) -> None: ...

    def renew(self, unit: str) -> None: ...

    def push(self, unit: str) -> None: ...

    def drop(self, unit: str) -> None: ...

    def set_aside(self, unit: str) -> None: ...

    def garbage(self) -> dict[str, int]:
        return {}

    def collect(self) -> None: ...

    def size(self) -> int:
        return sum(file.lstat().st_size for file in self.path.rglob("*") if file.is_file())


def units_of(names: Iterable[str]) -> list[range]:
    """The finished groups among units, in order."""
    found = (range_of(name) for name in names)
    return sorted((models for models in found if models is not None), key=lambda models: models.start)
