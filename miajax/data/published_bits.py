"""Tables of bits in the forms in which they were published: Purchase-100, Location-30, Texas-100."""

import dataclasses
import io
from pathlib import Path, PurePosixPath

import numpy as np

from miajax.array_files import load_npy, load_npz
from miajax.data._files import GZIP, not_found, read_archive, read_file
from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.parsing import parsing

_SITE = "https://github.com/privacytrustlab/datasets"


@dataclasses.dataclass(frozen=True)
class _Published:
    """One of them.

    Attributes:
      name: the data set.
      num_classes: C; files count classes from 1.
      width: bits of a record.
      bit: what one is about.
      text: the comma-separated file: the class first, or bits alone where ``labels`` names a file of classes.
      labels: see ``text``.
      archive: the official ``.tgz``.
      arrays: names under which NumPy files of the whole table go round.
      preprocessing: what was done, for the record.
    """

    name: str
    num_classes: int
    width: int
    bit: str
    text: str
    archive: str
    labels: str = ""
    arrays: tuple[str, ...] = ()
    preprocessing: str = "classes renumbered from 0"

    @property
    def remedy(self) -> str:
        made = f", or the {self.arrays[0]} made from it," if self.arrays else ""
        return f"Download {self.archive} from {_SITE} and give it{made} as --data_path"

    @property
    def expected(self) -> str:
        return f"a table of {1 + self.width} columns, the class 1..{self.num_classes} first"

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.arrays, self.text, self.archive)


_PURCHASE = _Published(
    "purchase100", 100, 600, "product", "dataset_purchase", "dataset_purchase.tgz",
    arrays=("purchase.npy", "purchase.npz"),
)  # fmt: skip
_LOCATION = _Published("location30", 30, 446, "place", "bangkok", "location30.tgz")
_TEXAS = _Published("texas100", 100, 6169, "code", "feats", "dataset_texas.tgz", labels="labels")


def load_purchase100(data_path: str | Path | None = None) -> Dataset:
    """Purchase-100 as the paper reads it: 197,324 customers in the order of the file, without a test split.

    Every form is one table: the class 1..100 in the first column, then 600 columns of 0 or 1, whether a customer bought
    a product (github najeebjebreel/mia_analysis, purchase/purchase-train-org.py).

    Args:
      data_path: ``purchase.npy``, an ``.npz`` that holds this one array, the comma-separated text ``dataset_purchase``,
        its ``.tgz``, or a folder with one of them.

    Returns:
      float32 rows ``[N, 600]``, labels 0..99.

    Raises:
      UserError: not found, cut short, or anything but such a table.
    """
    return _load(_PURCHASE, data_path)


def load_location30(data_path: str | Path | None = None) -> Dataset:
    """Location-30: 5,010 people of Bangkok, 446 places where each checked in or not, 30 clusters of people.

    Yang, Zhang, Qu, "Participatory cultural mapping based on collective behavior data in location-based social
    networks" (2016), as prepared by Shokri et al., "Membership inference attacks against machine learning models"
    (2017).

    Args:
      data_path: the text ``bangkok``, its ``.tgz``, or a folder with one of them.

    Returns:
      float32 rows ``[N, 446]``, labels 0..29.

    Raises:
      UserError: not found, cut short, or anything but such a table.
    """
    return _load(_LOCATION, data_path)


def load_texas100(data_path: str | Path | None = None) -> Dataset:
    """Texas-100: 67,330 stays in hospitals of Texas, 6,169 bits of each, the 100 most frequent procedures as classes.

    Prepared by Shokri et al., "Membership inference attacks against machine learning models" (2017).

    Args:
      data_path: the official ``.tgz``, or a folder in which, at any depth, ``feats`` and ``labels`` lie side by side.

    Returns:
      float32 rows ``[N, 6169]``, labels 0..99.

    Raises:
      UserError: not found, cut short, or anything but such tables.
    """
    return _load(_TEXAS, data_path)


