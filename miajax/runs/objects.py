"""Objects of a store by name: each is put whole or not at all, and none is ever changed in part."""

import contextlib
import importlib
import os
import secrets
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from miajax.errors import UserError
from miajax.parsing import reason
from miajax.runs.urls import PACKAGES, without_secrets

_TRANSPORT = {"connect_timeout": 20, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 5}}


@runtime_checkable
class Objects(Protocol):
    """What leases need of a place: a store, or a folder that several machines see."""

    def put(self, name: str, data: bytes) -> None:
        """Writes an object, in place of one that is there."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Writes an object unless there is one; whether it is ours now."""
        ...

    def read(self, name: str) -> bytes | None:
        """An object's content; None where there is none."""
        ...

    def names(self, under: str) -> dict[str, int]:
        """Every object below a prefix that ends at a slash, or below all: its name and its bytes."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Deletes objects; what is gone already is no fault."""
        ...


class Folder:
    """Objects as files of one folder; created by a link, which network file systems keep exclusive, too.

    Args:
      path: of the folder, made where it is missing.
    """

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def _written(self, data: bytes) -> Path:
        temporary = self.path / f".partial-{secrets.token_hex(8)}"
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return temporary

    def put(self, name: str, data: bytes) -> None:
        self._written(data).replace(self.path / name)

    def create(self, name: str, data: bytes) -> bool:
        temporary = self._written(data)
        try:
            os.link(temporary, self.path / name)
        except FileExistsError:
            return self.read(name) == data  # a link that a server made, and whose answer was lost
        except OSError:  # a file system without links
            try:
                with (self.path / name).open("xb") as file:
                    file.write(data)
            except FileExistsError:
                return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def read(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return (self.path / name).read_bytes()
        return None

    def names(self, under: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for path in self.path.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name[0] != "." and path.name.startswith(under):
                    found[path.name] = path.stat().st_size
        return found

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)


class Store:
    """Objects below a URL.

    Args:
      url: of ``store_url``.

    Raises:
      UserError: the package that speaks to such a store is missing.
    """

    def __init__(self, url: str):
        self.url = url
        scheme = url.partition("://")[0]
        package = PACKAGES[scheme]
        try:
            files: Any = importlib.import_module("fsspec")
            files.get_filesystem_class(scheme)
        except ImportError:
            extra = "miajax[cluster]" if package in ("s3fs", "fsspec") else package
            raise UserError(
                f"{url}: the package {package} is missing", expected="it beside miajax",
                remedy=f"pip install '{extra}'",
            ) from None  # fmt: skip
        # Listings of a minute ago would hide what other machines have done since.
        options: dict[str, Any] = {"use_listings_cache": False}
        if package == "s3fs":
            options["config_kwargs"] = _TRANSPORT
        if package != "fsspec":
            options["skip_instance_cache"] = True
        with self._asked("opening it"):
            opened: tuple[Any, str] = files.url_to_fs(url, **options)
        self._files, self._root = opened[0], opened[1].strip("/")

    def below(self, place: str) -> "Store":
        """The same store, names relative to ``place``; itself where that is empty."""
        if not place:
            return self
        other = object.__new__(Store)
        other.url, other._root, other._files = f"{self.url}/{place}", f"{self._root}/{place}", self._files
        return other

    @contextlib.contextmanager
    def _asked(self, what: str) -> Generator[None]:
        """Whatever a store's library raises becomes one line; a missing object stays a ``FileNotFoundError``.

        Raises:
          UserError: see above.
        """
        try:
            yield
        except (UserError, FileNotFoundError, FileExistsError):
            raise
        except Exception as error:  # each library has errors of its own, without a common kind
            told = without_secrets(f"{type(error).__name__}: {reason(error)}")
            raise UserError(
                f"{self.url}: {what} failed ({told})",
                expected="a store that answers, a bucket that is there, and credentials for it",
                remedy="What was finished before is kept: run the same command again",
            ) from error

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def put(self, name: str, data: bytes) -> None:
        with self._asked(f"writing {name}"), self._a_bucket():
            self._files.pipe_file(self._at(name), data)

    @contextlib.contextmanager
    def _a_bucket(self) -> Generator[None]:
        """What is written can lack nothing but its bucket."""
        try:
            yield
        except FileNotFoundError as error:
            raise UserError(
                f"{self.url}: there is no bucket of that name", expected="one that is there",
                remedy="Create it with the store's own tools",
            ) from error  # fmt: skip

    def create(self, name: str, data: bytes) -> bool:
        with self._asked(f"writing {name}"), self._a_bucket():
            with contextlib.suppress(FileExistsError):  # perhaps our own, by a request that was sent twice
                self._files.pipe_file(self._at(name), data, mode="create")
            return self.read(name) == data

    def read(self, name: str) -> bytes | None:
        try:
            with self._asked(f"reading {name}"):
                return self._files.cat_file(self._at(name))
        except FileNotFoundError:
            return None

    def names(self, under: str = "") -> dict[str, int]:
        prefix = f"{self._root}/"
        try:
            with self._asked("listing it"):
                self._files.invalidate_cache()
                found: dict[str, Any] = self._files.find(self._at(under).rstrip("/"), detail=True)
        except FileNotFoundError:
            return {}
        listed = {path.lstrip("/"): int(info.get("size") or 0) for path, info in found.items()}
        return {path.removeprefix(prefix): size for path, size in listed.items() if path.startswith(prefix + under)}

    def remove(self, names: Iterable[str]) -> None:
        paths = [self._at(name) for name in names]
        try:
            with self._asked("deleting"):
                if paths:
                    self._files.rm(paths)
        except FileNotFoundError:  # some libraries stop at the first that is missing
            for path in paths if len(paths) > 1 else ():
                with contextlib.suppress(FileNotFoundError), self._asked("deleting"):
                    self._files.rm([path])

    def send(self, files: Mapping[str, Path]) -> None:
        """Puts files by the names of their objects, several at a time."""
        if files:
            with self._asked(f"sending {len(files)} files"), self._a_bucket():
                self._files.put(list(map(str, files.values())), [self._at(name) for name in files])

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Writes objects into files, several at a time; one that is missing leaves no file."""
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._asked(f"fetching {len(files)} files"):
                if files:
                    self._files.get([self._at(name) for name in files], list(map(str, files.values())))
        except FileNotFoundError:
            for name, path in files.items() if len(files) > 1 else ():
                self.fetch({name: path})
            if len(files) == 1:
                next(iter(files.values())).unlink(missing_ok=True)
