"""Separated text as it goes round: blanks beside separators, marks for missing values, lines without header."""

import codecs
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from miajax.errors import UserError
from miajax.memory import amount
from miajax.parquet_files import MOST_COLUMNS
from miajax.parsing import parsing

if TYPE_CHECKING:
    import pyarrow as pa

Header = Literal["line", "none"]
MISSING_MARKS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?")
_SEPARATORS = {"tab": "\t", "\\t": "\t"}  # shells pass the two characters \t on as they are
_MOST_UNPACKED, _BY_BYTE = 64 << 20, 100  # bytes of text that a packed file may hold, at least, and for each of its own
_QUOTED = r'^"([^"]*)"$'  # a quote after a blank opens nothing for the parser, and stays in the cell


def read_separated(path: Path, separator: str, decimal: str, header: Header) -> "pa.Table":
    """The cells of a text file: numbers, booleans, dates and times where a whole column is such, else text.

    Names and texts lose the blanks and quotes around them (`tidied`). Empty lines are skipped. A column without name is
    called ``Unnamed: K``, K its place from 0; without a header line, columns are called ``0``, ``1``, ...

    Args:
      path: UTF-8, with or without byte order mark; compressed or not; any ends of lines.
      separator: one character, or ``tab``.
      decimal: ``.`` or ``,``.
      header: ``line``: the first line names the columns; ``none``: it is a record.

    Raises:
      UserError: a flag that is no such character, text in another encoding, lines of unlike numbers of cells.
    """
    if decimal not in (".", ","):
        raise UserError(f"--decimal {decimal!r}", expected="'.' or ','")
    if header not in ("line", "none"):
        raise UserError(f"--header {header}", expected="line or none")
    _check_size(path, _delimiter(separator))
    table = _parsed(path, separator, header, decimal_point=decimal)
    names = table.column_names
    if header == "none":
        names = [str(place) for place in range(len(names))]
    else:
        names = [tidied(name) or f"Unnamed: {place}" for place, name in enumerate(names)]
    return table.rename_columns(names)


def written_cells(path: Path, separator: str, header: Header, place: int) -> list[str | None]:
    """One column as it is written, by its place from 0: ``007`` is not ``7``. Else as ``read_separated`` reads it."""
    import pyarrow as pa
    from pyarrow import csv

    options = csv.ReadOptions(autogenerate_column_names=header == "none")
    parse = csv.ParseOptions(delimiter=_delimiter(separator), newlines_in_values=True)
    with (
        parsing(str(path), expected="comma-separated text"),
        csv.open_csv(_opened(path), read_options=options, parse_options=parse) as reader,
    ):
        name = reader.schema.names[place]
    table = _parsed(path, separator, header, column_types={name: pa.string()}, include_columns=[name])
    return tidied_cells(table.column(0)).to_pylist()


def _delimiter(separator: str) -> str:
    separator = _SEPARATORS.get(separator, separator)
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
        raise UserError(f"--separator {separator!r}", expected="one character, such as ';', or tab")
    return separator


def _parsed(path: Path, separator: str, header: Header, **convert: Any) -> "pa.Table":
    from pyarrow import csv

    delimiter = _delimiter(separator)
    _check_encoding(path)  # first: pyarrow may wait for itself for good where a row that it hands over is no text
    with parsing(
        str(path),
        expected="Parquet, or comma-separated text with a header line",
        remedy="See --separator and --header; a cell that holds the separator stands in double quotes",
    ):
        table = csv.read_csv(
            _opened(path),
            read_options=csv.ReadOptions(autogenerate_column_names=header == "none"),
            parse_options=csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=lambda row: "error" if row.text.strip() else "skip",
            ),
            convert_options=csv.ConvertOptions(null_values=list(MISSING_MARKS), strings_can_be_null=True, **convert),
        )
        assert table.column_names  # which decodes them
    return table


def tidied(name: str) -> str:
    """A column's name without the blanks around it, nor quotes that a blank has kept from being quotes."""
    name = name.strip()
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == '"' else name


def tidied_cells(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Texts without the blanks around them, and null for `MISSING_MARKS`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc  # its functions are made when it is imported, unseen by type checkers
    cells = compute.replace_substring_regex(compute.utf8_trim_whitespace(column), _QUOTED, r"\1")
    cells = compute.utf8_trim_whitespace(cells)
    return compute.if_else(compute.is_in(cells, pa.array(MISSING_MARKS)), pa.scalar(None, pa.string()), cells)


def _opened(path: Path) -> "pa.NativeFile":
    import pyarrow as pa

    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return pa.input_stream(str(path), compression="gzip" if is_gzip else "detect")


def _check_size(path: Path, separator: str) -> None:
    """Raises the error that a table has too many columns, by its first line, or that it unpacks to too much."""
    import pyarrow as pa

    most = max(_MOST_UNPACKED, _BY_BYTE * path.stat().st_size)
    cells, unpacked, in_first = 1, 0, True
    with parsing(str(path), expected="comma-separated text"), _opened(path) as file:
        packed = isinstance(file, pa.CompressedInputStream)
        while (in_first or packed) and (block := file.read(1 << 20)):
            unpacked += len(block)
            line, end, _ = block.partition(b"\n")
            cells += line.count(separator.encode()) if in_first else 0
            in_first = in_first and not end
            if cells > MOST_COLUMNS:
                raise UserError(f"{path} has more than {MOST_COLUMNS} columns", expected=f"at most {MOST_COLUMNS}")
            if packed and unpacked > most:
                raise UserError(
                    f"{path} unpacks to more than {amount(most)}", expected="text, or a smaller archive of it"
                )


def _check_encoding(path: Path) -> None:
    """Raises the error that names the first line which is not UTF-8, if there is one and the file can be unpacked."""

    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    try:
        with _opened(path) as file:
            while block := file.read(1 << 20):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    line = lines + error.object.count(b"\n", 0, error.start)
                    raise UserError(
                        f"{path} is not UTF-8 text: byte 0x{error.object[error.start]:02x} in line {line}",
                        expected="UTF-8",
                        remedy=f"Convert it once, for example with: iconv -f LATIN1 -t UTF-8 {path.name}",
                    ) from error
                lines += block.count(b"\n")
    except UserError:
        raise
    except Exception:  # it cannot be unpacked, which whoever asks says
        return
