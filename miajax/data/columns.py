"""One column of a table as features: numbers standardised, categories one-hot, missing values marked."""

from typing import TYPE_CHECKING, Any

import numpy as np

from miajax.data.bounds import FeatureBounds
from miajax.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CATEGORIES = 1000


def encode_column(
    name: str, column: "pa.ChunkedArray", where: str, bounds: FeatureBounds | None = None
) -> tuple[np.ndarray, list[str], dict[str, Any]]:
    """The features that one column makes, their names, and what was done, for the manifest.

    Numbers and booleans: minus their mean, over their standard deviation (ddof 0; a constant column becomes 0), both
    over the present values; missing ones get the mean, so 0. Texts: one 0/1 feature a category, in sorted order; all 0
    where missing. Either gets a last 0/1 feature "NAME is missing" if any is. A column without any value: no feature.

    Args:
      name: of the column.
      column: its N values.
      where: the file, for messages.
      bounds: numbers are scaled by these, which become -1 and 1, instead of their mean and deviation; missing ones get
        the middle, so 0.

    Returns:
      features ``float32[N, F]``; F names; a record of ``column``, ``kind`` (number, category or empty), ``missing``
      (how many), and ``mean`` and ``std``, or ``bounds``, or ``categories``.

    Raises:
      UserError: infinite numbers, more than `MOST_CATEGORIES` categories, or a type that is neither.
    """
    import pyarrow as pa

    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if bounds is not None and pa.types.is_boolean(kind) and name not in bounds.by_column:
        bounds = FeatureBounds((0.0, 1.0), {}, bounds.source)
    if pa.types.is_null(kind):
        values, names, record, missing = _empty(column)
    elif is_number or pa.types.is_boolean(kind):
        values, names, record, missing = _number(name, column, where, bounds)
    elif pa.types.is_string(kind):
        values, names, record, missing = _category(name, column, where)
    else:
        raise UserError(
            f"{where}: column {name} has the type {kind}",
            expected="numbers, text or booleans",
            remedy=f"Convert it to numbers, or add --drop_columns {name}",
        )
    if missing.any() and names:
        values = np.concatenate([values, missing[:, None]], axis=1)
        names = [*names, f"{name} is missing"]
    return values.astype(np.float32), names, {"column": name, **record, "missing": int(missing.sum())}


def code_column(column: "pa.ChunkedArray") -> np.ndarray | None:
    """The one feature that a column makes for trees, ``float64[N]``: numbers as they are, booleans 0 and 1, texts their
    place in sorted order; NaN where missing. None for a column without any value.

    Args:
      column: its N values, one that `encode_column` takes.
    """
    import pyarrow as pa

    if pa.types.is_string(column.type):
        codes, categories = sorted_codes(column)
        return np.where(codes < 0, np.nan, codes) if categories else None
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return None if np.isnan(values).all() else values


_Encoded = tuple[np.ndarray, list[str], dict[str, Any], np.ndarray]  # features, names, record, bool[N] missing


def _empty(column: "pa.ChunkedArray") -> _Encoded:
    return np.zeros((len(column), 0)), [], {"kind": "empty"}, np.ones(len(column), bool)


def _number(name: str, column: "pa.ChunkedArray", where: str, bounds: FeatureBounds | None) -> _Encoded:
    import pyarrow as pa

    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)  # missing ones become NaN
    missing = np.isnan(values)
    if missing.all():
        return _empty(column)
    if np.isinf(values).any():
        row = np.isinf(values).argmax()
        raise UserError(
            f"{where}: column {name} is {values[row]} in row {row}",
            expected="finite numbers",
            remedy=f"Empty the cell, or add --drop_columns {name}",
        )
    if bounds is not None:
        scaled = np.where(missing, 0.0, bounds.scaled(values, name))
        return scaled[:, None], [name], {"kind": "number", "bounds": list(bounds.of(name))}, missing
    unit = np.abs(values[~missing]).max() or 1.0  # in units of the largest, no square overflows
    mean, std = (values[~missing] / unit).mean(), (values[~missing] / unit).std()
    scaled = np.where(missing, 0.0, (values / unit - mean) / (std or 1.0))
    return scaled[:, None], [name], {"kind": "number", "mean": float(mean * unit), "std": float(std * unit)}, missing


def _category(name: str, column: "pa.ChunkedArray", where: str) -> _Encoded:
    codes, categories = sorted_codes(column)
    if not categories:
        return _empty(column)
    if len(categories) > MOST_CATEGORIES:
        raise UserError(
            f"{where}: column {name} holds {len(categories)} different texts",
            expected=f"at most {MOST_CATEGORIES} categories",
            remedy=f"Add --drop_columns {name}",
        )
    one_hot = codes[:, None] == np.arange(len(categories))
    names = [f"{name} = {category}" for category in categories]
    return one_hot, names, {"kind": "category", "categories": categories}, codes < 0


def sorted_codes(column: "pa.ChunkedArray") -> tuple[np.ndarray, list]:
    """The place of every value among the sorted different values, ``int32[N]``, -1 where missing; and those values."""
    encoded = column.combine_chunks().dictionary_encode()
    first_seen = encoded.dictionary.to_pylist()
    order = sorted(range(len(first_seen)), key=first_seen.__getitem__)
    place = np.full(len(order) + 1, -1, np.int32)  # the last entry is where code -1 points
    place[order] = np.arange(len(order))
    return place[encoded.indices.fill_null(-1).to_numpy()], [first_seen[i] for i in order]
