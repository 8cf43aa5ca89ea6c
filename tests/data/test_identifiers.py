"""Columns that tell records apart are named before a model can learn them."""

import dataclasses
import lzma
from pathlib import Path

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


def panel(tmp_path, people=150, years=5, name="nr", **more):
    """People with a sex and a place of birth, seen in several years."""
    rng = np.random.default_rng(0)
    keys = np.repeat(rng.permutation(10_000)[:people], years)
    sex, born = (np.repeat(rng.integers(0, k, people), years) for k in (2, 5))
    age = rng.integers(20, 90, len(keys))
    columns = {
        name: keys, "sex": sex, "born": born, "age": age, "decade": age // 10, "age_squared": age**2,
        "hours": rng.integers(0, 3000, len(keys)), "y": rng.integers(0, 2, len(keys)), **more,
    }  # fmt: skip
    path = tmp_path / "panel.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]))
    return DataOptions(data_path=str(path), label_column="y")


def test_a_persons_key_is_refused_by_name_unless_kept_dropped_or_used(tmp_path):
    options = panel(tmp_path)
    with pytest.raises(UserError, match=r"column nr looks like a person's key: 150 values in 750 rows") as caught:
        load_dataset("table", options)
    assert "sex, born never differ" in str(caught.value)
    for way in ("--group_column 'nr'", "--drop_columns 'nr'", "--keep_columns 'nr'"):
        assert way in str(caught.value)
    for field, value in (("group_column", "nr"), ("drop_columns", ("nr",)), ("keep_columns", ("nr",))):
        read = load_dataset("table", dataclasses.replace(options, **{field: value}))
        assert ("nr" in read.provenance["features"]) == (field == "keep_columns")


def test_keys_with_gaps_and_of_one_person_with_half_of_all_rows_are_refused(tmp_path):
    options = panel(tmp_path)
    path = Path(options.data_path)
    head, *lines = path.read_text().splitlines()
    gaps = ["," + line.split(",", 1)[1] if place % 17 == 0 else line for place, line in enumerate(lines)]
    path.write_text("\n".join([head, *gaps]))
    with pytest.raises(UserError, match="column nr looks like a person's key: 150 values in 705 rows"):
        load_dataset("table", options)
    one = [line.split(",") for line in lines[:5] * 150]
    rng = np.random.default_rng(3)
    for cells in one:
        cells[3], cells[6] = str(rng.integers(20, 90)), str(rng.integers(0, 3000))
    many = [head.replace("nr", "patient"), *lines, *map(",".join, one)]
    path.write_text("\n".join(many))
    with pytest.raises(UserError, match="column patient looks like a person's key"):
        load_dataset("table", options)


def test_other_names_of_the_groups_with_gaps_are_refused(tmp_path):
    ward = [f"W{i // 5}" if i % 9 else "" for i in range(750)]
    with pytest.raises(UserError, match="column ward is another name of the groups"):
        load_dataset("table", dataclasses.replace(panel(tmp_path, ward=np.array(ward)), group_column="nr"))


def test_other_names_of_the_groups_are_refused_beside_them(tmp_path):
    options = panel(tmp_path, ward=np.repeat(np.arange(150), 5))
    with pytest.raises(UserError, match="column ward is another name of the groups"):
        load_dataset("table", dataclasses.replace(options, group_column="nr"))


def test_a_column_named_after_people_needs_fewer_signs(tmp_path):
    with pytest.raises(UserError, match="column patient_id looks like a person's key"):
        load_dataset("table", panel(tmp_path, people=25, years=30, name="patient_id"))
    assert load_dataset("table", panel(tmp_path, people=25, years=30, name="shop")).num_examples == 750


def test_ages_their_classes_cities_and_hours_are_no_keys(tmp_path):
    """Functions of a number's order, and values that are common, are what features are like."""
    options = panel(tmp_path)
    rng = np.random.default_rng(1)
    city = np.minimum(rng.zipf(1.5, 750), 300)
    more = panel(tmp_path, city=city, region=city % 7, climate=city % 3)
    assert load_dataset("table", dataclasses.replace(more, drop_columns=("nr",))).num_examples == 750
    assert load_dataset("table", dataclasses.replace(options, drop_columns=("nr",))).num_examples == 750


@pytest.mark.parametrize("rows", [None, 2000])
def test_nothing_of_adult_is_taken_for_a_persons_key(tmp_path, rows):
    file = Path(__file__).parents[2] / "../shared/data/adult.csv.xz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    path = tmp_path / "adult.csv"
    path.write_bytes(lzma.decompress(file.read_bytes()))
    options = DataOptions(data_path=str(path), label_column="Salary", max_examples=rows)
    assert load_dataset("table", options).num_examples == (rows or 32561)
