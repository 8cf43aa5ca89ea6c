"""Any image classification set of TensorFlow Datasets, read from ArrayRecord files without TensorFlow."""

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from miajax.data._files import not_found
from miajax.data.dataset import Dataset
from miajax.errors import UserError

_CHUNK = 1024  # pictures decoded at a time


def tfds_folder(data_path: str | Path | None) -> Path:
    """Where TFDS keeps its data sets: the given folder, else ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    folder = Path(data_path or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    try:
        return folder.expanduser()
    except RuntimeError:  # a user without a home
        return folder


def is_prepared(name: str, data_path: str | Path | None) -> bool:
    """Whether that folder holds the TFDS data set, in any version or configuration that the name leaves open."""
    return bool(_prepared(name, tfds_folder(data_path)))


def load_tfds(name: str, data_path: str | Path | None = None) -> Dataset:
    """An image classification set that TFDS has prepared, in TFDS's order.

    Nothing is downloaded, and the code that made the data set is not needed. Preparing one of TFDS's own data sets
    takes TensorFlow once; reading takes none.

    Args:
      name: as TFDS writes it: ``NAME``, ``NAME/CONFIG``, ``NAME:VERSION`` or ``NAME/CONFIG:VERSION``; the newest
        version where none is named.
      data_path: folder that holds ``NAME``; None for TFDS's own default.

    Returns:
      the split ``train`` as pool, ``test`` (or else ``validation``) as test part; uint8 pictures of one shape.

    Raises:
      UserError: the package or the data set is missing, was not prepared as ArrayRecord, is damaged, or holds other
        things than one picture and one class an example.
    """
    folder = tfds_folder(data_path)
    prepare = (
        f"Prepare it once, where TensorFlow is installed, with: tfds build {name} --file_format=array_record"
        " --data_dir=FOLDER; then add --data_path FOLDER"
    )
    prepared = _prepared(name, folder)
    if not prepared:
        raise not_found(f"tfds:{name}", [folder / name.partition(":")[0]], prepare)
    configurations = {version.parent for version in prepared}
    if len(configurations) > 1:
        raise UserError(
            f"data set tfds:{name} has the configurations {', '.join(sorted(path.name for path in configurations))}",
            expected=f"one of them, as in tfds:{name}/{min(path.name for path in configurations)}",
        )
    if importlib.util.find_spec("tensorflow_datasets") is None:
        raise UserError(f"data set tfds:{name} needs tensorflow-datasets", remedy="pip install 'miajax[tfds]'")
    with _quiet():
        try:
            return _load(max(prepared, key=_version_number), name)
        except UserError:
            raise
        except Exception as error:  # TFDS raises whatever its file formats do
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            raise UserError(f"data set tfds:{name} in {folder} cannot be read ({reason})", remedy=prepare) from error


def _prepared(name: str, folder: Path) -> list[Path]:
    """The version folders of that name."""
    base, _, version = name.partition(":")
    return [path.parent for path in (folder / base).glob("**/dataset_info.json") if version in ("", path.parent.name)]


def _version_number(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else -1 for part in folder.name.split("."))


def _load(folder: Path, name: str) -> Dataset:
    import tensorflow_datasets as tfds

    builder: Any = tfds.builder_from_directory(folder)
    picture, label = _keys(builder.info, name)
    parts = builder.as_data_source()
    if "train" not in parts:
        raise UserError(f"data set tfds:{name} has the splits {', '.join(parts)}", expected="train among them")
    features, labels = _read(parts["train"], picture, label)
    test = next((parts[split] for split in ("test", "validation") if split in parts), None)
    test_features, test_labels = _read(test, picture, label) if test is not None else (None, None)
    return Dataset(
        name=f"tfds:{name}",
        features=features,
        labels=labels,
        num_classes=builder.info.features[label].num_classes,
        test_features=test_features,
        test_labels=test_labels,
        class_names=tuple(builder.info.features[label].names),
        image_shape=features.shape[1:],
        provenance={
            "source": f"TFDS {builder.info.full_name}",
            "examples": {split: len(part) for split, part in parts.items()},
        },
    )


def _keys(info: Any, name: str) -> tuple[str, str]:
    """The names of the picture and of its class among the features."""
    import tensorflow_datasets as tfds

    kinds = (tfds.features.Image, tfds.features.ClassLabel)
    supervised = info.supervised_keys or ()
    found = []
    for kind in kinds:
        keys = [key for key, feature in sorted(info.features.items()) if isinstance(feature, kind)]
        keys = [key for key in keys if key in supervised] or keys
        if len(keys) != 1:
            raise UserError(
                f"data set tfds:{name} has {', '.join(keys) or 'none'} of type {kind.__name__}",
                expected="one picture and one class an example",
                remedy="Export the arrays that you mean with numpy.savez and use --dataset npz",
            )
        found.append(keys[0])
    shape = info.features[found[0]].shape
    if None in shape or info.features[found[0]].np_dtype != np.uint8:
        raise UserError(
            f"data set tfds:{name} has {info.features[found[0]].np_dtype} pictures of shape {shape}",
            expected="uint8 pictures of one shape",
            remedy="Resize them, save them with numpy.savez and use --dataset npz",
        )
    return found[0], found[1]


def _read(source: Any, picture: str, label: str) -> tuple[np.ndarray, np.ndarray]:
    features, labels = [], []
    for start in range(0, len(source), _CHUNK):
        examples = source.__getitems__(range(start, min(start + _CHUNK, len(source))))
        features.append(np.stack([example[picture] for example in examples]))
        labels.append(np.array([example[label] for example in examples]))
    return np.concatenate(features), np.concatenate(labels)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TFDS's hints on faster decoders and unrelated folders out of a command's output.

    They are about speed and other data sets; what cannot be read is an exception.
    """
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
