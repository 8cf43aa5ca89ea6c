import io
import tarfile

import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError


def official(rows=103):
    """A table as the paper reads it: class 1..100 first, then 600 products."""
    rng = np.random.default_rng(0)
    return np.concatenate([(np.arange(rows)[:, None] * 7) % 100 + 1, rng.integers(0, 2, (rows, 600))], axis=1)


def text(table):
    return "".join(",".join(map(str, row)) + "\n" for row in table).encode()


def read(path, **options):
    return load_dataset("purchase100", DataOptions(data_path=str(path), **options))


def write_npy(folder):
    np.save(folder / "purchase.npy", official())
    return folder / "purchase.npy"


def write_float_npy(folder):
    np.save(folder / "any_name", official().astype(np.float64))
    return folder / "any_name.npy"


def write_npz(folder):
    np.savez_compressed(folder / "purchase.npz", official())
    return folder / "purchase.npz"


def write_text(folder):
    (folder / "dataset_purchase").write_bytes(text(official()))
    return folder / "dataset_purchase"


def write_tgz(folder):
    with tarfile.open(folder / "dataset_purchase.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("dataset_purchase")
        member.size = len(text(official()))
        archive.addfile(member, io.BytesIO(text(official())))
    return folder / "dataset_purchase.tgz"


@pytest.mark.parametrize("write", [write_npy, write_float_npy, write_npz, write_text, write_tgz])
def test_every_published_form_is_the_same_data_set(tmp_path, write):
    path = write(tmp_path)
    dataset = read(path)
    np.testing.assert_array_equal(dataset.features, official()[:, 1:].astype(np.float32))
    np.testing.assert_array_equal(dataset.labels, official()[:, 0] - 1)
    assert (dataset.num_classes, dataset.name, dataset.test_features) == (100, "purchase100", None)
    assert not dataset.synthetic and dataset.provenance["source"] == path.name
    if write is not write_float_npy:
        assert read(tmp_path).content_hash == dataset.content_hash


def changed(row, column, value):
    table = official().astype(float)
    table[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (official()[:, :-1], r"purchase.npy holds int64\[103, 600\]; expected a table of 601 columns"),
        (official().ravel(), r"purchase.npy holds int64\[61903\]"),
        (official().astype(str), "purchase.npy holds <U"),
        (changed(5, 9, np.nan), "purchase.npy: row 5, product 8 is nan; expected 0 or 1"),
        (changed(5, 9, 2), "row 5, product 8 is 2; expected 0 or 1"),
        (changed(7, 0, 0), r"row 7 has the class 0.0; expected 1..100"),
        (changed(7, 0, 101), r"row 7 has the class 101.0"),
        (changed(7, 0, 3.5), r"row 7 has the class 3.5"),
        (changed(7, 0, np.nan), r"row 7 has the class nan"),
        (official()[:99], "class .* has no example in the pool"),
        (np.array([{}], object), "purchase.npy holds Python objects"),
    ],
)
def test_tables_that_are_not_purchase_100_are_named_with_what_was_found(tmp_path, table, message):
    np.save(tmp_path / "purchase.npy", table)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("write", [write_npy, write_npz, write_text, write_tgz])
def test_cut_files_are_named_with_the_remedy(tmp_path, write):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match=f"{path.name} cannot be read.*dataset_purchase.tgz"):
        read(path)


def test_damaged_texts_and_archives_of_other_things_are_named(tmp_path):
    path = tmp_path / "dataset_purchase"
    lines = text(official()).splitlines()
    poisoned = lines[3].replace(b",1,", b",nan,", 1)
    for line, message in ((poisoned, "invalid value 'nan'"), (lines[3] + b",1", "Expected 601 columns, got 602")):
        path.write_bytes(b"\n".join([*lines[:3], line, *lines[4:]]))
        with pytest.raises(UserError, match=message):
            read(path)
    np.savez(tmp_path / "purchase.npz", features=official()[:, 1:], labels=official()[:, 0])
    with pytest.raises(UserError, match="holds the arrays features, labels, not one table"):
        read(tmp_path / "purchase.npz")
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        archive.add(path, "something_else")
    with pytest.raises(UserError, match="holds no dataset_purchase"):
        read(tmp_path / "other.tgz")


def test_a_missing_data_set_says_where_it_was_looked_for_and_how_to_get_it(tmp_path):
    with pytest.raises(UserError, match=rf"looked in {tmp_path}/purchase.npy, .*dataset_purchase.tgz\. Download"):
        read(tmp_path)
    with pytest.raises(UserError, match=rf"looked in {tmp_path}/nowhere\. Download"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"purchase100 was not found; no --data_path was given\. Download"):
        load_dataset("purchase100")
