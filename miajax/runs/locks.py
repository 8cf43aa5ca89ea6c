"""Which process trains which models: byte i of one lock file stands for model i."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

_PRESENCE = 1 << 40  # a byte beyond every model: each process that works in the folder shares it


class ModelLocks:
    """Range locks on model ids between processes.

    They end with the process that holds them, however it ends, and overlapping ranges exclude one another even where
    two processes cut their groups differently. Network file systems honour them as far as they honour POSIX locks.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Held open for the object's life: closing any handle of this file would drop all locks of the process.
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._held: set[range] = set()

    def alone(self) -> bool:
        """Whether no other process has this folder open; true only until ``stay`` is called, which must follow."""
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _PRESENCE)
        except OSError:
            return False
        return True

    def stay(self) -> None:
        """Says, until the process ends, that the folder is in use."""
        with contextlib.suppress(OSError):  # a file system without shared locks: nothing is ever swept there
            fcntl.lockf(self._handle, fcntl.LOCK_SH, 1, _PRESENCE)

    @contextlib.contextmanager
    def hold(self, models: range) -> Generator[bool]:
        """Yields whether the models are ours until the block ends; never waits."""
        if any(models.start < other.stop and other.start < models.stop for other in self._held):
            yield False
            return
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, len(models), models.start)
        except OSError:
            yield False
            return
        self._held.add(models)
        try:
            yield True
        finally:
            self._held.discard(models)
            fcntl.lockf(self._handle, fcntl.LOCK_UN, len(models), models.start)
