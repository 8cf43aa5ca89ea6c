"""Which process trains which models: byte i of one lock file stands for model i."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

_PRESENCE = 1 << 40  # a byte beyond every model: each process that works in the folder shares it
_PROBE = _PRESENCE + 1  # nobody holds it for longer than a try
LEASES = ".leases"
"""Folder of a run whose processes are kept apart by leases, too; it is there from the first that needed them."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_OF_ONE_MACHINE = {
    "nfs": ("nolock", "local_lock=all", "local_lock=posix"),
    "nfs4": ("local_lock=all", "local_lock=posix"),
    "lustre": ("localflock",),
    "cifs": ("nobrl",),
    "smb3": ("nobrl",),
}
"""Mount options by type of file system under which locks are taken and no other machine learns of them."""


def leases_wanted(run: Path) -> bool:
    """Whether locks of byte ranges may not keep all processes of a run apart, as far as this machine can tell.

    They do not where the run says so already (``--leases`` made its folder), where its file system is mounted so that
    other machines do not learn of them, and on FUSE, whose locks are the kernel's own.
    """
    return (run / LEASES).is_dir() or not _known_elsewhere(run.resolve())


def _known_elsewhere(run: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    try:
        lines = [line.split(" ") for line in mounts.read_text(errors="surrogateescape").splitlines()]
    except OSError:
        return True
    around = [line for line in lines if len(line) > 3 and run.is_relative_to(line[1].replace("\\040", " "))]
    if not around:
        return True
    _, _, kind, options, *_ = max(around, key=lambda line: len(line[1]))
    return not kind.startswith("fuse.") and not set(_OF_ONE_MACHINE.get(kind, ())) & set(options.split(","))


class ModelLocks:
    """Range locks on model ids between processes.

    They end with the process that holds them, however it ends, and overlapping ranges exclude one another even where
    two processes cut their groups differently. Network file systems honour them as far as they honour POSIX locks.

    Attributes:
      granted: whether the file system has such locks at all; where it has none, ``hold`` keeps nobody apart.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Held open for the object's life: closing any handle of this file would drop all locks of the process.
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._held: set[range] = set()
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _PROBE)
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, _PROBE)
            self.granted = True
        except OSError as error:
            self.granted = error.errno not in _NO_LOCKS

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
            if self.granted:
                fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, len(models), models.start)
        except OSError:
            yield False
            return
        self._held.add(models)
        try:
            yield True
        finally:
            self._held.discard(models)
            if self.granted:
                fcntl.lockf(self._handle, fcntl.LOCK_UN, len(models), models.start)
