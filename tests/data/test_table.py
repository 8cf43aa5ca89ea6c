import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

CSV = """id,age,income,city,member,empty,outcome
1,30,1.5,Rome,true,,yes
2,,2.5,Oslo,false,,no
3,50,NA,,true,,no
4,40,0.5,Rome,true,,yes
5,20,?,Bonn,false,,maybe
6,60,3.5,Oslo,,,maybe
7,10,,Rome,true,,yes
"""


def read(path, **options):
    return load_dataset("table", DataOptions(**{"data_path": str(path), "label_column": "outcome", **options}))


def standardised(values):
    present = np.array([value for value in values if value is not None], float)
    return [0.0 if value is None else (value - present.mean()) / present.std() for value in values]


AGE = [30, None, 50, 40, 20, 60, 10]
INCOME = [1.5, 2.5, None, 0.5, None, 3.5, None]
MEMBER = [1, 0, 1, 1, 0, None, 1]


def test_csv_columns_become_standardised_numbers_categories_and_missing_marks(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV)
    dataset = read(path, drop_columns=("id",))
    expected = {
        "age": standardised(AGE),
        "age is missing": [0, 1, 0, 0, 0, 0, 0],
        "income": standardised(INCOME),
        "income is missing": [0, 0, 1, 0, 1, 0, 1],
        "city = Bonn": [0, 0, 0, 0, 1, 0, 0],
        "city = Oslo": [0, 1, 0, 0, 0, 1, 0],
        "city = Rome": [1, 0, 0, 1, 0, 0, 1],
        "city is missing": [0, 0, 1, 0, 0, 0, 0],
        "member": standardised(MEMBER),
        "member is missing": [0, 0, 0, 0, 0, 1, 0],
    }
    assert dataset.provenance["features"] == list(expected)
    np.testing.assert_allclose(dataset.features, np.array(list(expected.values())).T, rtol=1e-6)
    assert dataset.name == "people" and dataset.image_shape is None and not dataset.shippable
    assert dataset.class_names == ("maybe", "no", "yes") and dataset.labels.tolist() == [2, 1, 1, 2, 0, 0, 2]


def test_what_was_done_to_every_column_is_recorded(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV)
    provenance = read(path, drop_columns=("id",)).provenance
    columns = {record["column"]: record for record in provenance["columns"]}
    assert columns["age"] == {
        "column": "age", "kind": "number", "mean": 35.0, "std": pytest.approx(17.078251), "missing": 1,
    }  # fmt: skip
    assert columns["city"] == {
        "column": "city", "kind": "category", "categories": ["Bonn", "Oslo", "Rome"], "missing": 1,
    }  # fmt: skip
    assert columns["empty"] == {"column": "empty", "kind": "empty", "missing": 7}
    assert provenance["label_column"] == "outcome" and provenance["drop_columns"] == ["id"]
    assert provenance["source"] == "people.csv" and provenance["examples"] == {"all": 7, "read": 7}


