"""Tables on disk, as Parquet."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miajax.parquet_files import read_parquet
from miajax.parsing import parsing
from miajax.runs.atomic import atomic_file


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Columns of one length as a Parquet file; NaN stays NaN."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic_file(path) as file:
        pq.write_table(pa.table(dict(columns)), file)


def read_table(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file, as NumPy arrays where they are numbers, else lists.

    Raises:
      UserError: it is missing or damaged.
    """
    table = read_parquet(path)
    with parsing(str(path), expected="columns of numbers and text"):
        return {
            name: column.to_pylist() if str(column.type) == "string" else column.to_numpy()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
