"""A table of one's own, CSV or Parquet: which column is the class, and the rest as features."""

import collections
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from miajax.data.bounds import FeatureBounds
from miajax.data.classes import classes_of
from miajax.data.columns import code_column, encode_column
from miajax.data.csv_text import Header, read_separated, tidied, tidied_cells, written_cells
from miajax.data.dataset import Dataset
from miajax.data.groups import LARGEST_WHOLE
from miajax.data.identifiers import refuse_identifier, refuse_person_keys
from miajax.data.text_columns import StrayCells, resolved
from miajax.errors import UserError
from miajax.memory import amount
from miajax.parquet_files import read_parquet
from miajax.parsing import parsing

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BYTES, _MOST_BYTES_A_BYTE = 256 << 20, 64  # of features, at least, and for each byte of the file
_MOST_NAMES = 50


def load_table(
    data_path: str | Path,
    label_column: str,
    drop_columns: Sequence[str] = (),
    max_examples: int | None = None,
    keep_columns: Sequence[str] = (),
    stray_cells: StrayCells = "error",
    separator: str = ",",
    decimal: str = ".",
    header: Header = "line",
    bounds: FeatureBounds | None = None,
    for_trees: bool = False,
    group_column: str | None = None,
) -> Dataset:
    """The rows of a CSV or Parquet file as one pool, without a test split.

    Numbers are standardised, texts become one column a category, and a column with missing values gets a further column
    that says where (`encode_column`). What was done to every column is in ``provenance["columns"]`` (``stray``: how
    many cells of it count as missing because of ``stray_cells``), the names of the resulting features in
    ``provenance["features"]``. Nothing is guessed: a text column that looks like numbers (`resolved`) and a column that
    tells records apart (`refuse_identifier`) are errors.

    Args:
      data_path: Parquet, or separated text with a header line, compressed or not. Blanks around names and texts don't
        count; the texts `MISSING_MARKS` stand for missing values.
      label_column: column of the class: text, whole numbers or booleans. Classes are numbered in sorted order.
      drop_columns: columns that are not read, such as identifiers.
      max_examples: at most this many rows, the first of the file; means and categories are those of these rows, of
        which a validation part may be carved afterwards.
      keep_columns: columns taken as they are: identifiers and row numbers as features, texts as categories although
        they look like numbers.
      stray_cells: ``missing`` takes what is no number as missing, in columns most of whose cells are numbers.
      separator, decimal, header: how text is written (`read_separated`).
      group_column: column whose values say whose row it is, text or whole numbers; no feature.
      for_trees: whether to add ``tree_features``, a feature a column (`code_column`).
      bounds: public bounds that columns of numbers are scaled by, instead of by their means and deviations.

    Raises:
      UserError: an unreadable file, an unknown column, a row without class or group, a class column that holds no
        classes, a column that can be no feature.
    """
    path = Path(data_path)
    if stray_cells not in ("error", "missing"):
        raise UserError(f"--stray_cells {stray_cells}", expected="error or missing")
    table, is_text = _read(path, separator, decimal, header)
    names = _unique(path, table.column_names)
    (label_column,) = _known(path, names, "label_column", [label_column])
    drop_columns = _known(path, names, "drop_columns", drop_columns)
    keep_columns = _known(path, names, "keep_columns", keep_columns)
    _check_apart("label_column", label_column, drop_columns, keep_columns)
    groups, group_keys = None, ()
    if group_column is not None:
        (group_column,) = _known(path, names, "group_column", [group_column])
        if group_column == label_column:
            raise UserError(f"--group_column and --label_column both name {label_column}", expected="two columns")
        _check_apart("group_column", group_column, drop_columns, keep_columns)
        place = names.index(group_column)
        cells = functools.partial(written_cells, path, separator, header, place) if is_text else None
        groups, group_keys = _keys(path, group_column, table.column(group_column), cells)
    labels, class_names = classes_of(label_column, table.column(label_column), str(path))
    rows = len(labels) if max_examples is None else min(max_examples, len(labels))
    features, feature_names, records, codes = [], [], [], []
    columns = dict(zip(names, table.columns, strict=True))
    dropped, kept = set(drop_columns), set(keep_columns)
    most = max(_MOST_BYTES, _MOST_BYTES_A_BYTE * path.stat().st_size)
    for name, cells in columns.items():
        if name in (label_column, group_column) or name in dropped:
            continue
        column = cells
        if name not in kept:
            if _is_text(column.type):
                column = resolved(name, cells, str(path), decimal, stray_cells, declared=not is_text)
            refuse_identifier(name, column, str(path))
        column, cells = column.slice(0, rows), cells.slice(0, rows)
        values, value_names, record = encode_column(name, column, str(path), bounds)
        if stray := column.null_count - cells.null_count:
            record["stray"] = stray
        if for_trees and (coded := code_column(column)) is not None:
            codes.append(coded)
        features.append(values)
        feature_names.extend(value_names)
        if (size := 4 * rows * len(feature_names)) > most:
            raise UserError(
                f"{path}: the columns up to {name} make {len(feature_names)} features of {rows} rows, {amount(size)}",
                expected=f"at most {amount(most)} of a file of its size",
                remedy="Leave out columns of many categories with --drop_columns, or rows with --max_examples",
            )
        records.append(record)
    no_feature = {label_column, group_column, *dropped, *kept}
    features_of = {n: column.slice(0, rows) for n, column in columns.items() if n not in no_feature}
    refuse_person_keys(
        features_of, str(path), None if groups is None else np.unique(groups[:rows], return_inverse=True)[1]
    )
    if bounds is not None:
        bounds.check_names([record["column"] for record in records if record["kind"] != "category"])
    if not feature_names:
        raise UserError(f"{path} has no feature beside {label_column}", expected="at least one column with values")
    return Dataset(
        name=path.name.split(".")[0],
        features=np.concatenate(features, axis=1),
        labels=labels[:rows],
        num_classes=len(class_names),
        class_names=class_names,
        tree_features=np.stack(codes, axis=1) if for_trees else None,
        groups=None if groups is None else groups[:rows],
        group_keys=group_keys,
        group_name=group_column or "group",
        provenance={
            "source": path.name,
            "examples": {"all": len(labels), "read": rows},
            "label_column": label_column,
            **({} if group_column is None else {"group_column": group_column}),
            "drop_columns": list(drop_columns),
            "columns": records,
            "features": feature_names,
        },
    )


