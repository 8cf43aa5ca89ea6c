"""A column of numbers with a stray cell never becomes a column of categories in silence."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

ROWS = 120
NUMBERS = [f"{value:.2f}" for value in np.random.default_rng(0).normal(40, 10, ROWS)]
LABELS = ["a", "b"] * (ROWS // 2)


def read(tmp_path, cells, suffix="csv", **options):
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        path.write_text("\n".join(["x;outcome", *map(";".join, zip(cells, LABELS, strict=True)), ""]))
        options = {"separator": ";", **options}
    else:
        parquet.write_table(pa.table({"x": cells, "outcome": LABELS}), path)
    return load_dataset("table", DataOptions(data_path=str(path), label_column="outcome", **options))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "stray", ["unknown", "1,234", "1.234,5", "1 234", "12%", "$5", "5 €", "1,5", "-", "1.5.2", "abc"]
)
def test_a_stray_cell_is_named_or_missing_on_request(tmp_path, suffix, stray):
    cells = [*NUMBERS[:7], stray, *NUMBERS[8:]]
    with pytest.raises(UserError, match="column x looks like numbers, but row 7 is ") as caught:
        read(tmp_path, cells, suffix)
    told = str(caught.value)
    assert repr(stray) in told and f"1 of {ROWS} cells" in told and "\n" not in told
    for remedy in ("--stray_cells missing", "--decimal", "--drop_columns 'x'", "--keep_columns 'x'"):
        assert remedy in told
    dataset = read(tmp_path, cells, suffix, stray_cells="missing")
    assert dataset.provenance["features"] == ["x", "x is missing"]
    (record,) = dataset.provenance["columns"]
    assert record["missing"] == record["stray"] == 1
    values = np.delete(np.array(NUMBERS, float), 7)
    expected = np.insert((values - values.mean()) / values.std(), 7, 0.0)
    np.testing.assert_allclose(dataset.features[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert dataset.features[:, 1].tolist() == [float(row == 7) for row in range(ROWS)]


def test_kept_on_purpose_its_texts_are_categories(tmp_path):
    cells = ["1", "2", "3+"] * (ROWS // 3)
    with pytest.raises(UserError, match=r"row 2 is '3.' .40 of 120 cells"):
        read(tmp_path, cells)
    assert read(tmp_path, cells, keep_columns=("x",)).provenance["features"] == ["x = 1", "x = 2", "x = 3+"]


@pytest.mark.parametrize(
    ("write", "told"),
    [
        ("{:.0f}%".format, "12%"), ("{:,.2f}".format, "1,234"), ("${:.2f}".format, "$"),
        (lambda v: f"{v:.2f}".replace(".", ","), ","),
    ],
)  # fmt: skip
def test_numbers_in_another_dress_are_refused_even_if_every_cell_wears_it(tmp_path, write, told):
    cells = [write(value) for value in 1234.5 + np.arange(ROWS) % 60]
    if told == "12%":
        cells[0] = "12%"
    for options in ({}, {"stray_cells": "missing"}):
        with pytest.raises(UserError, match=f"column x looks like numbers, but row 0 is .*{ROWS} of {ROWS}") as caught:
            read(tmp_path, cells, **options)
        assert told in str(caught.value)


def test_a_decimal_comma_is_read_when_it_is_said(tmp_path):
    expected = read(tmp_path, NUMBERS)
    commas = [number.replace(".", ",") for number in NUMBERS]
    assert read(tmp_path, commas, decimal=",").content_hash == expected.content_hash
    with pytest.raises(UserError, match=r"row 3 is '1.5' .*expected numbers with a decimal comma"):
        read(tmp_path, [*commas[:3], "1.5", *commas[4:]], decimal=",")


def test_many_unknowns_do_not_hide_numbers(tmp_path):
    cells = [number if row % 3 == 0 else "unknown" for row, number in enumerate(NUMBERS)]
    with pytest.raises(UserError, match=r"looks like numbers, but row 1 is 'unknown' .80 of 120"):
        read(tmp_path, cells)
    with pytest.raises(UserError, match="looks like numbers"):
        read(tmp_path, cells, stray_cells="missing")


@pytest.mark.parametrize(
    "categories", [["20-29", "30-39"], ["<=50", ">50"], ["11th", "12th"], ["a", "1"], ["[0-10)", "5 km"]]
)
def test_categories_with_digits_stay_categories(tmp_path, categories):
    features = read(tmp_path, categories * (ROWS // 2)).provenance["features"]
    assert features == sorted(f"x = {category}" for category in categories)


def test_numbers_that_parquet_holds_as_text_are_refused_unless_asked_for(tmp_path):
    cells = ["1", "2", "30"] * (ROWS // 3)
    with pytest.raises(UserError, match=r"column x holds numbers as text .1 in row 0"):
        read(tmp_path, cells, "parquet")
    assert len(read(tmp_path, cells, "parquet", keep_columns=("x",)).provenance["features"]) == 3
    assert read(tmp_path, cells, "parquet", stray_cells="missing").provenance["features"] == ["x"]


def test_infinity_in_padded_text_is_refused_as_infinity(tmp_path):
    with pytest.raises(UserError, match="column x is inf in row 0"):
        read(tmp_path, ["inf", "?\t", *NUMBERS[2:]])


def test_flags_of_text_have_no_effect_on_parquet_and_say_so(tmp_path):
    for options in ({"separator": ";"}, {"decimal": ","}, {"header": "none"}):
        with pytest.raises(UserError, match="is Parquet; --separator, --decimal and --header have no effect"):
            read(tmp_path, NUMBERS, "parquet", **options)