def test_parquet_and_gzipped_csv_hold_the_same_data_set(tmp_path):
    (tmp_path / "people.csv").write_text(CSV)
    with gzip.open(tmp_path / "zipped.csv.gz", "wt") as file:
        file.write(CSV)
    table = pa.table({
        "id": range(7), "age": AGE, "income": INCOME,
        "city": pa.array(["Rome", "Oslo", None, "Rome", "Bonn", "Oslo", "Rome"]).dictionary_encode(),
        "member": [None if value is None else bool(value) for value in MEMBER],
        "empty": pa.nulls(7), "outcome": ["yes", "no", "no", "yes", "maybe", "maybe", "yes"],
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "people.parquet", row_group_size=3)
    hashes = {
        read(tmp_path / name, drop_columns=("id",)).content_hash
        for name in ("people.csv", "zipped.csv.gz", "people.parquet")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("values", "class_names", "labels"),
    [
        ([10, 2, 10, 2, 33, 33, 2], ("2", "10", "33"), [1, 0, 1, 0, 2, 2, 0]),
        ([1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0], ("0", "1"), [1, 0, 1, 0, 0, 1, 1]),
        ([True, False, True, True, False, True, False], ("False", "True"), [1, 0, 1, 1, 0, 1, 0]),
        (["b", "é", "b", "é", "b", "b", "b"], ("b", "é"), [0, 1, 0, 1, 0, 0, 0]),
        (pa.array(["b", "a", "b", "a", "b", "b", "b"]).dictionary_encode(), ("a", "b"), [1, 0, 1, 0, 1, 1, 1]),
    ],
)
def test_classes_are_numbered_in_sorted_order_and_keep_their_names(tmp_path, values, class_names, labels):
    parquet.write_table(pa.table({"x": range(7), "outcome": values}), tmp_path / "t.parquet")
    dataset = read(tmp_path / "t.parquet")
    assert dataset.class_names == class_names and dataset.labels.tolist() == labels


def test_max_examples_standardises_over_the_rows_it_keeps_and_keeps_every_class(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV)
    dataset = read(path, drop_columns=("id", "city", "income", "member"), max_examples=5)
    np.testing.assert_allclose(dataset.features[:, 0], standardised(AGE[:5]), rtol=1e-6)
    assert dataset.provenance["examples"] == {"all": 7, "read": 5}
    with pytest.raises(UserError, match=r"class 0 \(maybe\) has no example in the pool.*--max_examples"):
        read(path, max_examples=4)


def test_constant_columns_become_zero_and_huge_numbers_stay_finite(tmp_path):
    columns = {"same": [3] * 4, "huge": [1e300, -1e300, 0, 1], "big": [2**60, -(2**60), 0, 1]}
    parquet.write_table(pa.table({**columns, "outcome": [0, 1, 0, 1]}), tmp_path / "t.parquet")
    features = read(tmp_path / "t.parquet").features
    assert (features[:, 0] == 0).all()
    np.testing.assert_allclose(features[:, 1:], np.outer([1, -1, 0, 0], [2**0.5, 2**0.5]), atol=1e-6)


def written(text):
    return lambda path: path.write_text(text)


def as_parquet(**columns):
    return lambda path: parquet.write_table(pa.table(columns), path)


LABELS = ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("write", "options", "message"),
    [
        (lambda path: None, {}, "--data_path .*t.csv is not a file; expected a CSV or Parquet file"),
        (written(""), {}, "t.csv cannot be read .*Empty CSV.*expected Parquet, or comma-separated"),
        (written("x,outcome\n"), {}, "t.csv has no rows"),
        (written("x,outcome\n1,a\n2\n"), {}, "t.csv cannot be read .*Expected 2 columns, got 1"),
        (written("x;outcome\n1;a\n"), {}, "--label_column outcome is not among .*expected one of x;outcome"),
        (written("x,x,outcome\n1,2,a\n"), {}, "t.csv has several columns x"),
        (written("x,outcome\n1,a\n2,a\n"), {}, "1 class found"),
        (written("x,outcome\n1,a\n2,b\n3,\n4,a\n"), {}, "outcome is empty in row 2 .1 such rows.*Remove these rows"),
        (written("x,outcome\n1,1.5\n2,2.5\n"), {}, "outcome is 1.5 in row 0; expected a class in every row"),
        (written("x,outcome\n1,a\n2,b\n3,c\n4,d\n"), {}, "4 different values in 4 rows.*another --label_column"),
        (written("x,outcome\n1,a\n2,b\n3,a\n4,b\n"), {"drop_columns": ("x",)}, "has no feature beside outcome"),
        (written("x,outcome\n1,a\n"), {"drop_columns": ("y", "z")}, "y, z is not among .*some of x, outcome"),
        (written("x,outcome\n1,a\n"), {"drop_columns": ("outcome",)}, "--drop_columns names outcome"),
        (written("x,outcome\n1,a\n"), {"label_column": None}, "--dataset table was given no --label_column"),
        (written("x,outcome\n1,a\ninf,b\n2,a\n1,b\n"), {}, "column x is inf in row 1; .*--drop_columns x"),
        (as_parquet(x=np.arange("2020-01-01", "2020-01-05", dtype="M8[D]"), outcome=LABELS), {}, "type date32"),
        (as_parquet(x=[[1], [2], [3], [4]], outcome=LABELS), {}, "column x has the type list.*--drop_columns x"),
        (as_parquet(x=[1, 2, 3, 4], outcome=[[1], [1], [2], [2]]), {}, "outcome has the type list"),
        (as_parquet(x=[1, 2, 3, 4], outcome=[0.0, 1.0, float("nan"), 1.0]), {}, "outcome is nan in row 2"),
        (
            as_parquet(x=[f"c{i}" for i in range(1001)] * 2, outcome=["a", "b"] * 1001), {},
            "column x holds 1001 different texts; expected at most 1000",
        ),
        (lambda path: path.write_bytes(b"PAR1 and then nothing"), {}, "t.csv cannot be read"),
    ],
)  # fmt: skip
def test_bad_tables_are_named_with_the_remedy(tmp_path, write, options, message):
    path = tmp_path / "t.csv"
    write(path)
    with pytest.raises(UserError, match=message):
        read(path, **options)
