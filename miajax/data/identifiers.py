"""Columns that say which row it is, not what it is like: row numbers, and nearly one value a row."""

from typing import TYPE_CHECKING, Any

import numpy as np

from miajax.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX_NAMES = ("index", "__index_level_0__")  # and what has no name in the file
_UNLIKE, _FEWEST_ROWS = 0.95, 100


def refuse_identifier(name: str, column: "pa.ChunkedArray", where: str) -> None:
    """Refuses a column that tells records apart and nothing else, so that no model learns it by chance.

    An index: without a name, or called ``index``, and 0..N-1 or 1..N in order, as data frames write it beside their
    rows. An identifier: texts or whole numbers, 100 or more of them, more than 95 % of which are different. Numbers
    with fractions are measurements, and are never refused.

    Args:
      name: of the column.
      column: its N values.
      where: the file, for messages.

    Raises:
      UserError: it is one of the two.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    rows, kind = len(column), column.type
    ways = f"Add --drop_columns {name!r}, or --keep_columns {name!r} to keep it on purpose"
    whole = pa.types.is_integer(kind)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = column.cast(pa.float64(), safe=False).to_numpy()
        present = values[np.isfinite(values)]
        whole = bool((present == np.floor(present)).all())
    unnamed = name.startswith("Unnamed: ") or name.lower() in _INDEX_NAMES
    if whole and unnamed and not column.null_count and rows > 1:
        values = column.cast(pa.float64(), safe=False).to_numpy()
        if any((values == np.arange(rows) + first).all() for first in (0, 1)):
            raise UserError(
                f"{where}: column {name} counts the rows, from {values[0]:.0f} to {values[-1]:.0f}",
                expected="features that say what a record is like",
                remedy=ways,
            )
    if not (whole or pa.types.is_string(kind)):
        return
    present, different = rows - column.null_count, compute.count_distinct(column).as_py()
    if present >= _FEWEST_ROWS and different > _UNLIKE * present:
        raise UserError(
            f"{where}: column {name} has {different} different values in {present} rows, as an identifier has",
            expected="values that records share, or measurements with fractions",
            remedy=ways,
        )
