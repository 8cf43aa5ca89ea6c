"""Parquet files of strangers, read up to a stated bound: their encodings repeat values at next to no bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

from miajax.errors import UserError
from miajax.memory import amount
from miajax.parsing import parsing

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COLUMNS = 100_000
_LEAST, _BY_BYTE = 512 << 20, 200  # bytes in memory that any file may take, and more for each byte of its own
_ROWS, _FEW_ROWS = 1 << 16, 1 << 10  # of a batch: what is read before memory is looked at
_EXPECTED = "a whole Parquet file"


def read_parquet(path: Path) -> "pa.Table":
    """All columns of a Parquet file, every text of which is UTF-8.

    Raises:
      UserError: it is damaged, or holds more than `MOST_COLUMNS` columns or more than 512 MiB and 200 times its size.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with parsing(str(path), expected=_EXPECTED):
        size = path.stat().st_size
        file = parquet.ParquetFile(path, thrift_string_size_limit=size + 1, thrift_container_size_limit=size + 1)
        told, columns = file.metadata.num_rows, file.metadata.num_columns
    most = max(_LEAST, _BY_BYTE * size)
    if columns > MOST_COLUMNS:
        raise UserError(f"{path} has {columns} columns", expected=f"at most {MOST_COLUMNS}")
    batches: list[pa.RecordBatch] = []
    held = 0
    with file, parsing(str(path), expected=_EXPECTED):
        rows = max(_FEW_ROWS, _ROWS // (1 + columns // 100))
        for batch in file.iter_batches(batch_size=rows):
            held += batch.nbytes
            if held > most:
                raise UserError(
                    f"{path} says that it holds {told} rows: they take more than {amount(most)} of memory",
                    expected="a table that its bytes bear out",
                )
            batches.append(batch)
        table = pa.Table.from_batches(batches, file.schema_arrow)
        table.validate(full=True)  # texts are UTF-8, offsets lie within
    return table
