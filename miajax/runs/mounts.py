"""Working copies of URLs: what a command reads and writes is a folder of this machine, and the store is what counts.

A copy is this process's alone while it lives. What is in it and not in the store is not believed, but for groups that
could not be sent: they are checked, and sent the next time.
"""

import atexit
import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path, PurePosixPath
from typing import Literal

from miajax.errors import UserError
from miajax.runs.atomic import remove
from miajax.runs.mirror import INSIDE, MANAGED, Mirror
from miajax.runs.names import path_name, range_name
from miajax.runs.objects import Store
from miajax.runs.space import with_space_for
from miajax.runs.units import units_of
from miajax.runs.urls import is_url, store_url

Wanted = Literal["files", "records", "whole", "afresh"]
"""What a working copy holds at first: single files (groups come when they are asked for); the records of groups, too;
all groups; all groups, of which nothing that lay here before."""
_OURS = (
    "manifest.json", "results.json", "source.json", "plan.json", "study.json", "export.json", "config.json",
    "index.html",
)  # fmt: skip
_MANIFEST = "manifest.json"
_MOUNTS: dict[str, "Mount"] = {}
_SHOWN: dict[str, str] = {}


class Mount:
    """A URL and its working copy.

    Attributes:
      url: as messages show it.
      path: the working copy.
    """

    def __init__(self, url: str):
        self.url, self._store = url, Store(url)
        self.path, self._lock = _working_copy(url)
        self._synced: dict[str, tuple[int, int]] = {}
        self._mirrors: dict[str, Mirror] = {}

    def pull(self, wanted: Wanted, foreign: bool = False) -> None:
        """Makes the working copy what the store holds.

        Args:
          wanted: of groups.
          foreign: whether it may be something that miajax did not write.

        Raises:
          UserError: the store does not answer, holds names that are no paths, or something foreign.
        """
        names = {name: size for name, size in self._store.names().items() if name[-1] != "/"}
        parts = {name: _parts(name) for name in names}
        if names and not foreign and not any(each[-1] in _OURS for each in parts.values()):
            raise UserError(
                f"{self.url} holds {len(names)} objects that miajax did not write ({next(iter(names))[:100]}, ...)",
                expected="a new place, or what miajax wrote", remedy="Choose another URL",
            )  # fmt: skip
        files = {name: size for name, size in names.items() if not any(part[0] == "." for part in parts[name])}
        if not names or wanted == "afresh":
            for path in self.path.iterdir():
                remove(path)
        for name in self._single_files():
            remove(self.path / name)  # what a copy holds is never believed
        with_space_for(self.path, sum(files.values()), lambda: f"the files of {self.url}")
        self._store.fetch({name: self.path / name for name in files})
        for name in self._single_files():
            (self.path / name).chmod(0o600)  # keys are among them
        self._synced = {name: self._state(name) for name in self._single_files()}
        runs = {name.partition(f"{INSIDE}/")[0].rstrip("/") for name in names if f"/{INSIDE}/" in f"/{name}"}
        for place in sorted(runs):
            mirror = self.mirror(place)
            mirror.refresh()
            if wanted == "records":
                mirror.fetch_records()
            elif wanted != "files":
                for models in units_of(mirror.units()):
                    mirror.fetch(range_name(models))

    def mirror(self, place: str) -> Mirror:
        """The run folder at a place below the URL; empty for the URL itself."""
        if place not in self._mirrors:
            self._mirrors[place] = Mirror(self._store.below(place), self.path / place)
        return self._mirrors[place]

    def publish(self) -> None:
        """Sends single files that are new or changed, ``results.json`` last, and deletes those that went.

        Each file appears whole. A file that another machine wrote meanwhile is replaced by ours, but for the manifest:
        that is sent where it is changed.
        """
        now = {name: self._state(name) for name in self._single_files()}
        now = {name: state for name, state in now.items() if name.rpartition("/")[2] != _MANIFEST}
        changed = [name for name, state in now.items() if self._synced.get(name) != state]
        for last in (False, True):
            some = [name for name in changed if (PurePosixPath(name).name == "results.json") == last]
            self._store.send({name: self.path / name for name in some})
        gone = [name for name in self._synced if name not in now and name.rpartition("/")[2] != _MANIFEST]
        self._store.remove(gone)
        self._synced = now

    def settled(self, name: str) -> bool:
        """Writes a file that all machines must share, once; whether another's was there and was taken instead."""
        path = self.path / name
        if self._store.create(name, path.read_bytes()):
            taken = False
        else:
            self._store.fetch({name: path})
            path.chmod(0o600)
            taken = True
        self._synced[name] = self._state(name)
        return taken

    def renewed(self, name: str) -> None:
        """Takes a file as it is in the store now."""
        self._store.fetch({name: self.path / name})

    def sent(self, name: str) -> None:
        """Sends a file that ``publish`` leaves alone."""
        self._store.put(name, (self.path / name).read_bytes())

    def _single_files(self) -> list[str]:
        """Files that are no group's, by their names in the store."""
        found: list[str] = []
        for top, below, files in os.walk(self.path):
            inside = Path(top).relative_to(self.path)
            run = _MANIFEST in files or INSIDE in below
            below[:] = [name for name in below if name[0] != "." and not (run and name in MANAGED)]
            found += [(inside / name).as_posix() for name in files if name[0] != "."]
        return found

    def _state(self, name: str) -> tuple[int, int]:
        status = (self.path / name).stat()
        return status.st_mtime_ns, status.st_size

    def release(self) -> None:
        """Leaves the working copy to the next process."""
        os.close(self._lock)


