"""What a column of each of Parquet's types becomes."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from miajax.data.columns import encode_column
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError


def encoded(tmp_path, values):
    table = pa.table({"x": values, "y": [0.5] * len(values), "outcome": ["a", "b"] * (len(values) // 2)})
    parquet.write_table(table, tmp_path / "t.parquet")
    dataset = load_dataset("table", DataOptions(data_path=str(tmp_path / "t.parquet"), label_column="outcome"))
    return dataset.features[:, :-1], dataset.provenance["features"][:-1]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 3, 1, 3], pa.int8()),
        pa.array([2**63 + 2**62, 2**63 + 2**62 + 2**61] * 2, pa.uint64()),
        pa.array(np.array([1, 3, 1, 3], np.float16)),
        [decimal.Decimal("1.25"), decimal.Decimal("3.75")] * 2,
        pa.array([decimal.Decimal("1.25"), decimal.Decimal("3.75")] * 2, pa.decimal256(50, 2)),
        pa.array([1, 3, 1, 3]).dictionary_encode(),
        [False, True, False, True],
    ],
)
def test_numbers_of_any_type_are_standardised(tmp_path, values):
    features, names = encoded(tmp_path, values)
    assert names == ["x"]
    np.testing.assert_allclose(features[:, 0], [-1, 1, -1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "values", [[1.0, None, 3.0, np.nan], pa.array([1, None, 3, None]), pa.array([1, None, 3, None]).dictionary_encode()]
)
def test_nulls_and_nan_are_missing(tmp_path, values):
    features, names = encoded(tmp_path, values)
    assert names == ["x", "x is missing"]
    np.testing.assert_allclose(features, [[-1, 0], [0, 1], [1, 0], [0, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        ["a", " b", "a ", None],
        pa.array(["a", "b", "a", None], pa.large_string()),
        pa.array(["a", "b", "a", None]).cast(pa.string_view()),
        pa.array(["a", "b", "a", " ?"]).dictionary_encode(),
    ],
)
def test_texts_of_any_type_are_categories(tmp_path, values):
    features, names = encoded(tmp_path, values)
    assert names == ["x = a", "x = b", "x is missing"]
    np.testing.assert_array_equal(features, [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("values", [pa.nulls(4), [np.nan] * 4, ["", "?", None, "NA"]])
def test_a_column_without_value_is_left_out(tmp_path, values):
    assert encoded(tmp_path, values)[1] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([datetime.datetime(2020, 1, 1)] * 4, "type timestamp"),
        ([datetime.time(1)] * 4, "type time"),
        (pa.array([1] * 4, pa.duration("s")), "type duration"),
        ([b"a"] * 4, "type binary"),
        ([[1.0]] * 4, "type list"),
        (pa.array([[1, 2]] * 4, pa.list_(pa.int64(), 2)), "type fixed_size_list"),
        ([{"a": 1}] * 4, "type struct"),
        (pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64())), "type map"),
        ([1.0, -np.inf, 2.0, 3.0], "column x is -inf in row 1"),
    ],
)
def test_what_can_be_no_feature_is_named(tmp_path, values, message):
    with pytest.raises(UserError, match=f"column x .*{message.removeprefix('column x ')}.*--drop_columns x"):
        encoded(tmp_path, values)


def test_the_mean_of_huge_numbers_does_not_overflow():
    features, _, record = encode_column("x", pa.chunked_array([[1e308, -1e308, 1e308, -1e308]]), "here")
    np.testing.assert_array_equal(features[:, 0], [1, -1, 1, -1])
    assert record["std"] == 1e308


def test_columns_of_one_name_are_named_in_parquet_too(tmp_path):
    parquet.write_table(pa.table([[1], [2]], names=["x", "x"]), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="has several columns x"):
        load_dataset("table", DataOptions(data_path=str(tmp_path / "t.parquet"), label_column="x"))


def test_a_folder_called_like_a_partition_adds_no_column(tmp_path):
    folder = tmp_path / "year=2020"
    folder.mkdir()
    assert encoded(folder, [1.5, 2.5, 3.5, 4.5])[1] == ["x"]
