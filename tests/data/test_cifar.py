import shutil

import numpy as np
import pytest

from miajax.data.cifar import load_cifar
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from tests.data.official_files import (
    CIFAR10_NAMES,
    CIFAR100_NAMES,
    cifar_files,
    cycling_labels,
    pictures,
    python2_pickle,
    write_folder,
    write_tar,
)

RELEASES = [(name, flavour) for name in ("cifar10", "cifar100") for flavour in ("python", "binary")]


@pytest.mark.parametrize(("name", "flavour"), RELEASES)
@pytest.mark.parametrize("place", ["archive", "folder of archive", "folder", "parent of folder"])
def test_official_releases_are_read_packed_and_unpacked(tmp_path, name, flavour, place):
    folder, files = cifar_files(name, flavour)
    archive = f"{name.replace('cifar', 'cifar-')}-{flavour}.tar.gz"
    if "archive" in place:
        write_tar(tmp_path / archive, folder, files)
    else:
        write_folder(tmp_path / folder, files)
    path = {"archive": tmp_path / archive, "folder": tmp_path / folder}.get(place, tmp_path)
    dataset = load_dataset(name, DataOptions(data_path=str(path)))
    if name == "cifar10":
        expected = np.concatenate([pictures(20, 32, 3, i) for i in range(1, 6)])
        labels = np.tile(cycling_labels(20, 10), 5)
    else:
        expected, labels = pictures(200, 32, 3, 1), cycling_labels(200, 100)
    np.testing.assert_array_equal(dataset.features, expected)
    np.testing.assert_array_equal(dataset.labels, labels)
    assert dataset.test_features is not None and dataset.test_features.shape == (15, 32, 32, 3)
    assert dataset.class_names == tuple(CIFAR10_NAMES if name == "cifar10" else CIFAR100_NAMES)
    assert dataset.image_shape == (32, 32, 3) and dataset.features.dtype == np.uint8


def test_a_data_set_that_is_nowhere_says_where_it_was_looked_for_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match=rf"looked in {tmp_path}/cifar10\..*cifar-10-python.tar.gz.*--data_path"):
        load_cifar("cifar10")
    with pytest.raises(UserError, match=rf"looked in {tmp_path}/x, {tmp_path}/x/cifar100\..*cifar-100-python.tar.gz"):
        load_cifar("cifar100", tmp_path / "x")


def wrong_rows(files):
    files["data_batch_2"] = python2_pickle({b"data": np.zeros((20, 3071), np.uint8), b"labels": [0] * 20})


def wrong_keys(files):
    files["data_batch_2"] = python2_pickle({b"data": np.zeros((20, 3072), np.uint8), b"fine_labels": [0] * 20})


def fewer_labels(files):
    files["data_batch_2"] = python2_pickle({b"data": np.zeros((20, 3072), np.uint8), b"labels": [0] * 19})


def short_batch(files):
    files["data_batch_4"] = python2_pickle({b"data": np.zeros((3, 3072), np.uint8), b"labels": [0] * 3})


def label_beyond(files):
    files["data_batch_5"] = python2_pickle({b"data": np.zeros((20, 3072), np.uint8), b"labels": [0] * 19 + [10]})


def foreign_code(files):
    files["data_batch_3"] = b"cos\nsystem\n(S'echo harm'\ntR."


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda files: files.pop("test_batch"), "test_batch"),
        (lambda files: files.pop("batches.meta"), "batches.meta"),
        (lambda files: files.update(data_batch_1=files["data_batch_1"][:-9]), "data_batch_1 is damaged"),
        (lambda files: files.update(data_batch_1=b""), "data_batch_1 is damaged"),
        (wrong_rows, r"data_batch_2 is damaged \(data is uint8\[20, 3071\] where 20 labels ask for uint8\[20, 3072\]"),
        (wrong_keys, "data_batch_2 is damaged .no dictionary with data and labels"),
        (fewer_labels, "19 labels ask for"),
        (short_batch, "hold 20, 20, 20, 3, 20 pictures; expected equally many in each"),
        (label_beyond, r"labels\[99\] is 10"),
        (foreign_code, "data_batch_3 is damaged .it asks for os.system"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_damaged_python_releases_are_named_with_the_remedy(tmp_path, damage, message, packed):
    folder, files = cifar_files("cifar10", "python")
    damage(files)
    path = tmp_path / "cifar-10-python.tar.gz"
    if packed:
        write_tar(path, folder, files)
    else:
        path = tmp_path / folder
        write_folder(path, files)
    with pytest.raises(UserError, match=message) as caught:
        load_cifar("cifar10", path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "train.bin is damaged .*no whole number of records of 3074"),
        (lambda content: b"", "train.bin is damaged"),
        (lambda content: content[:1] + b"\x64" + content[2:], r"labels\[0\] is 100"),
    ],
)
def test_damaged_binary_releases_are_named(tmp_path, change, message):
    folder, files = cifar_files("cifar100", "binary")
    files["train.bin"] = change(files["train.bin"])
    write_folder(tmp_path / folder, files)
    with pytest.raises(UserError, match=message):
        load_cifar("cifar100", tmp_path)


def test_cut_foreign_and_mistaken_archives_are_named(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    write_tar(path, *cifar_files("cifar10", "python"))
    with pytest.raises(UserError, match="holds no cifar-100-python and no cifar-100-binary; expected cifar-100-python"):
        load_cifar("cifar100", path)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"cut.tar.gz cannot be read.*expected a whole tar archive.*Download"):
        load_cifar("cifar10", cut)
    shutil.copy(__file__, cut)
    with pytest.raises(UserError, match="cannot be read"):
        load_cifar("cifar10", cut)
