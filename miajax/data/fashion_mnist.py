"""Fashion-MNIST, and any data set in its IDX files."""

import dataclasses
from pathlib import Path

import numpy as np

from miajax.data._files import not_found, read_file
from miajax.data.dataset import Dataset
from miajax.data.tfds import is_prepared, load_tfds, tfds_folder
from miajax.errors import UserError

DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_SIDE = 28
_IMAGES, _LABELS = 0x00000803, 0x00000801  # unsigned bytes in three axes, in one axis
_REMEDY = (
    "Install Debian's package dataset-fashion-mnist, or download the four files from"
    " https://github.com/zalandoresearch/fashion-mnist and give their folder as --data_path"
)


def load_fashion_mnist(data_path: str | Path | None = None) -> Dataset:
    """Fashion-MNIST: 60,000 training and 10,000 test pictures of clothes, in the official order.

    Args:
      data_path: folder of ``{train,t10k}-images-idx3-ubyte`` and ``{train,t10k}-labels-idx1-ubyte``, each gzipped
        (``.gz``) or not, or a TFDS folder that holds ``fashion_mnist``; None for where Debian's package puts the
        files, then the default TFDS folder.

    Returns:
      uint8 pictures ``[60000, 28, 28, 1]``, the test split as test part.

    Raises:
      UserError: not found, or a file that is cut short, renamed or damaged.
    """
    folder = Path(data_path) if data_path else DEFAULT_FOLDER
    present = any(_path(folder, part, kind).exists() for part in ("train", "t10k") for kind in ("images", "labels"))
    if not present:
        if is_prepared("fashion_mnist", data_path):
            return dataclasses.replace(load_tfds("fashion_mnist", data_path), name="fashion_mnist", shippable=True)
        raise not_found("fashion_mnist", [folder, tfds_folder(data_path) / "fashion_mnist"], _REMEDY)
    features, labels = _part(folder, "train")
    test_features, test_labels = _part(folder, "t10k")
    return Dataset(
        name="fashion_mnist",
        features=features,
        labels=labels,
        num_classes=len(CLASS_NAMES),
        test_features=test_features,
        test_labels=test_labels,
        class_names=CLASS_NAMES,
        image_shape=(_SIDE, _SIDE, 1),
        shippable=True,
        provenance={
            "source": f"IDX files in {folder.name}",
            "examples": {"train": len(labels), "test": len(test_labels)},
        },
    )


def _path(folder: Path, part: str, kind: str) -> Path:
    name = f"{part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
    return folder / name if (folder / name).exists() else folder / f"{name}.gz"


def _part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    path = _path(folder, part, "images")
    images = read_idx(path, _IMAGES, "pictures")
    if images.shape[1:] != (_SIDE, _SIDE):
        raise UserError(f"{path} holds pictures of {images.shape[1:]}", expected=f"{_SIDE}×{_SIDE}", remedy=_REMEDY)
    path = _path(folder, part, "labels")
    labels = read_idx(path, _LABELS, "labels")
    if len(labels) != len(images):
        raise UserError(f"{path} holds {len(labels)} labels", expected=f"{len(images)}, one a picture", remedy=_REMEDY)
    return images[..., None], labels


def read_idx(path: Path, magic: int, what: str) -> np.ndarray:
    """The uint8 array in an IDX file.

    Args:
      path: file, gzipped or not.
      magic: the first four bytes as a big-endian number; its last byte counts the axes.
      what: what the file should hold, for messages.

    Raises:
      UserError: another magic number, or a size that is not what the header says.
    """
    content = read_file(path, _REMEDY)
    axes = magic & 0xFF
    header_size = 4 + 4 * axes
    if int.from_bytes(content[:4], "big") != magic or len(content) < header_size:
        raise UserError(
            f"{path} starts with {content[:header_size].hex(' ') or 'nothing'}",
            expected=f"{magic:08x} and {axes} sizes, an IDX file of {what}",
            remedy=_REMEDY,
        )
    shape = tuple(map(int, np.frombuffer(content, ">u4", axes, offset=4)))
    size = int(np.prod(shape, dtype=object))
    found = len(content) - header_size
    if found != size:
        raise UserError(
            f"{path} holds {found} bytes of {what} where its header says {'×'.join(map(str, shape))}",
            expected=f"{size} bytes",
            remedy=_REMEDY,
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)