def _parts(name: str) -> tuple[str, ...]:
    """Parts of an object's name that may become a path.

    Raises:
      UserError: it would lead elsewhere.
    """
    parts = tuple(name.split("/"))
    if ".." in parts or "" in parts or "\0" in name:
        raise UserError(
            f"the store holds an object named {name[:200]!r}", expected="names that are paths below the URL"
        )
    return parts


def _working_copy(url: str) -> tuple[Path, int]:
    """A folder that no other process has, and the lock that says so: the first that is free, since it may hold most."""
    home = os.environ.get("MIAJAX_STORES") or os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(home) if home else Path.home() / ".cache"
        folder = folder if os.environ.get("MIAJAX_STORES") else folder / "miajax" / "stores"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):  # a user without a home, or a full or read-only one
        folder = Path(tempfile.mkdtemp(prefix="miajax-stores-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    for number in range(10_000):
        lock = os.open(folder / f"{name}-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        path = folder / f"{name}-{number}" / path_name(url.rpartition("/")[2])  # reports call a run by its last part
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path.resolve(), lock
    raise UserError(f"{folder} holds no free working copy of {url}", expected="fewer than 10000 processes at a time")


def mounted(what: str, text: str, wanted: Wanted, foreign: bool = False) -> Path:
    """The working copy of a URL.

    Args:
      what: names the flag, for messages.
      text: the URL.
      wanted: what it must hold.
      foreign: whether it may be something that miajax did not write.

    Raises:
      UserError: it is no URL of a store, the store does not answer, or something foreign lies there.
    """
    url = store_url(what, text)
    if url not in _MOUNTS:
        _MOUNTS[url] = Mount(url)
        _SHOWN[str(_MOUNTS[url].path)] = url
    mount = _MOUNTS[url]
    mount.pull(wanted, foreign)
    return mount.path


def local(what: str, place: str | Path, wanted: Wanted = "files") -> Path:
    """A path as it is, of a URL its working copy: for functions that take both.

    Raises:
      UserError: see ``mounted``; a URL that was made a path, which changes it.
    """
    if not is_url(str(place)):
        return Path(place)
    if isinstance(place, Path):
        raise UserError(f"{what} {place} was a URL before it was made a path", expected="the URL as text")
    return mounted(what, place, wanted)


def _around(path: Path) -> tuple[Mount, str] | None:
    """The mount that a path lies in, and its place below the URL."""
    for mount in _MOUNTS.values() if path.is_absolute() else ():
        if path == mount.path:
            return mount, ""
        if path.is_relative_to(mount.path):
            return mount, path.relative_to(mount.path).as_posix()
    return None


def mirror_of(path: Path) -> Mirror | None:
    """The run's place in a store, where a path is a working copy or in one."""
    found = _around(path)
    return None if found is None else found[0].mirror(found[1])


def settled(path: Path) -> bool:
    """As ``Mount.settled``; False outside working copies."""
    found = _around(path)
    return found is not None and found[0].settled(found[1])


def renewed(path: Path) -> None:
    """As ``Mount.renewed``; outside working copies a file is what it is."""
    if (found := _around(path)) is not None:
        found[0].renewed(found[1])


def sent(path: Path) -> None:
    """As ``Mount.sent``; outside working copies there is nowhere to send a file."""
    if (found := _around(path)) is not None:
        found[0].sent(found[1])


def publish() -> None:
    """Sends what is new or changed in all working copies.

    Raises:
      UserError: a store does not answer.
    """
    for mount in _MOUNTS.values():
        mount.publish()


@contextlib.contextmanager
def published() -> Generator[None]:
    """Around a piece of work: what it leaves is sent, however it ends.

    Raises:
      UserError: a store does not answer, and the work itself ended well.
    """
    try:
        yield
    except BaseException:
        with contextlib.suppress(UserError):
            publish()
        raise
    publish()


@contextlib.contextmanager
def for_a_command() -> Generator[None]:
    """As ``published``; afterwards the working copies are free for other processes."""
    try:
        with published():
            yield
    finally:
        forget()


def forget() -> None:
    """Leaves all working copies to other processes."""
    for mount in _MOUNTS.values():
        mount.release()
    _MOUNTS.clear()


def shown(text: str) -> str:
    """A text that names a working copy, with its URL instead."""
    return functools.reduce(lambda told, each: told.replace(*each), _SHOWN.items(), text)
