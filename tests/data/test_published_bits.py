"""Location-30 and Texas-100 in the forms in which they were published; Purchase-100 has a file of its own."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

REAL = Path(__file__).parents[3] / "shared" / "data" / "location30.tgz"


def table(classes: int, width: int, rows: int) -> np.ndarray:
    bits = np.random.default_rng(0).integers(0, 2, (rows, width))
    return np.concatenate([np.arange(rows)[:, None] % classes + 1, bits], 1)


def lines(rows: np.ndarray, quoted: bool = False) -> bytes:
    first = '"{}"' if quoted else "{}"
    return "".join(",".join([first.format(row[0]), *map(str, row[1:])]) + "\n" for row in rows).encode()


def read(name: str, path: Path):
    return load_dataset(name, DataOptions(data_path=str(path)))


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL.name} beside the project")
def test_location_30_is_read_from_the_real_archive():
    dataset = read("location30", REAL)
    assert (dataset.features.shape, dataset.num_classes, dataset.name) == ((5010, 446), 30, "location30")
    with tarfile.open(REAL) as tar:
        text = tar.extractfile("bangkok").read().decode().splitlines()  # independent of the reader
    by_hand = np.array([[int(cell.strip('"')) for cell in line.split(",")] for line in text])
    np.testing.assert_array_equal(dataset.labels, by_hand[:, 0] - 1)
    np.testing.assert_array_equal(dataset.features, by_hand[:, 1:])
    assert np.bincount(dataset.labels).min() > 90


def test_location_30_reads_the_text_its_archive_and_the_folder_alike(tmp_path):
    rows = table(30, 446, 60)
    (tmp_path / "bangkok").write_bytes(lines(rows, quoted=True))
    tgz = archive(tmp_path / "other.tgz", {"some/where/bangkok": lines(rows)})
    found = [read("location30", place) for place in (tmp_path / "bangkok", tmp_path, tgz)]
    for each in found:
        np.testing.assert_array_equal(each.features, rows[:, 1:])
        np.testing.assert_array_equal(each.labels, rows[:, 0] - 1)


def texas_files(rows: np.ndarray) -> dict[str, bytes]:
    bits = "".join(",".join(map(str, row)) + "\n" for row in rows[:, 1:]).encode()
    return {"texas/100/feats": bits, "texas/100/labels": "".join(f"{row[0]}\n" for row in rows).encode()}


def test_texas_100_joins_its_two_files_from_a_folder_or_the_archive(tmp_path):
    rows = table(100, 6169, 120)
    files = texas_files(rows)
    tgz = archive(tmp_path / "dataset_texas.tgz", files)
    unpacked = tmp_path / "unpacked"
    for name, content in files.items():
        (unpacked / name).parent.mkdir(parents=True, exist_ok=True)
        (unpacked / name).write_bytes(content)
    for place in (tgz, tmp_path, unpacked, unpacked / "texas" / "100" / "feats"):
        dataset = read("texas100", place)
        np.testing.assert_array_equal(dataset.features, rows[:, 1:])
        np.testing.assert_array_equal(dataset.labels, rows[:, 0] - 1)
        assert dataset.num_classes == 100


def test_files_of_texas_100_that_do_not_fit_are_named(tmp_path):
    rows = table(100, 6169, 120)
    files = texas_files(rows)
    short = files | {"texas/100/labels": files["texas/100/labels"][:-3]}
    with pytest.raises(UserError, match="feats has 120 lines and labels 119"):
        read("texas100", archive(tmp_path / "short.tgz", short))
    alone = {"texas/100/feats": files["texas/100/feats"]}
    with pytest.raises(UserError, match="holds no labels"):
        read("texas100", archive(tmp_path / "alone.tgz", alone))
    with pytest.raises(UserError, match=r"texas100 was not found; looked in .*dataset_texas\.tgz\. Download"):
        empty = tmp_path / "empty"
        empty.mkdir()
        read("texas100", empty)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((5, 9, 2), "row 5, place 8 is 2; expected 0 or 1"),
        ((7, 0, 31), r"row 7 has the class 31; expected 1\.\.30"),
        ((7, 0, 0), "row 7 has the class 0"),
    ],
)
def test_cells_of_location_30_that_are_no_bits_or_classes_are_named(tmp_path, change, message):
    rows = table(30, 446, 60)
    rows[change[0], change[1]] = change[2]
    (tmp_path / "bangkok").write_bytes(lines(rows))
    with pytest.raises(UserError, match=message):
        read("location30", tmp_path)
