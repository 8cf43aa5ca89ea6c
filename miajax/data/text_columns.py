"""A text column that is nearly one of numbers: told from a category, and never turned into one in silence."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from miajax.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

StrayCells = Literal["error", "missing"]
_DRESSED = r"^[+-]?[$€£¥]?\s*\d+([.,'\s]\d+)*\s*[%$€£¥]?$"  # 1,234  1.234,5  12%  $5  1 234
_DATE = r"^\d{1,4}(/\d{1,2}/|\.\d{1,2}\.|-\d{1,2}-)\d{1,4}([ T].*)?$"


def resolved(
    name: str, column: "pa.ChunkedArray", where: str, decimal: str, stray_cells: StrayCells, declared: bool
) -> "pa.ChunkedArray":
    """A text column as what it holds: numbers, booleans, or categories.

    It looks like numbers where more than half of its present cells, or of its different values, are numbers, or numbers
    in another dress: with thousands separators, percent or currency signs, another decimal point; or dates.

    Args:
      name: of the column.
      column: texts, null where missing.
      where: the file, for messages.
      decimal: the decimal point.
      stray_cells: what becomes of cells that are no plain number, in a column most of whose cells are: ``error``, or
        ``missing``.
      declared: whether the file itself says that the column is text, as Parquet does; plain numbers are then not read
        as numbers unasked.

    Returns:
      float64, booleans, or the texts; nulls where nothing is present.

    Raises:
      UserError: it looks like numbers or dates, and some cell is no plain number, or the file says text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    encoded = column.combine_chunks().dictionary_encode()
    codes, values = encoded.indices.fill_null(-1).to_numpy(), encoded.dictionary
    if not len(values):
        return pa.chunked_array([pa.nulls(len(column))])
    cells = np.bincount(codes[codes >= 0], minlength=len(values))

    def matching(pattern: str) -> np.ndarray:
        return compute.match_substring_regex(values, pattern, ignore_case=True).to_numpy(zero_copy_only=False)

    plain = matching(_number_pattern(decimal))
    numbers = _as_numbers(compute, values, plain, decimal)
    asked = stray_cells == "missing" and 2 * cells[plain].sum() > cells.sum()
    if (plain.all() and not declared) or asked:
        return pa.chunked_array([pa.array(np.append(numbers, np.nan)[codes], from_pandas=True)])
    if matching("^(true|false)$").all() and not declared:
        truth = compute.equal(compute.utf8_lower(values), "true")
        return pa.chunked_array([truth.take(encoded.indices)])
    dates = matching(_DATE)
    alike = plain | dates | matching(_DRESSED)
    if 2 * cells[alike].sum() <= cells.sum() and 2 * alike.sum() <= len(values):
        return column
    if dates.sum() > (alike & ~dates).sum():
        raise UserError(
            f"{where}: column {name} looks like dates ({values[int(dates.argmax())]} in row {_row(codes, dates)})",
            expected="numbers, text or booleans",
            remedy=f"Convert them, for example to days, or add --drop_columns {name!r}",
        )
    ways = f"--drop_columns {name!r}, or --keep_columns {name!r} to take every text as a category"
    if plain.all():
        raise UserError(
            f"{where}: column {name} holds numbers as text ({values[0]} in row {_row(codes, plain)})",
            expected="numbers stored as numbers",
            remedy=f"Convert it, or add --stray_cells missing to read them as numbers, {ways}",
        )
    first = values[int(codes[_row(codes, ~plain)])]
    raise UserError(
        f"{where}: column {name} looks like numbers, but row {_row(codes, ~plain)} is {first.as_py()!r}"
        f" ({cells[~plain].sum()} of {cells.sum()} cells are no plain number)",
        expected=f"numbers with a decimal {'point' if decimal == '.' else 'comma'} and no other sign",
        remedy=f"Mend the file, or add --stray_cells missing, --decimal if that is another, {ways}",
    )


def _number_pattern(decimal: str) -> str:
    point = "\\." if decimal == "." else ","
    return rf"^[+-]?((\d+({point}\d*)?|{point}\d+)(e[+-]?\d+)?|inf|infinity|nan)$"


def _as_numbers(compute: Any, values: "pa.Array", plain: np.ndarray, decimal: str) -> np.ndarray:
    """``float64``, NaN where not plain."""
    import pyarrow as pa

    numbers = np.full(len(values), np.nan)
    texts = compute.replace_substring(values.filter(pa.array(plain)), "+", "", max_replacements=1)
    numbers[plain] = compute.cast(compute.replace_substring(texts, decimal, "."), pa.float64()).to_numpy()
    return numbers


def _row(codes: np.ndarray, wanted: np.ndarray) -> int:
    """The first row whose value is wanted."""
    return int(np.append(wanted, False)[codes].argmax())
