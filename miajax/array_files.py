"""Files of arrays that somebody else wrote, read without running anything in them; what is wrong is told plainly.

Headers are believed up to the file's size: an array is as long as its bytes, or refused before it takes any memory.
"""

import contextlib
import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from miajax.errors import UserError
from miajax.parsing import parsing, refuse_inflated

_NPY, _ZIP = b"\x93NUMPY", b"PK"
_REMEDY = "Write it with numpy.{} from arrays of numbers"
_A_FILE, _AN_ARCHIVE = "a whole .npy file of numbers", "an .npz archive of numbers, whole"
_BLOCK = 1 << 20
_LONGEST_SIDE = 1 << 16  # of an array without cells, whose sides no bytes bear out
_LAST_CHARACTER = 0x10FFFF
_Form = tuple[tuple[int, ...], bool, np.dtype]  # shape, whether Fortran's order, dtype


def load_npy(path: Path, remedy: str = _REMEDY.format("save")) -> np.ndarray:
    """The one array of a ``.npy`` file, mapped from disk.

    Raises:
      UserError: it is missing, cut short, another kind of file, or holds Python objects.
    """
    _begins_with(path, _NPY, "a .npy file of one array", remedy)
    with parsing(str(path), expected=_A_FILE, remedy=remedy):
        with path.open("rb") as file:
            form, size = _form(file), path.stat().st_size
        _check(form, size, str(path), _A_FILE, remedy)
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        _check_text(array)
    assert isinstance(array, np.ndarray)
    return array


def load_npz(
    path: Path, only: Collection[str] | None = None, expected: str = _AN_ARCHIVE, remedy: str = _REMEDY.format("savez")
) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` archive, in its order.

    Args:
      path: of the archive.
      only: those wanted, whatever else is there; None for all.
      expected, remedy: for messages.

    Raises:
      UserError: it is missing, cut short, another kind of file, says that it holds more than it can, or holds Python
        objects.
    """
    _begins_with(path, _ZIP, expected, remedy)
    arrays: dict[str, np.ndarray] = {}
    with contextlib.ExitStack() as opened:
        with parsing(str(path), expected=expected, remedy=remedy):
            archive = opened.enter_context(zipfile.ZipFile(path))
        for name, part in _parts(path, archive, expected, remedy).items():
            if only is not None and name not in only:
                continue
            where = f"{path}: {name}"
            if not part.filename.endswith(".npy"):
                raise UserError(f"{where} is no NumPy array", expected=expected, remedy=remedy)
            with parsing(where, expected=expected, remedy=remedy), archive.open(part) as file:
                arrays[name] = _array(file, part.file_size, where, expected, remedy)
    return arrays


def names_in_npz(path: Path, expected: str = _AN_ARCHIVE, remedy: str = _REMEDY.format("savez")) -> tuple[str, ...]:
    """What an ``.npz`` archive says it holds.

    Raises:
      UserError: it is none.
    """
    _begins_with(path, _ZIP, expected, remedy)
    with parsing(str(path), expected=expected, remedy=remedy), zipfile.ZipFile(path) as archive:
        return tuple(_parts(path, archive, expected, remedy))


def _parts(path: Path, archive: zipfile.ZipFile, expected: str, remedy: str) -> dict[str, zipfile.ZipInfo]:
    """The archive's parts by the array's name; where a name stands twice, the last."""
    size = path.stat().st_size
    parts = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    for name, part in parts.items():
        where = f"{path}: {name}"
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{where} is packed by method {part.compress_type}", expected=expected, remedy=remedy)
        refuse_inflated(where, part.file_size, min(part.compress_size, size))
    if sum(part.compress_size for part in parts.values()) > size:
        raise UserError(f"{path} says that it holds more than its {size} bytes", expected=expected, remedy=remedy)
    return parts


def _form(file: IO[bytes]) -> _Form:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)  # version 3 differs in names of records' fields alone


def _check(form: _Form, size: int, where: str, expected: str, remedy: str) -> None:
    """Refuses an array that ``size`` bytes, header included, cannot hold."""
    shape, _, dtype = form
    if dtype.hasobject:
        raise UserError(
            f"{where} holds Python objects, whose loading could run any program",
            expected="an array of numbers",
            remedy="Stack rows of equal length with numpy.stack, and save them as numbers",
        )
    if dtype.kind == "V" or dtype.itemsize == 0:
        raise UserError(f"{where} holds records or nothing ({str(dtype)[:60]})", expected=expected, remedy=remedy)
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize > size or (
        max(shape, default=0) > max(size, _LONGEST_SIDE)
    ):  # fmt: skip
        raise UserError(
            f"{where} cannot be read (its header says {dtype}{list(shape)[:8]}, which {size} bytes do not hold)",
            expected=expected,
            remedy=remedy,
        )


def _array(file: IO[bytes], size: int, where: str, expected: str, remedy: str) -> np.ndarray:
    form = shape, fortran, dtype = _form(file)
    _check(form, size, where, expected, remedy)
    content = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    filled = 0
    while block := file.read(_BLOCK):  # to the end, where the archive's checksum is compared
        if filled + len(block) > len(content):
            raise ValueError("it holds more than its header says")
        content[filled : filled + len(block)] = np.frombuffer(block, np.uint8)
        filled += len(block)
    if filled < len(content):
        raise ValueError("it is cut short")
    array = content.view(dtype).reshape(shape, order="F" if fortran else "C")
    _check_text(array)
    return array


def _check_text(array: np.ndarray) -> None:
    """Text beyond Unicode crashes the interpreter's own functions where it is looked at."""
    if array.dtype.kind == "U" and array.size:
        points = np.ascontiguousarray(array).reshape(-1).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if points.max() > _LAST_CHARACTER:
            raise ValueError("its text holds what is no character")


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
