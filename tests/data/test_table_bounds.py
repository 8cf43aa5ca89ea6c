"""What a table may take: time and memory follow the file's size, whatever it says it holds."""

import bz2
import time

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from miajax import parquet_files
from miajax.data import table as table_module
from miajax.data.identifiers import refuse_person_keys
from miajax.data.table import load_table
from miajax.errors import UserError
from miajax.parquet_files import read_parquet


def wide(path, columns: int):
    rows = np.random.default_rng(0).integers(0, 3, (4, columns))
    lines = [",".join(["outcome", *(f"c{place}" for place in range(columns))])]
    lines += [",".join([str(row % 2), *map(str, cells)]) for row, cells in enumerate(rows)]
    path.write_text("\n".join(lines))
    return path


def test_time_grows_with_the_number_of_columns_and_not_with_its_square(tmp_path):
    taken = []
    for columns in (2_000, 16_000):
        path = wide(tmp_path / f"{columns}.csv", columns)
        begin = time.process_time()
        assert load_table(path, "outcome").features.shape == (4, columns)
        taken.append(time.process_time() - begin)
    assert taken[1] < 8 * 3 * taken[0]  # 64 times as long by the square


def test_more_columns_than_a_table_may_have_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("," * 100_001 + "\n1")
    with pytest.raises(UserError, match="has more than 100000 columns"):
        load_table(path, "outcome")


def test_categories_that_make_more_features_than_the_file_can_mean_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "_MOST_BYTES", 20_000)
    monkeypatch.setattr(table_module, "_MOST_BYTES_A_BYTE", 1)
    path = tmp_path / "t.csv"
    rows = [f"{row % 2}," + ",".join(f"t{(row * (place + 3)) % 50}" for place in range(9)) for row in range(150)]
    path.write_text("\n".join(["outcome," + ",".join(f"c{place}" for place in range(9)), *rows]))
    with pytest.raises(UserError, match=r"the columns up to c\d make \d+ features of 150 rows, 30\.00 kB; expected at"):
        load_table(path, "outcome")
    assert load_table(path, "outcome", max_examples=10).num_examples == 10


def test_packed_text_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path):
    path = tmp_path / "t.csv.bz2"
    path.write_bytes(bz2.compress(b"x,outcome\n" + b"1,a\n" * (17 << 20)))
    assert path.stat().st_size < 10_000
    with pytest.raises(UserError, match=r"unpacks to more than 67\.11 MB"):
        load_table(path, "outcome")


def test_a_parquet_file_of_repeated_values_is_read_up_to_a_bound(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"x": pa.array(["a" * 1000] * 60_000)}), path)
    assert path.stat().st_size < 40_000
    assert read_parquet(path).num_rows == 60_000
    monkeypatch.setattr(parquet_files, "_LEAST", 40 << 20)
    with pytest.raises(UserError, match=r"says that it holds 60000 rows: they take more than 41\.94 MB"):
        read_parquet(path)


def test_texts_of_a_parquet_file_are_utf8(tmp_path):
    column = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe"))
    parquet.write_table(pa.table({"x": column}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"t\.parquet cannot be read .*UTF-?8"):
        read_parquet(tmp_path / "t.parquet")


def test_a_persons_key_is_found_beside_hundreds_of_columns_that_may_be_keys():
    draws = np.random.default_rng(0)
    people = np.repeat(np.arange(150), 4)
    columns = {f"c{place}": pa.chunked_array([draws.integers(0, 150, 600)]) for place in range(550)}
    columns |= {"sex": pa.chunked_array([draws.integers(0, 2, 150)[people]])}
    begin = time.process_time()
    refuse_person_keys(columns, "t.csv", None)
    with pytest.raises(UserError, match="column patient looks like a person's key"):
        refuse_person_keys({**columns, "patient": pa.chunked_array([draws.permutation(150)[people]])}, "t.csv", None)
    assert time.process_time() - begin < 30
