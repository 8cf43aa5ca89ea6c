"""What every reader of official files does alike: find, unpack within bounds, and say clearly what is wrong."""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from miajax.errors import UserError
from miajax.parsing import INFLATED, parsing

GZIP = b"\x1f\x8b"
MOST_UNPACKED = 4 << 30
"""Bytes that a file or all wanted parts of an archive may unpack to; Texas-100 is the largest, with 0.8 GiB."""


def not_found(name: str, looked_in: Iterable[str | Path], remedy: str) -> UserError:
    """The error that says where a data set was looked for and how to get it."""
    where = ", ".join(map(str, looked_in))
    how = f"looked in {where}" if where else "no --data_path was given"
    return UserError(f"data set {name} was not found; {how}", remedy=remedy)


def read_file(path: Path, remedy: str) -> bytes:
    """The content of a file, gunzipped where it is gzipped, whatever its name ends in.

    Raises:
      UserError: missing, unreadable, a gzip stream that is cut short or damaged, or one of more than `MOST_UNPACKED`.
    """
    with parsing(str(path), expected="a whole file", remedy=remedy), path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        return _bounded(gzip.GzipFile(fileobj=file) if packed else file, str(path), MOST_UNPACKED)


def read_archive(path: Path, wanted: Callable[[PurePosixPath], bool], remedy: str) -> dict[PurePosixPath, bytes]:
    """The wanted files of a tar archive, gzipped or not, read in one pass and never unpacked to the disk.

    Args:
      path: archive.
      wanted: whether to read the member of that path.
      remedy: how to get a good copy.

    Raises:
      UserError: missing, no such archive, cut short or damaged, or with more than `MOST_UNPACKED` bytes to read.
    """
    found: dict[PurePosixPath, bytes] = {}
    left = MOST_UNPACKED
    with parsing(str(path), expected="a whole tar archive, gzipped or not", remedy=remedy), path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:gz" if packed else "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                # A sparse member is as large as it says, whatever the archive holds of it.
                if not member.isreg() or member.issparse() or not wanted(name):
                    continue
                _check_size(member.size, left, path.stat().st_size, f"{path}: {name}")
                content = archive.extractfile(member)
                if content is not None:
                    found[name] = _bounded(content, f"{path}: {name}", left)
                    left -= len(found[name])
    return found


def _check_size(told: int, left: int, packed: int, where: str) -> None:
    if told > min(left, INFLATED * packed):
        raise UserError(f"{where} says that it holds {told} bytes", expected="the official archive")


def _bounded(stream: Any, where: str, most: int) -> bytes:
    content = io.BytesIO()
    while block := stream.read(1 << 20):
        if content.tell() + len(block) > most:
            raise UserError(f"{where} unpacks to more than {most} bytes", expected="an official file")
        content.write(block)
    return content.getvalue()
