"""Public bounds of features, so that no scaling is learnt from the records, and what a preparation tells of them."""

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.parsing import parsing

_HEADER = ["column", "low", "high"]
_EXPECTED = "LOW,HIGH for every column, or a CSV file with the header column,low,high and a row a column"
_MOST_NAMES = 12


@dataclasses.dataclass(frozen=True)
class FeatureBounds:
    """Lowest and highest value that a column can have, known without looking at the records.

    Attributes:
      everywhere: ``(low, high)`` of every column, or None.
      by_column: those of each column by name, where they differ.
      source: as it was asked for, for messages.
    """

    everywhere: tuple[float, float] | None
    by_column: Mapping[str, tuple[float, float]]
    source: str

    @classmethod
    def read(cls, asked: str) -> "FeatureBounds":
        """From ``LOW,HIGH``, or from the file of that name.

        Raises:
          UserError: neither, or bounds that are not finite and in order.
        """
        parts = asked.split(",")
        if len(parts) == 2 and all(map(_is_number, parts)):
            return cls(_pair(parts[0], parts[1], f"--feature_bounds {asked}"), {}, asked)
        path = Path(asked)
        if not path.is_file():
            raise UserError(f"--feature_bounds {asked} is neither two numbers nor a file", expected=_EXPECTED)
        with (
            parsing(f"--feature_bounds {asked}", expected=_EXPECTED),
            path.open(newline="", encoding="utf-8-sig") as file,
        ):
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
        if not rows or rows[0] != _HEADER:
            raise UserError(f"--feature_bounds {asked} begins with {','.join(rows[0]) if rows else 'nothing'}",
                            expected=_EXPECTED)  # fmt: skip
        found: dict[str, tuple[float, float]] = {}
        for line, row in enumerate(rows[1:], start=2):
            where = f"--feature_bounds {asked}, row {line}"
            if len(row) != len(_HEADER):
                raise UserError(f"{where} has {len(row)} cells", expected="column,low,high")
            if row[0] in found:
                raise UserError(f"{where} names {row[0]} again", expected="every column once")
            found[row[0]] = _pair(row[1], row[2], where)
        return cls(None, found, asked)

    def of(self, column: str) -> tuple[float, float]:
        """``(low, high)`` of a column of numbers.

        Raises:
          UserError: the file names no such column.
        """
        if self.everywhere is not None:
            return self.everywhere
        if column not in self.by_column:
            raise UserError(
                f"--feature_bounds {self.source} has no row for column {column}",
                expected="a row for every column of numbers",
                remedy=f"Add one, or --drop_columns {column}",
            )
        return self.by_column[column]

    def check_names(self, columns: Sequence[str]) -> None:
        """Raises UserError for a row of the file that names no column."""
        if unknown := [name for name in self.by_column if name not in columns]:
            raise UserError(
                f"--feature_bounds {self.source} names {_listed(unknown)}, which the data set has not",
                expected=f"some of {_listed(columns)}",
            )

    def scaled(self, values: Float[np.ndarray, "..."], column: str) -> Float[np.ndarray, "..."]:
        """Values cut to the column's bounds, which become -1 and 1."""
        low, high = self.of(column)
        return (np.clip(values, low, high) - (low + high) / 2) / ((high - low) / 2)

    def of_channels(self, channels: int) -> list[tuple[float, float]]:
        """Those of each channel of a picture, named by its place, in units of the pixels."""
        names = [str(channel) for channel in range(channels)]
        self.check_names(names)
        return [self.of(name) for name in names]


def bounded(dataset: Dataset, bounds: FeatureBounds) -> Dataset:
    """Flat rows of numbers scaled by public bounds, every part of the data set; columns are named by their place.

    Raises:
      UserError: bounds for other columns than the rows have.
    """
    names = [str(place) for place in range(int(np.prod(dataset.features.shape[1:])))]
    bounds.check_names(names)
    pairs = np.array([bounds.of(name) for name in names]).reshape(*dataset.features.shape[1:], 2)
    low, high = pairs[..., 0], pairs[..., 1]
    changed = {}
    for part in ("", "test_", "population_", "validation_"):
        values = getattr(dataset, part + "features")
        if values is not None:
            cut = np.clip(values.astype(np.float64), low, high)
            changed[part + "features"] = ((cut - (low + high) / 2) / ((high - low) / 2)).astype(np.float32)
    provenance = {**dataset.provenance, "feature_bounds": bounds.source}
    return dataclasses.replace(dataset, **changed, provenance=provenance)


def scaled_columns(dataset: Dataset) -> Int[np.ndarray, "..."]:
    """Of each entry of a row, the column that its scaling is of, counted from 0; -1 for 0/1 features of a table.

    Columns are a table's columns of numbers, a picture's channels, or every place of other rows.
    """
    shape = dataset.features.shape[1:]
    records = dataset.provenance.get("columns", ())
    if dataset.features.dtype == np.uint8:
        channels = np.arange(shape[-1]) if len(shape) == 3 else np.zeros(1, int)
        return np.broadcast_to(channels, shape)
    if not any(isinstance(record, Mapping) and "kind" in record for record in records):
        return np.arange(int(np.prod(shape))).reshape(shape)
    found: list[int] = []
    for record in records:
        if record["kind"] == "number":
            found.append(max(found, default=-1) + 1)
        found += [-1] * len(record.get("categories", ()))
        found += [-1] * int(bool(record["missing"]) and record["kind"] != "empty")
    return np.array(found)


def told_by_preparation(dataset: Dataset, bounds: str | None, whitened: bool) -> list[str]:
    """What was read off this data set's records before training, and is no part of a guarantee, by name.

    Args:
      dataset: as it is trained on.
      bounds: ``--feature_bounds`` of the run, or None.
      whitened: whether the network's first layer is made of the pool.
    """
    told = []
    columns: Sequence[Mapping[str, Any]] = dataset.provenance.get("columns", ())
    columns = [column for column in columns if isinstance(column, Mapping) and "kind" in column]
    named = lambda fits: [str(column["column"]) for column in columns if fits(column)]  # noqa: E731
    if scaled := named(lambda column: column["kind"] == "number" and "bounds" not in column):
        told.append(
            f"means and deviations that these columns are scaled by, without --feature_bounds: {_listed(scaled)}"
        )
    if categories := named(lambda column: column["kind"] == "category"):
        told.append(f"which categories there are, a feature each, in these columns: {_listed(categories)}")
    if missing := named(lambda column: column["missing"] and column["kind"] != "empty"):
        told.append(f"that any value is missing, which adds a feature, in these columns: {_listed(missing)}")
    if empty := named(lambda column: column["kind"] == "empty"):
        told.append(f"that no value is present, so that no feature is made, in these columns: {_listed(empty)}")
    if columns:
        told.append("which classes there are, read off the label column")
    if dataset.features.dtype == np.uint8 and bounds is None:
        told.append("means and deviations of the pool that images are scaled by, without --feature_bounds")
    if dataset.provenance.get("frozen_features", {}).get("standardised"):
        told.append("means and deviations of the pool that --features are scaled by, without --feature_bounds")
    if whitened:
        told.append("whitening filters of the first layer, computed from the pool")
    return told


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _pair(low: str, high: str, where: str) -> tuple[float, float]:
    if not (_is_number(low) and _is_number(high)):
        raise UserError(f"{where}: {low},{high} are not two numbers", expected="LOW,HIGH")
    pair = float(low), float(high)
    if not (all(map(math.isfinite, pair)) and pair[0] < pair[1]):
        raise UserError(f"{where}: {low} and {high}", expected="finite numbers, the lower one first")
    return pair
