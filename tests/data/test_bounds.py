"""Public bounds: nothing of the scaling depends on the records, and what still does is named."""

import numpy as np
import pytest

from miajax.data.bounds import FeatureBounds, told_by_preparation
from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from miajax.training.scaling import InputScaling

CSV = """age,income,city,member,nothing,outcome
30,1000,Rome,true,,yes
50,,Oslo,false,,no
70,3000,Rome,true,,no
110,9000,,false,,yes
"""
FILE = "column,low,high\nage,0,100\nincome,0,4000\n"


def table(tmp_path, text=CSV, **options) -> Dataset:
    (tmp_path / "people.csv").write_text(text)
    return load_dataset("table", DataOptions(str(tmp_path / "people.csv"), label_column="outcome", **options))


def column(dataset: Dataset, name: str) -> list[float]:
    return dataset.features[:, dataset.provenance["features"].index(name)].tolist()


def test_columns_of_a_table_are_scaled_by_the_bounds_of_a_file(tmp_path):
    (tmp_path / "bounds.csv").write_text(FILE)
    dataset = table(tmp_path, feature_bounds=str(tmp_path / "bounds.csv"))
    assert column(dataset, "age") == pytest.approx([-0.4, 0.0, 0.4, 1.0])
    assert column(dataset, "income") == pytest.approx([-0.5, 0.0, 0.5, 1.0]), "a missing one is in the middle"
    assert column(dataset, "income is missing") == [0, 1, 0, 0]
    assert column(dataset, "member") == [1, -1, 1, -1]
    assert dataset.provenance["columns"][0] == {"column": "age", "kind": "number", "bounds": [0.0, 100.0], "missing": 0}


def test_one_record_changes_no_feature_of_another(tmp_path):
    bounds = {"feature_bounds": "0,10000"}
    first, other = table(tmp_path, **bounds), table(tmp_path, CSV.replace("110,9000", "20,1"), **bounds)
    np.testing.assert_array_equal(first.features[:3], other.features[:3])
    assert (table(tmp_path).features[:3] != table(tmp_path, CSV.replace("110,9000", "20,1")).features[:3]).any()


def test_what_is_read_off_the_records_is_named(tmp_path):
    told = "\n".join(told_by_preparation(table(tmp_path), None, whitened=False))
    assert "without --feature_bounds: age, income, member" in told
    assert "categories there are, a feature each, in these columns: city" in told
    assert "any value is missing, which adds a feature, in these columns: income, city" in told
    assert "no feature is made, in these columns: nothing" in told
    assert "which classes there are" in told
    told = "\n".join(told_by_preparation(table(tmp_path, feature_bounds="0,100"), "0,100", whitened=False))
    assert "deviations" not in told and "city" in told


def test_a_list_of_many_columns_is_cut():
    columns = [{"column": f"c{i}", "kind": "category", "missing": 0} for i in range(40)]
    dataset = Dataset(np.zeros((2, 40), np.float32), np.array([0, 1]), 2, "t", provenance={"columns": columns})
    (categories, _) = told_by_preparation(dataset, None, whitened=False)
    assert categories.endswith("c11 and 28 more")


def images() -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    return Dataset(pixels, np.arange(6) % 2, 2, "pictures")


def test_pictures_are_scaled_by_bounds_of_pixels():
    scaling = InputScaling.of(images(), FeatureBounds.read("0,255"))
    assert (scaling.mean, scaling.std) == ((0.5,) * 3, (0.5,) * 3)
    scaled = np.asarray(scaling(images().features))
    np.testing.assert_allclose(scaled, images().features / 127.5 - 1, atol=1e-6)
    assert "means and deviations" in told_by_preparation(images(), None, whitened=True)[0]
    assert told_by_preparation(images(), "0,255", whitened=True) == [
        "whitening filters of the first layer, computed from the pool"
    ]


def test_flat_rows_of_numbers_are_scaled_by_bounds_in_every_part(tmp_path):
    rows = np.array([[0, 5], [10, 20], [20, 5]], np.float32)
    np.savez(tmp_path / "rows.npz", features=rows, labels=[0, 1, 0], test_features=rows + 1, test_labels=[0, 1, 1])
    read = lambda bounds: load_dataset("npz", DataOptions(str(tmp_path / "rows.npz"), feature_bounds=bounds))  # noqa: E731
    dataset = read("0,10")
    np.testing.assert_allclose(dataset.features, [[-1, 0], [1, 1], [1, 0]])
    assert dataset.test_features is not None
    np.testing.assert_allclose(dataset.test_features[0], [-0.8, 0.2])
    (tmp_path / "bounds.csv").write_text("column,low,high\n0,0,20\n1,0,10\n")
    np.testing.assert_allclose(read(str(tmp_path / "bounds.csv")).features, [[-1, 0], [0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("1,0", "finite numbers, the lower one first"),
        ("0,inf", "finite numbers"),
        ("nowhere.csv", "neither two numbers nor a file"),
        ("name,low\nage,0\n", "begins with name,low"),
        ("column,low,high\nage,0\n", "row 2 has 2 cells"),
        ("column,low,high\nage,0,x\n", "not two numbers"),
        ("column,low,high\nage,0,1\nage,0,1\n", "names age again"),
        ("column,low,high\nage,0,1\n", "no row for column income"),
        (FILE + "size,0,1\n", "names size, which the data set has not"),
        (FILE + "city,0,1\n", "names city, which the data set has not"),
    ],
)
def test_bounds_that_cannot_be_used_are_refused_in_one_line(tmp_path, asked, told):
    if "\n" in asked:
        (tmp_path / "bounds.csv").write_text(asked)
        asked = str(tmp_path / "bounds.csv")
    with pytest.raises(UserError, match=told) as refused:
        table(tmp_path, feature_bounds=asked)
    assert "\n" not in str(refused.value)
