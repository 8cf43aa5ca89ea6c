"""Writes small files in the exact formats of the official releases."""

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np


def pictures(count: int, side: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), np.uint8)


def cycling_labels(count: int, num_classes: int) -> np.ndarray:
    return (np.arange(count) * 7 % num_classes).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


def write_fashion_mnist(folder: Path, train: int = 41, test: int = 23, compress: bool = True) -> None:
    for part, count in (("train", train), ("t10k", test)):
        for kind, array in (
            ("images-idx3", pictures(count, 28, 1, seed=count)[..., 0]),
            ("labels-idx1", cycling_labels(count, 10)),
        ):
            path = folder / f"{part}-{kind}-ubyte{'.gz' if compress else ''}"
            path.write_bytes(gzip.compress(idx(array), 1) if compress else idx(array))


def planes(images: np.ndarray) -> np.ndarray:
    """Pictures as rows of channel planes, the order of both CIFAR releases."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2).reshape(len(images), -1))


class _Python2Array:
    """Pickles as Python 2's NumPy did: module names of NumPy 1, states of byte strings."""

    def __init__(self, array: np.ndarray):
        self.array = array


class _Python2Pickler(pickle._Pickler):  # the pure-Python one, whose opcodes can be chosen
    """Byte strings and arrays in the opcodes of Python 2, which is what the official python archives hold."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        if len(value) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes

    def save_array(self, value):
        array = value.array
        self.write(pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n")
        self.write(pickle.GLOBAL + b"numpy\nndarray\n")
        self.save((0,))
        self.save(b"b")
        self.write(pickle.TUPLE3 + pickle.REDUCE + pickle.MARK)
        self.save(1)
        self.save(array.shape)
        self.write(pickle.GLOBAL + b"numpy\ndtype\n")
        self.save(array.dtype.str[1:].encode())
        self.save(0)
        self.save(1)
        self.write(pickle.TUPLE3 + pickle.REDUCE)
        self.save((3, b"|", None, None, None, -1, -1, 0))
        self.write(pickle.BUILD)
        self.save(False)
        self.save(array.tobytes())
        self.write(pickle.TUPLE + pickle.BUILD)

    dispatch[_Python2Array] = save_array


def python2_pickle(value: dict) -> bytes:
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(
        {key: _Python2Array(item) if isinstance(item, np.ndarray) else item for key, item in value.items()}
    )
    return stream.getvalue()


CIFAR10_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
CIFAR100_NAMES = [f"fine_{i:02d}" for i in range(100)]


def cifar_files(name: str, flavour: str, batch: int = 20, test: int = 15) -> tuple[str, dict[str, bytes]]:
    """The folder of one official CIFAR archive and the files in it."""
    if name == "cifar10":
        parts = {f"data_batch_{i}": pictures(batch, 32, 3, i) for i in range(1, 6)} | {
            "test_batch": pictures(test, 32, 3, 6)
        }
        names, classes = CIFAR10_NAMES, 10
    else:
        parts = {"train": pictures(batch * 10, 32, 3, 1), "test": pictures(test, 32, 3, 2)}
        names, classes = CIFAR100_NAMES, 100
    files = {}
    for part, images in parts.items():
        labels, rows = cycling_labels(len(images), classes), planes(images)
        if flavour == "python":
            keys = {b"labels": labels.tolist()} if name == "cifar10" else {
                b"fine_labels": labels.tolist(), b"coarse_labels": (labels // 5).tolist(),
            }  # fmt: skip
            filenames = [f"picture_{i}.png".encode() for i in range(len(images))]
            batch = {b"batch_label": part.encode(), b"data": rows, b"filenames": filenames, **keys}
            files[part] = python2_pickle(batch)
        else:
            marks = labels[:, None] if name == "cifar10" else np.stack([labels // 5, labels], 1)
            files[f"{part}.bin"] = np.concatenate([marks, rows], 1).tobytes()
    encoded = [label.encode() for label in names]
    if flavour == "python":
        key, file = (b"label_names", "batches.meta") if name == "cifar10" else (b"fine_label_names", "meta")
        files[file] = python2_pickle({key: encoded, b"num_vis": 3072})
        folder = "cifar-10-batches-py" if name == "cifar10" else "cifar-100-python"
    else:
        files["batches.meta.txt" if name == "cifar10" else "fine_label_names.txt"] = b"\n".join(encoded) + b"\n\n"
        folder = "cifar-10-batches-bin" if name == "cifar10" else "cifar-100-binary"
    return folder, files


def write_tar(path: Path, folder: str, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_folder(path: Path, files: dict[str, bytes]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
