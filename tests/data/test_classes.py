"""Which columns hold classes, and what is said of those that hold none."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError


def read(tmp_path, labels):
    parquet.write_table(pa.table({"x": [1.5, 2.0, 3.0, 4.0, 5.0, 6.0], "outcome": labels}), tmp_path / "t.parquet")
    return load_dataset("table", DataOptions(data_path=str(tmp_path / "t.parquet"), label_column="outcome"))


@pytest.mark.parametrize(
    ("labels", "class_names"),
    [
        ([1.0, 2.0] * 3, ("1", "2")),
        (pa.array([1, 2] * 3, pa.float32()), ("1", "2")),
        (pa.array(np.array([1, 2] * 3, np.float16)), ("1", "2")),
        (pa.array([0, 2**64 - 1] * 3, pa.uint64()), ("0", "18446744073709551615")),
        (pa.array([-5, 7] * 3, pa.int8()), ("-5", "7")),
        ([-(2.0**53) + 1, 2.0**53 - 1] * 3, ("-9007199254740991", "9007199254740991")),
        ([decimal.Decimal("1.00"), decimal.Decimal("12.00")] * 3, ("1", "12")),
        (pa.array(["a", "b"] * 3, pa.large_string()), ("a", "b")),
        (pa.array(["a", "b"] * 3).cast(pa.string_view()), ("a", "b")),
        (pa.array([10, 20] * 3).dictionary_encode(), ("10", "20")),
        ([" a", "b "] * 3, ("a", "b")),
        (["1", "2"] * 3, ("1", "2")),
        ([False, True] * 3, ("False", "True")),
    ],
)
def test_classes_of_any_type_keep_their_names(tmp_path, labels, class_names):
    dataset = read(tmp_path, labels)
    assert dataset.class_names == class_names and dataset.labels.tolist() == [0, 1] * 3


def test_minus_zero_and_zero_are_one_class(tmp_path):
    assert read(tmp_path, [0.0, -0.0, 1.0] * 2).labels.tolist() == [0, 0, 1] * 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, np.inf] * 3, "outcome is inf in row 1; expected a class in every row"),
        ([1.0, -np.inf] * 3, "outcome is -inf in row 1"),
        ([1.0, 1e19] * 3, r"outcome is 1e\+19 in row 1; .*as floats, below 2\^53"),
        ([1.0, np.nan] * 3, "outcome is nan in row 1"),
        ([1.0, None, 2.0] * 2, "outcome is nan in row 1"),
        ([1, None, 2] * 2, r"outcome is empty in row 1 \(2 such rows\)"),
        (["a", " ? ", "b"] * 2, r"outcome is empty in row 1 \(2 such rows\)"),
        ([decimal.Decimal("1.00"), decimal.Decimal("2.50")] * 3, "outcome is 2.50 in row 1"),
        ([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)] * 3, "outcome has the type date32"),
        ([b"a", b"b"] * 3, "outcome has the type binary"),
        ([{"a": 1}] * 6, "outcome has the type struct"),
        (pa.nulls(6), "outcome has the type null"),
    ],
)
def test_what_is_no_class_is_named_with_its_row(tmp_path, labels, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, labels)
