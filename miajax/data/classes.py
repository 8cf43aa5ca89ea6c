"""The class column of a table: text, whole numbers or booleans, numbered in sorted order."""

import decimal
from typing import TYPE_CHECKING

import numpy as np

from miajax.data.columns import sorted_codes
from miajax.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 2**53  # floats beyond have no neighbour 1 apart
_EXPECTED = "text, whole numbers (as floats, below 2^53) or booleans"


def classes_of(name: str, column: "pa.ChunkedArray", file: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels ``int32[N]`` from 0 and the classes' names; floats and decimals without fraction count as whole numbers.

    Raises:
      UserError: a row without class; fractions, infinities, and floats beyond 2^53, which stand for several whole
        numbers; dates, bytes and nested types; more than half as many classes as rows.
    """
    import pyarrow as pa

    where = f"{file}: the label column {name}"
    kind = column.type
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
        values = column.to_numpy()
        fine = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < _EXACT)
        if not fine.all():
            raise _no_class(where, values[fine.argmin()], int(fine.argmin()))
        column = column.cast(pa.int64())
    kinds = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean, pa.types.is_decimal)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise UserError(f"{where} has the type {kind}", expected=f"classes: {_EXPECTED}")
    codes, classes = sorted_codes(column)
    if (codes < 0).any():
        raise UserError(
            f"{where} is empty in row {(codes < 0).argmax()} ({(codes < 0).sum()} such rows)",
            expected="a class in every row",
            remedy="Remove these rows from the file",
        )
    for code, value in enumerate(classes):
        if isinstance(value, decimal.Decimal):
            if value != int(value):
                raise _no_class(where, value, int((codes == code).argmax()))
            classes[code] = int(value)
    if 2 * len(classes) > len(codes):
        raise UserError(
            f"{where} has {len(classes)} different values in {len(codes)} rows",
            expected="classes of several rows each",
            remedy="Name another --label_column",
        )
    return codes, tuple(map(str, classes))


def _no_class(where: str, value: object, row: int) -> UserError:
    return UserError(
        f"{where} is {value} in row {row}",
        expected=f"a class in every row: {_EXPECTED}",
        remedy="Cut a quantity into classes first, and remove rows without class",
    )
