"""Features of examples that somebody's network computed once: what heads train on instead of the examples."""

import dataclasses
from pathlib import Path

import numpy as np

from miajax.data.dataset import Dataset
from miajax.data.npz import read_archive
from miajax.errors import UserError

_PARTS = ("", "test_", "population_", "validation_")
_ARRAYS = tuple(part + kind for part in _PARTS for kind in ("features", "labels"))[1:]
_EXPECTED = "an .npz archive with features [N, ...] of the data set's rows, in their order"
_REMEDY = "Write it with numpy.savez(path, features=..., labels=..., test_features=..., test_labels=...)"


def with_features(dataset: Dataset, path: str | Path, scaled: bool = True) -> Dataset:
    """The data set with features from an archive in the place of its rows; labels, names and groups stay.

    Each feature is standardised, by its mean and deviation over the pool, which is the same for every model.

    Args:
      dataset: as it was read, nothing cut off.
      path: ``.npz`` with ``features [N, ...]``, a row for each row of the pool, and likewise ``test_features``,
        ``population_features``, ``validation_features``: a part without features is left out. ``labels``,
        ``test_labels`` and so on, where there are any, must be the data set's: others tell of another order.
      scaled: False leaves the features as they are.

    Raises:
      UserError: no such archive, other rows than the data set's, other labels, features that are no finite numbers.
    """
    path = Path(path)
    arrays = read_archive(path, ("features",), _ARRAYS, "--features", _EXPECTED, _REMEDY)
    parts: dict[str, np.ndarray | None] = {}
    for part in _PARTS:
        own: np.ndarray | None = getattr(dataset, part + "labels")
        given = arrays.get(part + "features")
        if given is None:
            parts |= {part + "features": None, part + "labels": None}
            continue
        if own is None:
            raise UserError(f"{path} holds {part}features, and {dataset.name} has no such part", expected=_EXPECTED)
        _check_rows(f"{path}: {part}features", given, len(own), dataset.name)
        labels = arrays.get(part + "labels")
        if labels is not None and not np.array_equal(labels, own):
            apart = "" if labels.shape != own.shape else f", row {int(np.argmax(labels != own))} first"
            raise UserError(
                f"{path}: {part}labels are not those of {dataset.name}{apart}",
                expected="features of the data set's rows, in their order",
                remedy="Compute them over the rows as --dataset reads them, none left out or shuffled",
            )
        parts |= {part + "features": given.astype(np.float32), part + "labels": own}
    pool = parts["features"]
    assert pool is not None
    if scaled:
        mean, deviation = pool.mean(0, dtype=np.float64), pool.std(0, dtype=np.float64)
        deviation = np.where(deviation > 0, deviation, 1.0)
        for part in _PARTS:
            if (rows := parts[part + "features"]) is not None:
                parts[part + "features"] = ((rows - mean) / deviation).astype(np.float32)
    kept = {key: value for key, value in dataset.provenance.items() if key != "columns"}  # which are no longer read
    provenance = {**kept, "frozen_features": {"source": path.name, "standardised": scaled}}
    return dataclasses.replace(
        dataset, **parts, image_shape=None, tree_features=None, shippable=False, provenance=provenance,
    )  # fmt: skip


def _check_rows(where: str, features: np.ndarray, rows: int, name: str) -> None:
    if features.dtype.kind not in "biuf":
        raise UserError(f"{where} has dtype {features.dtype}", expected="real numbers")
    if features.ndim < 2 or len(features) != rows:
        raise UserError(
            f"{where} has shape {list(features.shape)}, and {name} has {rows} rows",
            expected=f"[{rows}, ...]: a row of features for each of them",
            remedy="--dataset names the data that they were computed of",
        )
    if features.dtype.kind == "f" and not (finite := np.isfinite(features)).all():
        at = [int(place) for place in np.unravel_index(finite.argmin(), finite.shape)]
        raise UserError(f"{where}{at} is {features[tuple(at)]}", expected="finite numbers")