def _load(published: _Published, data_path: str | Path | None) -> Dataset:
    if data_path is None:
        raise not_found(published.name, [], published.remedy)
    path = Path(data_path)
    if path.is_dir():
        path = _in_folder(published, path)
    if not path.is_file():
        looked_in = [path / name for name in published.files] if path.is_dir() else [path]
        raise not_found(published.name, looked_in, published.remedy)
    features, labels = _checked(published, path, _read(published, path))
    return Dataset(
        name=published.name,
        features=features,
        labels=labels,
        num_classes=published.num_classes,
        provenance={
            "source": path.name,
            "examples": {"all": len(labels)},
            "preprocessing": published.preprocessing,
        },
    )


def _in_folder(published: _Published, folder: Path) -> Path:
    if published.labels:  # archives of such pairs unpack into folders of their own
        pairs = (each for each in sorted(folder.rglob(published.text)) if each.with_name(published.labels).is_file())
        return next(pairs, next((folder / name for name in (published.archive,) if (folder / name).is_file()), folder))
    return next((folder / name for name in published.files if (folder / name).is_file()), folder)


def _checked(published: _Published, path: Path, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits as float32 and classes from 0."""
    remedy = published.remedy
    if table.ndim != 2 or table.shape[1] != 1 + published.width or table.dtype.kind not in "iuf":
        raise UserError(f"{path} holds {table.dtype}{list(table.shape)}", expected=published.expected, remedy=remedy)
    classes, features = np.array(table[:, 0]), table[:, 1:].astype(np.float32)
    known = (classes >= 1) & (classes <= published.num_classes) & (classes == np.floor(classes))
    if not known.all():
        row = known.argmin()
        raise UserError(
            f"{path}: row {row} has the class {classes[row]}",
            expected=f"1..{published.num_classes} in the first column",
            remedy=remedy,
        )
    bad = features != features.astype(bool)
    if bad.any():
        row, column = np.unravel_index(bad.argmax(), bad.shape)
        raise UserError(
            f"{path}: row {row}, {published.bit} {column} is {features[row, column]:g}",
            expected="0 or 1",
            remedy=remedy,
        )
    return features, classes - 1


def _read(published: _Published, path: Path) -> np.ndarray:
    def refused(what: str) -> UserError:
        return UserError(f"{path} {what}", expected=published.expected, remedy=published.remedy)

    with parsing(str(path), expected=published.expected, remedy=published.remedy), path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return load_npy(path, published.remedy)
    if start[:2] == b"PK":
        arrays = load_npz(path, expected=published.expected, remedy=published.remedy)
        if len(arrays) != 1:
            raise refused(f"holds the arrays {', '.join(arrays)[:200]}, not one table")
        return next(iter(arrays.values()))
    if start[:2] == GZIP:
        wanted = {published.text, published.labels} - {""}
        texts = read_archive(path, lambda member: member.name in wanted, published.remedy)
        found = {name: [member for member in texts if member.name == name] for name in wanted}
        if lacking := sorted(name for name, members in found.items() if not members):
            raise refused(f"holds no {' and no '.join(lacking)}")
        nearest: dict[str, PurePosixPath] = {
            name: min(members, key=lambda member: len(member.parts)) for name, members in found.items()
        }
        labels = texts[nearest[published.labels]] if published.labels else None
        return _parse(published, path, texts[nearest[published.text]], labels)
    labels = read_file(path.with_name(published.labels), published.remedy) if published.labels else None
    return _parse(published, path, read_file(path, published.remedy), labels)


def _parse(published: _Published, path: Path, text: bytes, labels: bytes | None) -> np.ndarray:
    """The whole table, the class first."""
    if labels is None:
        return _numbers(published, path, text, 1 + published.width)
    bits, classes = _numbers(published, path, text, published.width), _numbers(published, path, labels, 1)
    if len(bits) != len(classes):
        raise UserError(
            f"{path}: {published.text} has {len(bits)} lines and {published.labels} {len(classes)}",
            expected=published.expected,
            remedy=published.remedy,
        )
    return np.concatenate([classes, bits], 1)


def _numbers(published: _Published, path: Path, text: bytes, columns: int) -> np.ndarray:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(column) for column in range(columns)]
    with parsing(str(path), expected=published.expected, remedy=published.remedy):
        table = csv.read_csv(
            io.BytesIO(text),
            read_options=csv.ReadOptions(column_names=names),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.uint8()), null_values=[]),
        )
    return np.ascontiguousarray(np.stack([column.to_numpy() for column in table.columns]).T)
