"""Arrays of one's own: an ``.npz`` archive of features and labels."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from miajax.data.dataset import Dataset
from miajax.errors import UserError

_REQUIRED = ("features", "labels")
_PARTS = ("test", "population", "validation")
_OPTIONAL = tuple(f"{part}_{kind}" for part in _PARTS for kind in ("features", "labels"))


def load_npz(data_path: str | Path) -> Dataset:
    """The data set in an ``.npz`` archive.

    Args:
      data_path: archive with ``features [N, ...]`` and ``labels [N]`` in 0..C-1, and, where there are such parts,
        ``test_features``, ``test_labels``, and likewise ``population_…`` and ``validation_…``. Rows of three axes are
        pictures ``[H, W, K]`` (of two axes: grey pictures ``[H, W]``). No array may hold Python objects.

    Raises:
      UserError: the file is missing, truncated or no archive, or lacks an array; and what `Dataset` checks.
    """
    path = Path(data_path)
    arrays = _read(path)
    source = {"source": path.name, "arrays": {name: list(array.shape) for name, array in arrays.items()}}
    for name, array in arrays.items():
        if name.endswith("features") and array.ndim == 3:
            arrays[name] = array[..., None]
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
        image_shape=shape if len(shape) == 3 else None,
        provenance=source,
    )


def _highest(labels: np.ndarray) -> int:
    """The highest finite label, at least 1 where labels are no numbers: `Dataset` says what is wrong with those."""
    if not np.issubdtype(labels.dtype, np.number):
        return 1
    return int(labels[np.isfinite(labels)].max(initial=0))


def _read(path: Path) -> dict[str, np.ndarray]:
    expected = "an .npz archive with arrays features [N, ...] and labels [N]"
    remedy = "Write it with numpy.savez(path, features=..., labels=...)"
    if not path.is_file():
        raise UserError(f"--data_path {path} is not a file", expected=expected, remedy=remedy)
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is truncated or no .npz archive", expected=expected, remedy=remedy)
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _REQUIRED if name not in archive.files]
            if missing:
                raise UserError(
                    f"{path} holds {', '.join(archive.files) or 'nothing'}, not {' or '.join(missing)}",
                    expected=expected, remedy=remedy,
                )
            return {name: archive[name] for name in (*_REQUIRED, *_OPTIONAL) if name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error})", expected=expected, remedy=remedy) from error
