"""Files of arrays that somebody else wrote, read without running anything in them; what is wrong is told plainly."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from miajax.errors import UserError

_NPY, _ZIP = b"\x93NUMPY", b"PK"
_REMEDY = "Write it with numpy.{} from arrays of numbers"


def load_npy(path: Path) -> np.ndarray:
    """The one array of a ``.npy`` file, mapped from disk.

    Raises:
      UserError: it is missing, cut short, another kind of file, or holds Python objects.
    """
    remedy = _REMEDY.format("save")
    _begins_with(path, _NPY, "a .npy file of one array", remedy)
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({_reason(error)})", expected="a whole .npy file of numbers", remedy=remedy
        ) from error
    assert isinstance(array, np.ndarray)
    return array


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` archive.

    Raises:
      UserError: it is missing, cut short, another kind of file, or holds Python objects.
    """
    remedy = _REMEDY.format("savez")
    _begins_with(path, _ZIP, "an .npz archive of arrays", remedy)
    name = ""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {}
            for name in archive.files:
                arrays[name] = archive[name]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        where = f"{path}: {name}" if name else str(path)
        raise UserError(
            f"{where} cannot be read ({_reason(error)})", expected="a whole .npz archive of numbers", remedy=remedy
        ) from error
    strange = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if strange:
        raise UserError(f"{path} holds {strange[0]}, which is no array", expected="an .npz archive", remedy=remedy)
    return arrays


def _begins_with(path: Path, magic: bytes, expected: str, remedy: str) -> None:
    if not path.exists():
        raise UserError(f"{path} does not exist", expected=expected)
    if not path.is_file():
        raise UserError(f"{path} is a folder", expected=expected)
    try:
        with path.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})", expected=expected) from error
    if start.startswith(magic):
        return
    found = "is empty" if not start else "is neither a .npy file nor an .npz archive"
    if start.startswith(_NPY):
        found = "is a .npy file of one array"
    elif start.startswith(_ZIP):
        found = "is an archive"
    raise UserError(f"{path} {found}", expected=expected, remedy=remedy)


def _reason(error: Exception) -> str:
    """What went wrong, without the library's advice to unpickle what it was given."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "Object arrays" in text or "Python objects" in text:
        return "it holds Python objects, which would have to be executed"
    return "it is damaged" if "pickle" in text.lower() else text
