"""Files and folders that are either whole or not there."""

import contextlib
import errno
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from miajax.errors import UserError
from miajax.runs.names import UNFINISHED

TEMPORARY = ".partial-"
SEAL = "seal"


@contextlib.contextmanager
def told_when_full(path: Path) -> Generator[None]:
    """A disk that is full or closed to us, met while ``path`` is written, becomes one clear line.

    Raises:
      UserError: no space is left, or the place cannot be written to.
    """
    try:
        yield
    except OSError as error:
        # NumPy says how much it wrote and not why it stopped, which is a full disk.
        short = error.errno is None and "requested and" in str(error)
        if short or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
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
def atomic_file(path: Path, mode: str = "wb", new: bool = False) -> Generator[IO[Any]]:
    """A file to write that appears under ``path`` only when the block ends well, flushed to the disk before.

    Args:
      path: of the file.
      mode: as ``open`` takes it.
      new: leave a file that stands there by then, another process's, as it is.
    """
    with told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        # No mkstemp: its files are 0600, and widening them would override the user's umask.
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        # Names of files may hold bytes that are no UTF-8: reports spell them out instead of failing at the end.
        encoding, errors = (None, None) if "b" in mode else ("utf-8", "backslashreplace")
        try:
            with os.fdopen(handle, mode, encoding=encoding, errors=errors) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            (_placed if new else Path.replace)(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _placed(temporary: Path, path: Path) -> None:
    """Gives a file its name unless another has it: of several processes that do so at once, one succeeds."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            temporary.replace(path)
    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """A folder to fill that appears under ``path`` only when the block ends well; what stood there is replaced."""
    with told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, before = _temporary(path), _temporary(path)
        temporary.mkdir()
        try:
            yield temporary
            if path.exists():
                path.replace(before)  # deleted only when the new one is there
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(before, ignore_errors=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY}{path.name[:100]}-{secrets.token_hex(4)}")


def write_npy(path: Path, array: np.ndarray) -> None:
    """One array as ``.npy``."""
    with atomic_file(path) as file:
        np.save(file, array, allow_pickle=False)


def write_json(path: Path, value: Any, new: bool = False) -> None:
    """``value`` as indented JSON; NaN and infinities are refused, since JSON has none. ``new``: see ``atomic_file``."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with atomic_file(path, "w", new) as file:
        file.write(text)


def write_text(path: Path, text: str) -> None:
    """``text`` as UTF-8."""
    with atomic_file(path, "w") as file:
        file.write(text)


def read_json(path: Path) -> Any:
    """What ``write_json`` wrote.

    Raises:
      UserError: the file is missing or is not JSON, or a number in it is NaN or infinite, which JSON has not.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_finite, parse_float=_finite)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", expected="a file of a run folder") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error})", expected="a file as miajax wrote it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})", expected="a file of a run folder") from None


def _finite(text: str) -> float:
    """A number, which results can hold: what is read here is often written there, after hours."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no number")
    return number


def write_sealed(path: Path, value: Mapping[str, Any], new: bool = False) -> None:
    """``value`` as JSON with the SHA-256 of itself under ``seal``, by which ``read_sealed`` tells damage."""
    write_json(path, {**value, SEAL: _seal(value)}, new)


def read_sealed(path: Path, required: Callable[[Mapping[str, Any]], bool] = lambda _: False) -> dict[str, Any]:
    """What ``write_sealed`` wrote, without its seal.

    Args:
      path: of the file.
      required: whether, by what it holds, a file without a seal is damaged; else it is one of an earlier version.

    Raises:
      UserError: the file is missing, is no JSON object, or is not what was written.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a {type(value).__name__}", expected="a JSON object as miajax wrote it")
    value = cast("dict[str, Any]", value)
    seal = value.pop(SEAL, None)
    lost = seal is None and required(value)
    if lost or (seal is not None and seal != _seal(value)):
        state = "has lost its seal" if lost else "was changed or damaged"
        raise UserError(f"{path} {state}", expected="the SHA-256 of its content, as miajax wrote it")
    return value


def _seal(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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
    progress = f"{UNFINISHED}{name}"
    ours = (
        f"{TEMPORARY}{name}*", f"{TEMPORARY}{progress}*", f"{name}.orbax-checkpoint-tmp*",
        f"{progress}.orbax-checkpoint-tmp*",
    )  # fmt: skip
    for path in (path for pattern in ours for path in folder.glob(pattern)):
        remove(path)


def remove(path: Path) -> None:
    """Deletes a file, a link or a folder with all in it; what is gone already is no fault."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
