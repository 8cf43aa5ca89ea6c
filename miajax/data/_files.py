"""What every reader of official files does alike: find, unpack, and say clearly what is wrong."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from miajax.errors import UserError

UNPACKING_ERRORS = (OSError, EOFError, zlib.error, tarfile.TarError)


def not_found(name: str, looked_in: Iterable[str | Path], remedy: str) -> UserError:
    """The error that says where a data set was looked for and how to get it."""
    where = ", ".join(map(str, looked_in))
    how = f"looked in {where}" if where else "no --data_path was given"
    return UserError(f"data set {name} was not found; {how}", remedy=remedy)


def read_file(path: Path, remedy: str) -> bytes:
    """The content of a file, gunzipped where it is gzipped, whatever its name ends in.

    Raises:
      UserError: missing, unreadable, or a gzip stream that is cut short or damaged.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except UNPACKING_ERRORS as error:
        raise UserError(f"{path} cannot be read ({error})", expected="a whole file", remedy=remedy) from error


def read_archive(path: Path, wanted: Callable[[PurePosixPath], bool], remedy: str) -> dict[PurePosixPath, bytes]:
    """The wanted files of a tar archive, read in one pass and never unpacked to the disk.

    Args:
      path: archive, compressed or not.
      wanted: whether to read the member of that path.
      remedy: how to get a good copy.

    Raises:
      UserError: missing, no tar archive, cut short or damaged.
    """
    found = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None and wanted(PurePosixPath(member.name)):
                    found[PurePosixPath(member.name)] = content.read()
    except UNPACKING_ERRORS as error:
        raise UserError(f"{path} cannot be read ({error})", expected="a whole tar archive", remedy=remedy) from error
    return found
