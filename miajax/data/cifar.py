"""CIFAR-10 and CIFAR-100 from the official archives."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from miajax.data._files import not_found, read_archive, read_file
from miajax.data.array_pickle import load_array_pickle
from miajax.data.dataset import Dataset
from miajax.data.tfds import is_prepared, load_tfds, tfds_folder
from miajax.errors import UserError
from miajax.parsing import parsing

_SIDE, _CHANNELS = 32, 3
_PIXELS = _SIDE * _SIDE * _CHANNELS
_SITE = "https://www.cs.toronto.edu/~kriz/"

_Batch = tuple[np.ndarray, np.ndarray]  # uint8[n, 3072] rows of channel planes, labels[n]


@dataclasses.dataclass(frozen=True)
class _Release:
    """One official archive: its files, and how a batch and the class names are read from their bytes."""

    archive: str
    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    read_batch: Callable[[bytes], _Batch]
    read_names: Callable[[bytes], list[str]]

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.names)


def _pickled_batch(label_key: bytes) -> Callable[[bytes], _Batch]:
    def read(content: bytes) -> _Batch:
        batch = load_array_pickle(content)
        if not isinstance(batch, dict) or not {b"data", label_key} <= batch.keys():
            raise ValueError(f"no dictionary with data and {label_key.decode()}")
        rows, labels = batch[b"data"], np.asarray(batch[label_key])
        if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape != (len(labels), _PIXELS):
            found = f"{rows.dtype}{list(rows.shape)}" if isinstance(rows, np.ndarray) else type(rows).__name__
            raise ValueError(f"data is {found} where {len(labels)} labels ask for uint8[{len(labels)}, {_PIXELS}]")
        return rows, labels

    return read


def _pickled_names(key: bytes) -> Callable[[bytes], list[str]]:
    def read(content: bytes) -> list[str]:
        meta = load_array_pickle(content)
        if not isinstance(meta, dict) or not isinstance(meta.get(key), list):
            raise ValueError(f"no dictionary with {key.decode()}")
        return [name.decode() for name in meta[key]]

    return read


def _binary_batch(label_bytes: int) -> Callable[[bytes], _Batch]:
    def read(content: bytes) -> _Batch:
        record = label_bytes + _PIXELS
        if len(content) % record or not content:
            raise ValueError(f"{len(content)} bytes are no whole number of records of {record}")
        rows = np.frombuffer(content, np.uint8).reshape(-1, record)
        return rows[:, label_bytes:], rows[:, label_bytes - 1]  # the last label byte is the fine one

    return read


def _text_names(content: bytes) -> list[str]:
    return content.decode("ascii").split()


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_RELEASES = {
    "cifar10": (
        _Release(
            "cifar-10-python.tar.gz", "cifar-10-batches-py", _BATCHES, "test_batch", "batches.meta",
            _pickled_batch(b"labels"), _pickled_names(b"label_names"),
        ),
        _Release(
            "cifar-10-binary.tar.gz", "cifar-10-batches-bin", tuple(f"{name}.bin" for name in _BATCHES),
            "test_batch.bin", "batches.meta.txt", _binary_batch(1), _text_names,
        ),
    ),
    "cifar100": (
        _Release(
            "cifar-100-python.tar.gz", "cifar-100-python", ("train",), "test", "meta",
            _pickled_batch(b"fine_labels"), _pickled_names(b"fine_label_names"),
        ),
        _Release(
            "cifar-100-binary.tar.gz", "cifar-100-binary", ("train.bin",), "test.bin", "fine_label_names.txt",
            _binary_batch(2), _text_names,
        ),
    ),
}  # fmt: skip


def load_cifar(name: Literal["cifar10", "cifar100"], data_path: str | Path | None = None) -> Dataset:
    """CIFAR-10 or CIFAR-100 (fine labels): 50,000 training and 10,000 test pictures, in the official order.

    The python archives are pickles; they are read by a loader that runs nothing (`load_array_pickle`).

    Args:
      name: which of the two.
      data_path: an official python or binary archive (``.tar.gz`` or unpacked to ``.tar``), a folder with one, a folder
        with its unpacked files, or a TFDS folder; None for the default TFDS folder.

    Returns:
      uint8 pictures ``[50000, 32, 32, 3]``, the test split as test part.

    Raises:
      UserError: not found, or a file that is missing, cut short or damaged.
    """
    releases = _RELEASES[name]
    remedy = f"Download {_SITE}{releases[0].archive} and give it as --data_path"
    found = _find(releases, Path(data_path), remedy) if data_path else None
    if found is None:
        if is_prepared(name, data_path):
            return dataclasses.replace(load_tfds(name, data_path), name=name, shippable=True)
        looked_in = [*([data_path] if data_path else []), tfds_folder(data_path) / name]
        raise not_found(name, looked_in, remedy)
    release, source, files = found
    content = _content(source, files, release.names, remedy)
    with parsing(f"{source}: {release.names}", expected="the official file", remedy=remedy, fault="is damaged"):
        class_names = release.read_names(content)
    train = [_batch(release, source, files, file, remedy) for file in release.train]
    sizes = [len(labels) for _, labels in train]
    if len(set(sizes)) > 1:
        raise UserError(
            f"{source}: {', '.join(release.train)} hold {', '.join(map(str, sizes))} pictures",
            expected="equally many in each; one is cut short",
            remedy=remedy,
        )
    test_rows, test_labels = _batch(release, source, files, release.test, remedy)
    return Dataset(
        name=name,
        features=_pictures(np.concatenate([rows for rows, _ in train])),
        labels=np.concatenate([labels for _, labels in train]),
        num_classes=len(class_names),
        test_features=_pictures(test_rows),
        test_labels=test_labels,
        class_names=tuple(class_names),
        image_shape=(_SIDE, _SIDE, _CHANNELS),
        shippable=True,
        provenance={"source": source.name, "examples": {"train": sum(sizes), "test": len(test_labels)}},
    )


def _find(
    releases: tuple[_Release, ...], path: Path, remedy: str
) -> tuple[_Release, Path, Mapping[str, bytes] | None] | None:
    """The release that lies there, where, and the content of its files if they came from an archive."""
    if path.is_file():
        wanted = {PurePosixPath(release.folder) / file: release for release in releases for file in release.files}
        contents = read_archive(path, lambda member: member in wanted, remedy)
        if not contents:
            raise UserError(
                f"{path} holds no {releases[0].folder} and no {releases[1].folder}",
                expected=f"{releases[0].archive} or {releases[1].archive}",
                remedy=remedy,
            )
        release = wanted[next(iter(contents))]
        return release, path, {member.name: content for member, content in contents.items()}
    for release in releases:
        for folder in (path, path / release.folder):
            if any((folder / file).is_file() for file in release.files):
                return release, folder, None
        if (path / release.archive).is_file():
            return _find(releases, path / release.archive, remedy)
    return None


def _content(source: Path, files: Mapping[str, bytes] | None, file: str, remedy: str) -> bytes:
    if files is None:
        return read_file(source / file, remedy)
    if file not in files:
        raise UserError(f"{source} holds no {file}", expected="the official archive, whole", remedy=remedy)
    return files[file]


def _batch(release: _Release, source: Path, files: Mapping[str, bytes] | None, file: str, remedy: str) -> _Batch:
    content = _content(source, files, file, remedy)
    with parsing(f"{source}: {file}", expected="the official file", remedy=remedy, fault="is damaged"):
        return release.read_batch(content)


def _pictures(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows.reshape(-1, _CHANNELS, _SIDE, _SIDE).transpose(0, 2, 3, 1))
