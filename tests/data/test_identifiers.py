"""Columns that tell records apart are named before a model can learn them."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

ROWS = 200
RNG = np.random.default_rng(0)
IDS = RNG.permutation(10**6)[:ROWS]


def read(tmp_path, x, suffix="csv", name="x", **options):
    path = tmp_path / f"t.{suffix}"
    outcome = ["a", "b"] * (len(x) // 2)
    if suffix == "csv":
        cells = ["" if cell is None else cell for cell in x]
        rows = [f"{cell},{row % 7},{label}" for row, (cell, label) in enumerate(zip(cells, outcome, strict=True))]
        path.write_text("\n".join([f"{name},y,outcome", *rows]))
    else:
        columns = [pa.array(x), pa.array([row % 7 for row in range(len(x))]), pa.array(outcome)]
        parquet.write_table(pa.table(columns, names=[name, "y", "outcome"]), path)
    return load_dataset("table", DataOptions(data_path=str(path), label_column="outcome", **options))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "x",
    [
        IDS.tolist(),
        [*IDS[:-9].tolist(), *[None] * 9],
        [*IDS[:-9].tolist(), *[7] * 9],
        (IDS + 2**53).tolist(),
        [f"P{i:06}" for i in IDS],
        list(range(1, ROWS + 1)),
    ],
    ids=["whole", "with missing", "nearly", "large", "text", "counting"],
)
def test_nearly_one_value_a_row_is_refused_by_name_unless_kept_or_dropped(tmp_path, suffix, x):
    with pytest.raises(UserError, match=r"column x has .* different values in .* as an identifier has") as caught:
        read(tmp_path, x, suffix)
    assert "--drop_columns 'x'" in str(caught.value) and "--keep_columns 'x'" in str(caught.value)
    assert read(tmp_path, x, suffix, drop_columns=("x",)).provenance["features"] == ["y"]
    kept = read(tmp_path, x, suffix, keep_columns=("x",)).provenance["features"]
    assert kept[0] == "x" or kept[0].startswith("x = P")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "x",
    [
        RNG.normal(size=ROWS).tolist(),
        (IDS // 2 * 2 % 180).tolist(),
        [*IDS[:-20].tolist(), *[7] * 20],
        IDS[:98].tolist(),
        [f"P{i}" for i in IDS % 100],
    ],
    ids=["measured", "shared", "a tenth equal", "few rows", "texts of two rows"],
)
def test_what_records_share_and_what_is_measured_is_read(tmp_path, suffix, x):
    assert read(tmp_path, x, suffix).num_examples == len(x)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("suffix", "name", "known_as"),
    [
        ("csv", "", "Unnamed: 0"), ("csv", " Unnamed: 0", "Unnamed: 0"), ("csv", "Index", "Index"),
        ("parquet", "__index_level_0__", "__index_level_0__"), ("parquet", "", "Unnamed: 0"),
    ],
)  # fmt: skip
def test_an_index_is_noticed_in_a_table_of_any_size(tmp_path, first, suffix, name, known_as):
    x = [first + row for row in range(8)]
    with pytest.raises(UserError, match=f"column {known_as} counts the rows, from {first} to {first + 7}"):
        read(tmp_path, x, suffix, name)
    assert read(tmp_path, x, suffix, name, drop_columns=(known_as,)).provenance["features"] == ["y"]
    assert read(tmp_path, x, suffix, name, drop_columns=(name,)).provenance["features"] == ["y"]
    assert read(tmp_path, x, suffix, name, keep_columns=(known_as,)).provenance["features"] == [known_as, "y"]
    assert read(tmp_path, x[::-1], suffix, name).provenance["features"] == [known_as, "y"], "does not count the rows"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep_columns": ("z",)}, "--keep_columns z is not among .*expected some of x, y, outcome"),
        ({"keep_columns": ("outcome",)}, "--keep_columns names outcome, which is the --label_column"),
        ({"keep_columns": ("x",), "drop_columns": ("x",)}, "--keep_columns and --drop_columns both name x"),
    ],
)
def test_columns_to_keep_are_columns_of_the_table(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, [1, 2, 3, 4], **options)
