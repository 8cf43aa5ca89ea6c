"""Groups of examples from a table of the user's."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from miajax.errors import UserError
from miajax.studies.slices import user_column


def table(folder, **columns):
    pq.write_table(pa.table(columns), folder / "groups.parquet")
    return folder / "groups.parquet"


def test_rows_are_matched_by_id_in_any_order(tmp_path):
    file = table(tmp_path, id=[4, 0, 2], site=["b", "a", "a"])
    assert user_column(file, "site", 5).tolist() == ["a", "unknown", "a", "unknown", "b"]


def test_an_npz_does_as_well(tmp_path):
    np.savez(tmp_path / "groups.npz", id=np.arange(4), flag=np.array([True, False, True, True]))
    assert user_column(tmp_path / "groups.npz", "flag", 4).tolist() == ["True", "False", "True", "True"]


def test_measurements_become_quarters_and_missing_ones_are_unknown(tmp_path):
    values = np.arange(40, dtype=np.float64)
    values[7] = np.nan
    found = user_column(table(tmp_path, id=np.arange(40), age=values), "age", 40)
    assert found[7] == "unknown" and found[0] == "quarter 1, lowest" and found[39] == "quarter 4, highest"
    assert user_column(table(tmp_path, id=np.arange(40), age=np.arange(40) % 3), "age", 40)[4] == "1"


BAD = {
    "no column": ({"id": [0], "a": ["x"]}, "no column site"),
    "no id": ({"site": ["x"]}, "no column id"),
    "beyond": ({"id": [5], "site": ["x"]}, "id runs from 5 to 5"),
    "twice": ({"id": [1, 1], "site": ["x", "y"]}, "come twice"),
    "no numbers": ({"id": ["a"], "site": ["x"]}, "whole numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_does_not_fit_is_told(case, tmp_path):
    columns, told = BAD[case]
    with pytest.raises(UserError, match=told):
        user_column(table(tmp_path, **columns), "site", 5)


def test_too_many_categories_and_unreadable_files_are_told(tmp_path):
    with pytest.raises(UserError, match="at most 50"):
        user_column(table(tmp_path, id=np.arange(60), name=[f"n{i}" for i in range(60)]), "name", 60)
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match="cannot be read"):
        user_column(tmp_path / "broken.parquet", "name", 60)
