"""Purchase-100: which of 600 products a customer bought, in 100 clusters of customers."""

import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from miajax.data._files import not_found, read_archive
from miajax.data.dataset import Dataset
from miajax.errors import UserError

_CLASSES, _PRODUCTS = 100, 600
_TEXT = "dataset_purchase"
_FILES = ("purchase.npy", "purchase.npz", _TEXT, f"{_TEXT}.tgz")
_REMEDY = (
    "Download dataset_purchase.tgz from https://github.com/privacytrustlab/datasets and give it, or the purchase.npy"
    " made from it, as --data_path"
)


def load_purchase100(data_path: str | Path | None = None) -> Dataset:
    """Purchase-100 as the paper reads it: 197,324 customers in the order of the file, without a test split.

    Every form is one table: the class 1..100 in the first column, then 600 columns of 0 or 1
    (github najeebjebreel/mia_analysis, purchase/purchase-train-org.py).

    Args:
      data_path: ``purchase.npy``, an ``.npz`` that holds this one array, the comma-separated text ``dataset_purchase``,
        its ``.tgz``, or a folder with one of them.

    Returns:
      float32 rows ``[N, 600]``, labels 0..99.

    Raises:
      UserError: not found, cut short, or anything but such a table.
    """
    if data_path is None:
        raise not_found("purchase100", [], _REMEDY)
    path = Path(data_path)
    if path.is_dir():
        path = next((path / name for name in _FILES if (path / name).is_file()), path)
    if not path.is_file():
        raise not_found("purchase100", [path / name for name in _FILES] if path.is_dir() else [path], _REMEDY)
    try:
        table = _read(path)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:  # pyarrow's errors are ValueErrors
        raise UserError(f"{path} cannot be read ({error})", expected=_expected(), remedy=_REMEDY) from error
    if table.ndim != 2 or table.shape[1] != 1 + _PRODUCTS or table.dtype.kind not in "iuf":
        raise UserError(f"{path} holds {table.dtype}{list(table.shape)}", expected=_expected(), remedy=_REMEDY)
    classes, features = np.array(table[:, 0]), table[:, 1:].astype(np.float32)
    known = (classes >= 1) & (classes <= _CLASSES) & (classes == np.floor(classes))
    if not known.all():
        row = known.argmin()
        raise UserError(
            f"{path}: row {row} has the class {classes[row]}",
            expected=f"1..{_CLASSES} in the first column",
            remedy=_REMEDY,
        )
    bad = features != features.astype(bool)
    if bad.any():
        row, column = np.unravel_index(bad.argmax(), bad.shape)
        raise UserError(
            f"{path}: row {row}, product {column} is {features[row, column]:g}", expected="0 or 1", remedy=_REMEDY
        )
    return Dataset(
        name="purchase100",
        features=features,
        labels=classes - 1,
        num_classes=_CLASSES,
        provenance={
            "source": path.name,
            "examples": {"all": len(classes)},
            "preprocessing": "classes renumbered from 0",
        },
    )


def _expected() -> str:
    return f"a table of {1 + _PRODUCTS} columns, the class 1..{_CLASSES} first"


def _read(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return np.load(path, mmap_mode="r", allow_pickle=False)
    if start[:2] == b"PK":
        with np.load(path, allow_pickle=False) as archive:
            if len(archive.files) != 1:
                raise ValueError(f"it holds the arrays {', '.join(archive.files)}, not one table")
            return archive[archive.files[0]]
    if start[:2] == b"\x1f\x8b":
        texts = read_archive(path, lambda member: member.name == _TEXT, _REMEDY)
        if not texts:
            raise ValueError(f"it holds no {_TEXT}")
        return _parse(texts[min(texts, key=lambda member: len(PurePosixPath(member).parts))])
    return _parse(path.read_bytes())


def _parse(text: bytes) -> np.ndarray:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(column) for column in range(1 + _PRODUCTS)]
    table = csv.read_csv(
        io.BytesIO(text),
        read_options=csv.ReadOptions(column_names=names),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.uint8()), null_values=[]),
    )
    return np.ascontiguousarray(np.stack([column.to_numpy() for column in table.columns]).T)
