"""Folders of pictures: a folder a class, JPEG or PNG."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from miajax.data._files import not_found
from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.parsing import INFLATED, parsing

_ENDINGS = (".jpg", ".jpeg", ".png")
_TRAIN, _TEST = ("train", "training"), ("test", "val", "validation")
_CLUTTER = frozenset({"thumbs.db", "desktop.ini"})
_MOST_BYTES = 8 << 30  # of pictures in memory; a device holds them all
_REMEDY = "Give a folder with one folder of pictures a class, or with train/ and test/ of such"


def load_images(data_path: str | Path | None = None, image_size: int | None = None) -> Dataset:
    """A data set from a folder of pictures, one folder a class.

    The classes are the folders' names in alphabetical order, the pictures of a class its files in alphabetical order.
    Folders ``train`` and ``test`` (or ``val``), each with the folders of classes, are the pool and the test part.
    Pictures are turned as their EXIF orientation says, and are grey if all are, else of three colours; transparency is
    dropped.

    Args:
      data_path: the folder.
      image_size: pixels a side: each picture is cut to its central square and resized, by Pillow's Lanczos filter. Not
        given: all must be of one size.

    Returns:
      uint8 pictures ``[N, H, W, K]``, K 1 or 3, with class names.

    Raises:
      UserError: no such folder; a class without pictures, or in the test part alone; a file that is no picture, cut
        short or of several frames; pictures of unlike sizes.
    """
    if data_path is None:
        raise not_found("images", [], _REMEDY)
    root = Path(data_path)
    if not root.is_dir():
        raise not_found("images", [root], _REMEDY)
    if image_size is not None and not 1 <= image_size <= 4096:
        raise UserError(f"--image_size {image_size}", expected="pixels a side, 1 to 4096")
    parts = {name.name.lower(): name for name in _folders(root)}
    train = next((parts[name] for name in _TRAIN if name in parts), None)
    test = next((parts[name] for name in _TEST if name in parts), None) if train else None
    pool = _Files.of(train or root)
    if len(pool.classes) < 2:
        raise UserError(f"{train or root} holds {len(pool.classes)} folders of pictures", remedy=_REMEDY)
    held_out = None if test is None else _Files.of(test, pool.classes)
    grey = all(_is_grey(path) for files in (pool, held_out) if files for path in files.paths)
    size = image_size or _size(pool.paths[0])
    channels = 1 if grey else 3
    features = _read(pool.paths, size, channels, image_size is not None)
    done = "none" if image_size is None else f"cut to the central square, resized to {image_size} pixels a side"
    there = {} if held_out is None else {"test": len(held_out.paths)}
    return Dataset(
        name=root.resolve().name,
        features=features,
        labels=pool.labels,
        num_classes=len(pool.classes),
        test_features=None if held_out is None else _read(held_out.paths, size, channels, image_size is not None),
        test_labels=None if held_out is None else held_out.labels,
        class_names=pool.classes,
        image_shape=(features.shape[1], features.shape[2], channels),
        provenance={
            "source": root.resolve().name,
            "examples": {"train" if train else "all": len(pool.paths), **there},
            "preprocessing": done,
        },
    )


class _Files:
    """The pictures of one part: paths, labels and the classes' names."""

    def __init__(self, paths: Sequence[Path], labels: np.ndarray, classes: tuple[str, ...]):
        self.paths, self.labels, self.classes = paths, labels, classes

    @classmethod
    def of(cls, folder: Path, classes: tuple[str, ...] | None = None) -> "_Files":
        found = {each.name: _pictures(each) for each in _folders(folder)}
        for name, paths in found.items():
            if not paths:
                raise UserError(f"{folder / name} holds no pictures", expected=" or ".join(_ENDINGS), remedy=_REMEDY)
        names = tuple(found) if classes is None else classes
        if unknown := sorted(set(found) - set(names)):
            raise UserError(f"{folder / unknown[0]} is of a class that the pool lacks", expected=", ".join(names))
        paths = [path for name in names for path in found.get(name, ())]
        labels = np.repeat(np.arange(len(names)), [len(found.get(name, ())) for name in names])
        return cls(paths, labels.astype(np.int32), names)


def _folders(root: Path) -> list[Path]:
    return sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))


def _pictures(folder: Path) -> list[Path]:
    files = [each for each in sorted(folder.iterdir()) if each.name[0] != "." and each.name.lower() not in _CLUTTER]
    for each in files:
        if each.is_dir() or each.suffix.lower() not in _ENDINGS:
            raise UserError(f"{each} is no picture", expected=f"files in {', '.join(_ENDINGS)} alone", remedy=_REMEDY)
    return files


def _opened(path: Path) -> Image.Image:
    """A picture that nothing has been read of but its head.

    Raises:
      UserError: it is none.
    """
    with parsing(str(path), expected="a JPEG or PNG picture"):
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(path, formats=("JPEG", "PNG"))
        frames, size = getattr(picture, "n_frames", 1), path.stat().st_size
    if frames > 1:
        raise UserError(f"{path} has {frames} frames", expected="one")
    bits = 1 if picture.mode == "1" else 8  # of a pixel, at least
    if picture.width * picture.height * bits // 8 > INFLATED * size:
        raise UserError(
            f"{path} says that it has {picture.height} x {picture.width} pixels, in {size} bytes",
            expected="a whole picture",
        )
    return picture


def _is_grey(path: Path) -> bool:
    with _opened(path) as picture:
        return picture.mode in ("1", "L", "LA", "I;16", "I")


def _size(path: Path) -> tuple[int, int]:
    """Width and height as it is shown."""
    with _opened(path) as picture, parsing(str(path), expected="a whole picture"):
        return ImageOps.exif_transpose(picture).size


def _read(paths: Sequence[Path], size: int | tuple[int, int], channels: int, resize: bool) -> np.ndarray:
    width, height = (size, size) if isinstance(size, int) else size
    if (needed := len(paths) * height * width * channels) > _MOST_BYTES:
        raise UserError(
            f"{len(paths)} pictures of {height} x {width} x {channels} take {needed / 2**30:.1f} GiB",
            expected=f"at most {_MOST_BYTES >> 30} GiB",
            remedy="Add a smaller --image_size",
        )
    pixels = np.empty((len(paths), height, width, channels), np.uint8)

    def one(place: int) -> None:
        pixels[place] = _pixels(paths[place], (width, height), channels, resize)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(one, range(len(paths)), chunksize=64):
            pass
    return pixels


def _pixels(path: Path, size: tuple[int, int], channels: int, resize: bool) -> np.ndarray:
    with _opened(path) as picture, parsing(str(path), expected="a whole picture"):
        if picture.mode in ("I;16", "I"):  # 16 bits of grey
            whole = Image.fromarray((np.asarray(picture) / 257).round().clip(0, 255).astype(np.uint8))
        else:
            whole = picture
        whole = ImageOps.exif_transpose(whole).convert("L" if channels == 1 else "RGB")
        if resize:
            whole = ImageOps.fit(whole, size, Image.Resampling.LANCZOS)
    if whole.size != size:
        raise UserError(
            f"{path} has {whole.height} x {whole.width} pixels and the first picture {size[1]} x {size[0]}",
            expected="pictures of one size",
            remedy="Add --image_size PIXELS to cut each to its central square and resize it",
        )
    return np.asarray(whole).reshape(size[1], size[0], channels)