def column_values(
    data_path: str | Path,
    column: str,
    separator: str = ",",
    decimal: str = ".",
    header: Header = "line",
    flag: str = "slice_column",
) -> list[Any]:
    """One column of a table as it stands in every row of the file, None where a value is missing.

    Args:
      data_path, separator, decimal, header: as in `load_table`.
      column: its name.
      flag: that named it, for messages.

    Raises:
      UserError: an unreadable file, or an unknown column.
    """
    path = Path(data_path)
    table, _ = _read(path, separator, decimal, header)
    (column,) = _known(path, _unique(path, table.column_names), flag, [column])
    return table.column(column).to_pylist()


def _read(path: Path, separator: str, decimal: str, header: Header) -> "tuple[pa.Table, bool]":
    """Every column as plain values, texts tidied; and whether the file is text."""
    import pyarrow as pa

    if not path.is_file():
        raise UserError(f"--data_path {path} is not a file", expected="a CSV or Parquet file")
    with parsing(str(path), expected="a CSV or Parquet file"), path.open("rb") as file:
        is_text = file.read(4) != b"PAR1"
    if is_text:
        table = read_separated(path, separator, decimal, header)
    else:
        if (separator, decimal, header) != (",", ".", "line"):
            raise UserError(f"{path} is Parquet; --separator, --decimal and --header have no effect on it")
        table = read_parquet(path)
        table = table.rename_columns(
            [tidied(name) or f"Unnamed: {place}" for place, name in enumerate(table.column_names)]
        )
    if not table.num_rows:
        raise UserError(f"{path} has no rows", expected="a header line and at least one row")
    with parsing(str(path), expected="columns of numbers, text or booleans"):
        return pa.table([_plain(column) for column in table.columns], names=table.column_names), is_text


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return tidied_cells(column.cast(pa.string())) if _is_text(column.type) else column


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _keys(
    path: Path, name: str, column: "pa.ChunkedArray", written: Callable[[], list[str | None]] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each row's group, and the groups' keys where rows hold numbers of them; a column that cannot tell is refused.

    Args:
      path, name, column: what was read.
      written: gives the cells of a text file as they stand there; None of Parquet.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    fractional = pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    values = column.cast(pa.float64(), safe=False).to_numpy() if fractional else None
    gaps = column.is_null().to_numpy() if values is None else ~np.isfinite(values)
    if gaps.any():
        raise UserError(
            f"{path}: --group_column {name} has no value in row {int(gaps.argmax())} ({int(gaps.sum())} such rows)",
            expected="a key in every row",
            remedy="Give every row the key of its person, or drop such rows",
        )
    whole = pa.types.is_integer(column.type) or (values is not None and bool((values == np.floor(values)).all()))
    if not (whole or _is_text(column.type)):
        raise UserError(
            f"{path}: --group_column {name} has the type {column.type}",
            expected="texts or whole numbers, one key a row",
        )
    if written is not None and values is not None and (np.abs(values) >= LARGEST_WHOLE).any():
        return np.array(written(), str), ()  # numbers of so many digits were read as their neighbours
    if compute.count_distinct(column).as_py() < 2:
        raise UserError(
            f"{path}: --group_column {name} has one value in all {len(column)} rows",
            expected="at least 2 groups, so that some are members and others are not",
        )
    if _is_text(column.type):
        return column.to_numpy().astype(str), ()
    if pa.types.is_decimal(column.type):
        return np.array([int(each) for each in column.to_pylist()], object), ()
    return (column.to_numpy(), ()) if written is None else _padded(path, name, column.to_numpy(), written())


def _padded(
    path: Path, name: str, values: np.ndarray, cells: Sequence[str | None]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Whole numbers as they are; zeros in front, such as those of ``007``, stay in the keys."""
    texts = np.array(cells, str)
    if not any(re.match(r"[+-]?0\d", text) for text in texts):
        return values, ()
    found, first, codes = np.unique(values, return_index=True, return_inverse=True)
    keys = texts[first]
    other = np.flatnonzero(keys[codes.reshape(-1)] != texts)
    if len(other):
        row = int(other[0])
        raise UserError(
            f"{path}: --group_column {name} has the keys {keys[codes.reshape(-1)[row]]} and {texts[row]}, which are "
            f"one number (row {row})",
            expected="one way of writing each key",
            remedy="Write the key of one person alike in all rows, and those of several as texts, such as P007",
        )
    assert len(found) == len(keys)
    return codes.reshape(-1), tuple(keys.tolist())


def _unique(path: Path, names: list[str]) -> list[str]:
    twice = sorted(name for name, times in collections.Counter(names).items() if times > 1)
    if twice:
        raise UserError(
            f"{path} has several columns {_listed(twice)}",
            expected="every column named once",
            remedy="Rename them, or add --header none if the first line is a record",
        )
    return names


def _known(path: Path, names: list[str], flag: str, wanted: Sequence[str]) -> list[str]:
    """The columns that a flag names; blanks around a name don't count, and no name is the first column without one."""
    unnamed = next((name for name in names if name.startswith("Unnamed: ")), "")
    found = [tidied(name) or unnamed for name in wanted]
    there = set(names)
    unknown = [name for name in found if name not in there]
    if not unknown:
        return found
    remedy = ""
    if len(names) == 1 and (separator := re.search("[;\t|]", names[0])):
        found_there = "tab" if separator[0] == "\t" else repr(separator[0])
        remedy = f"Add --separator {found_there}"
    elif names == [str(place) for place in range(len(names))]:
        remedy = "Without a header line, columns are named by their place, from 0"
    elif any(re.fullmatch(r"[+-]?\d+(\.\d+)?", name) for name in names):
        remedy = "Add --header none if the first line is a record: columns are then named by their place, from 0"
    raise UserError(
        f"--{flag} {', '.join(unknown)} is not among the columns of {path}",
        expected=f"{'one' if flag == 'label_column' else 'some'} of {_listed(names)}",
        remedy=remedy,
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )


def _check_apart(role: str, column: str, drop_columns: Sequence[str], keep_columns: Sequence[str]) -> None:
    for flag, named in (("drop_columns", drop_columns), ("keep_columns", keep_columns)):
        if column in named:
            raise UserError(f"--{flag} names {column}, which is the --{role}")
    dropped = set(drop_columns)
    both = [name for name in keep_columns if name in dropped]
    if both:
        raise UserError(f"--keep_columns and --drop_columns both name {', '.join(both)}", expected="one of them")
