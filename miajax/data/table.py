"""A table of one's own, CSV or Parquet: which column is the class, and the rest as features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from miajax.data.bounds import FeatureBounds
from miajax.data.columns import encode_column, sorted_codes
from miajax.data.dataset import Dataset
from miajax.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_MARKS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?")


def load_table(
    data_path: str | Path,
    label_column: str,
    drop_columns: Sequence[str] = (),
    max_examples: int | None = None,
    bounds: FeatureBounds | None = None,
) -> Dataset:
    """The rows of a CSV or Parquet file as one pool, without a test split.

    Numbers are standardised, texts become one column a category, and a column with missing values gets a further column
    that says where (`encode_column`). What was done to every column is in ``provenance["columns"]``, the names of the
    resulting features in ``provenance["features"]``.

    Args:
      data_path: Parquet, or comma-separated text with a header line, gzipped (``.gz``) or not. In text, `MISSING_MARKS`
        stand for missing values.
      label_column: column of the class: text, whole numbers or booleans. Classes are numbered in sorted order.
      drop_columns: columns that are not read, such as identifiers.
      max_examples: at most this many rows, the first of the file; means and categories are those of these rows, of
        which a validation part may be carved afterwards.
      bounds: public bounds that columns of numbers are scaled by, instead of by their means and deviations.

    Raises:
      UserError: an unreadable file, an unknown column, a row without class, a class column that holds no classes, a
        column that can be no feature.
    """
    path = Path(data_path)
    table = _read(path)
    _check_columns(path, table.column_names, label_column, drop_columns)
    labels, class_names = _classes(path, table.column(label_column), label_column)
    rows = len(labels) if max_examples is None else min(max_examples, len(labels))
    features, names, records = [], [], []
    for column_name in table.column_names:
        if column_name == label_column or column_name in drop_columns:
            continue
        cells = table.column(column_name).slice(0, rows)
        values, value_names, record = encode_column(column_name, cells, str(path), bounds)
        features.append(values)
        names.extend(value_names)
        records.append(record)
    if bounds is not None:
        bounds.check_names([record["column"] for record in records if record["kind"] != "category"])
    if not names:
        raise UserError(f"{path} has no feature beside {label_column}", expected="at least one column with values")
    return Dataset(
        name=path.name.split(".")[0],
        features=np.concatenate(features, axis=1),
        labels=labels[:rows],
        num_classes=len(class_names),
        class_names=class_names,
        provenance={
            "source": path.name,
            "examples": {"all": len(labels), "read": rows},
            "label_column": label_column,
            "drop_columns": list(drop_columns),
            "columns": records,
            "features": names,
        },
    )


def _read(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv, parquet

    if not path.is_file():
        raise UserError(f"--data_path {path} is not a file", expected="a CSV or Parquet file")
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        if is_parquet:
            table = parquet.read_table(path)
        else:
            table = csv.read_csv(
                path,
                convert_options=csv.ConvertOptions(null_values=list(MISSING_MARKS), strings_can_be_null=True),
            )
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} cannot be read ({error})", expected="Parquet, or comma-separated text with a header line"
        ) from error
    if not table.num_rows:
        raise UserError(f"{path} has no rows", expected="a header line and at least one row")
    return table


def _check_columns(path: Path, names: list[str], label_column: str, drop_columns: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path} has several columns {', '.join(twice)}", expected="every column named once")
    for flag, wanted in (("label_column", [label_column]), ("drop_columns", drop_columns)):
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise UserError(
                f"--{flag} {', '.join(unknown)} is not among the columns of {path}",
                expected=f"{'one' if flag == 'label_column' else 'some'} of {', '.join(names)}",
            )
    if label_column in drop_columns:
        raise UserError(f"--drop_columns names {label_column}, which is the --label_column")


def _classes(path: Path, column: "pa.ChunkedArray", name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    import pyarrow as pa

    where = f"{path}: the label column {name}"
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        values = column.to_numpy()
        fine = values == np.floor(values)
        if not fine.all():
            raise UserError(
                f"{where} is {values[fine.argmin()]} in row {fine.argmin()}",
                expected="a class in every row: text, whole numbers or booleans",
                remedy="Cut a quantity into classes first, and remove rows without class",
            )
        column = column.cast(pa.int64())
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise UserError(f"{where} has the type {column.type}", expected="classes: text, whole numbers or booleans")
    codes, classes = sorted_codes(column)
    if (codes < 0).any():
        raise UserError(
            f"{where} is empty in row {(codes < 0).argmax()} ({(codes < 0).sum()} such rows)",
            expected="a class in every row", remedy="Remove these rows from the file",
        )
    if 2 * len(classes) > len(codes):
        raise UserError(
            f"{where} has {len(classes)} different values in {len(codes)} rows",
            expected="classes of several rows each", remedy="Name another --label_column",
        )
    return codes, tuple(map(str, classes))
