"""Files and folders that are either whole or not there."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

import numpy as np

from miajax.errors import UserError

TEMPORARY = ".partial-"


@contextlib.contextmanager
def _told_when_full(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"no space left on the disk while writing {path}",
                remedy="What was finished before is kept: free some space and run the same command again",
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise UserError(
                f"{path} cannot be written ({error.strerror})",
                expected="a folder one may write to",
                remedy="Choose another --out",
            ) from error
        raise


@contextlib.contextmanager
def atomic_file(path: Path, mode: str = "wb") -> Generator[IO[Any]]:
    """A file to write that appears under ``path`` only when the block ends well, flushed to the disk before."""
    with _told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY}{path.name}-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """A folder to fill that appears under ``path`` only when the block ends well; what stood there is replaced."""
    with _told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{path.name}-", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def write_npy(path: Path, array: np.ndarray) -> None:
    """One array as ``.npy``."""
    with atomic_file(path) as file:
        np.save(file, array, allow_pickle=False)


def write_json(path: Path, value: Any) -> None:
    """``value`` as indented JSON; NaN and infinities are refused, since JSON has none."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with atomic_file(path, "w") as file:
        file.write(text)


def write_text(path: Path, text: str) -> None:
    """``text`` as UTF-8."""
    with atomic_file(path, "w") as file:
        file.write(text)


def read_json(path: Path) -> Any:
    """What ``write_json`` wrote.

    Raises:
      UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", expected="a file of a run folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON ({error})", expected="a file as miajax wrote it") from None


def hash_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def remove_leftovers(folder: Path, name: str) -> None:
    """Deletes what an interrupted write of ``name`` left in ``folder``; call it only when nobody else writes it."""
    ours = (f"{TEMPORARY}{name}*", f"{name}.orbax-checkpoint-tmp*", f"in-progress-{name}.orbax-checkpoint-tmp*")
    for path in (path for pattern in ours for path in folder.glob(pattern)):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
