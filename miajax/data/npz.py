"""Arrays of one's own: an ``.npz`` archive of features and labels."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from miajax.array_files import load_npz as arrays_of
from miajax.array_files import names_in_npz
from miajax.data.dataset import Dataset
from miajax.data.pictures import Channels, arranged
from miajax.errors import UserError

_MOST_CLASSES = 2**31  # labels are int32
_REQUIRED = ("features", "labels")
_EXPECTED = "an .npz archive with arrays features [N, ...] and labels [N]"
_REMEDY = "Write it with numpy.savez(path, features=..., labels=...)"
_PARTS = ("test", "population", "validation")
_OPTIONAL = ("groups", *(f"{part}_{kind}" for part in _PARTS for kind in ("features", "labels")))


def load_npz(data_path: str | Path, channels: Channels | None = None, pixel_scale: float | None = None) -> Dataset:
    """The data set in an ``.npz`` archive.

    Args:
      data_path: archive with ``features [N, ...]`` and ``labels [N]`` in 0..C-1, and, where there are such parts,
        ``test_features``, ``test_labels``, and likewise ``population_…`` and ``validation_…``; ``groups [N]`` says
        whose row each is. Rows of three axes are
        pictures ``[H, W, K]`` (of two axes: grey pictures ``[H, W]``). No array may hold Python objects.
      channels, pixel_scale: how pictures are stored (`arranged`); what looks like channels first, or like pixels that
        were not scaled, is refused where they are not given.

    Raises:
      UserError: the file is missing, truncated or no archive, or lacks an array; and what `Dataset` checks.
    """
    path = Path(data_path)
    arrays = read_archive(path, _REQUIRED, _OPTIONAL, "--data_path", _EXPECTED, _REMEDY)
    source = {"source": path.name, "arrays": {name: list(array.shape) for name, array in arrays.items()}}
    done = []
    if channels == "first":
        done.append("channels moved from the first axis to the last")
    if pixel_scale is not None:
        done.append(f"features divided by {pixel_scale:g}")
    if done:
        source["preprocessing"] = "; ".join(done)
    for name, array in arrays.items():
        if not name.endswith("features"):
            continue
        if array.dtype.kind not in "biuf":
            raise UserError(f"{path}: {name} has dtype {array.dtype}", expected="real numbers")
        if array.ndim == 3:
            array = array[..., None]
        arrays[name] = arranged(f"{path}: {name}", array, channels, pixel_scale)
    shape = arrays["features"].shape[1:]
    return Dataset(
        name=path.stem,
        features=arrays["features"],
        labels=arrays["labels"],
        num_classes=1 + max(_highest(array) for name, array in arrays.items() if name.endswith("labels")),
        test_features=arrays.get("test_features"),
        test_labels=arrays.get("test_labels"),
        population_features=arrays.get("population_features"),
        population_labels=arrays.get("population_labels"),
        validation_features=arrays.get("validation_features"),
        validation_labels=arrays.get("validation_labels"),
        groups=arrays.get("groups"),
        image_shape=shape if len(shape) == 3 else None,
        unlikely=(*(["channels"] if channels else []), *(["scale"] if pixel_scale else [])),
        provenance=source,
    )


def _highest(labels: np.ndarray) -> int:
    """The highest label that a class can have, at least 1: `Dataset` says what is wrong with others."""
    if labels.dtype.kind not in "iuf":
        return 1
    if labels.dtype.kind == "f":
        labels = labels.astype(np.float64)
    return int(labels[np.isfinite(labels) & (labels < _MOST_CLASSES)].max(initial=1))


def read_archive(
    path: Path, required: Sequence[str], optional: Sequence[str], flag: str, expected: str, remedy: str
) -> dict[str, np.ndarray]:
    """Those of the named arrays that an archive holds.

    Args:
      path: of the archive.
      required, optional: names of arrays.
      flag: that named the file.
      expected, remedy: of messages.

    Raises:
      UserError: the file is missing, truncated or no archive, lacks a required array or holds Python objects.
    """
    if not path.is_file():
        raise UserError(f"{flag} {path} is not a file", expected=expected, remedy=remedy)
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is truncated or no .npz archive", expected=expected, remedy=remedy)
    held = names_in_npz(path, expected, remedy)
    if missing := [name for name in required if name not in held]:
        raise UserError(
            f"{path} holds {', '.join(held)[:300] or 'nothing'}, not {' or '.join(missing)}",
            expected=expected,
            remedy=remedy,
        )
    wanted = (*required, *optional)
    arrays = arrays_of(path, wanted, expected, remedy)
    return {name: arrays[name] for name in wanted if name in arrays}
