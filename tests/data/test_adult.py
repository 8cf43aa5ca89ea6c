"""UCI Adult as it goes round: blanks after the separators, ' ?' where a value is missing."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset

FILE = Path(__file__).parents[2].parent / "shared" / "data" / "adult.csv.xz"


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    if not FILE.is_file():
        pytest.skip(f"{FILE.name} is not in ../shared/data")
    path = tmp_path_factory.mktemp("adult") / "adult.csv"
    path.write_bytes(lzma.decompress(FILE.read_bytes()))
    return path


def test_adult_is_read_with_its_missing_values(adult):
    dataset = load_dataset("table", DataOptions(data_path=str(adult), label_column="Salary"))
    lines = [line.split(", ") for line in adult.read_text().splitlines() if line.strip()]
    names, rows = lines[0], lines[1:]
    assert dataset.num_examples == len(rows) == 32_561 and dataset.class_names == ("<=50K", ">50K")
    assert dataset.labels.sum() == sum(row[-1] == ">50K" for row in rows) == 7_841
    records = {record["column"]: record for record in dataset.provenance["columns"]}
    for place, name in enumerate(names[:-1]):
        cells = [row[place] for row in rows]
        assert records[name]["missing"] == cells.count("?")
        if records[name]["kind"] == "number":
            assert records[name]["mean"] == pytest.approx(np.mean(np.array(cells, float)))
        else:
            assert records[name]["categories"] == sorted(set(cells) - {"?"})
    missing = {name: record["missing"] for name, record in records.items() if record["missing"]}
    assert missing == {"workclass": 1836, "occupation": 1843, "native-country": 583}
    assert not any("?" in feature for feature in dataset.provenance["features"])
    assert "workclass is missing" in dataset.provenance["features"]


def test_adult_without_header_line_holds_the_same_rows(adult, tmp_path):
    named = load_dataset("table", DataOptions(data_path=str(adult), label_column="Salary"))
    bare = tmp_path / "adult.data"
    bare.write_text(adult.read_text().partition("\n")[2])
    numbered = load_dataset("table", DataOptions(data_path=str(bare), label_column="14", header="none"))
    assert numbered.content_hash == named.content_hash
