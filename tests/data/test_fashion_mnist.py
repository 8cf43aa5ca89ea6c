import gzip
import os

import numpy as np
import pytest

from miajax.data.fashion_mnist import CLASS_NAMES, DEFAULT_FOLDER, load_fashion_mnist
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from tests.data.official_files import cycling_labels, idx, pictures, write_fashion_mnist


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files_are_read_gzipped_or_plain(tmp_path, compress):
    write_fashion_mnist(tmp_path, compress=compress)
    dataset = load_dataset("fashion_mnist", DataOptions(data_path=str(tmp_path)))
    np.testing.assert_array_equal(dataset.features, pictures(41, 28, 1, seed=41))
    np.testing.assert_array_equal(dataset.labels, cycling_labels(41, 10))
    assert dataset.features.dtype == np.uint8 and dataset.image_shape == (28, 28, 1)
    assert dataset.test_labels is not None and len(dataset.test_labels) == 23
    assert dataset.class_names == CLASS_NAMES and dataset.shippable
    assert dataset.provenance["examples"] == {"train": 41, "test": 23}


def test_pool_all_puts_the_official_test_split_behind_the_training_split(tmp_path):
    write_fashion_mnist(tmp_path)
    dataset = load_dataset("fashion_mnist", DataOptions(data_path=str(tmp_path), pool="all", max_examples=50))
    assert dataset.num_examples == 50 and dataset.test_features is None
    np.testing.assert_array_equal(dataset.features[41:], pictures(23, 28, 1, seed=23)[:9])


def rewrite(path, change):
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def damage_swapped(folder):
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "t10k-labels-idx1-ubyte.gz").unlink(), "t10k-labels-idx1-ubyte.gz cannot be read"),
        (
            lambda f: os.truncate(f / "train-images-idx3-ubyte.gz", 99),
            "train-images-idx3-ubyte.gz cannot be read .*end-of-stream.*a whole file",
        ),
        (
            lambda f: rewrite(f / "train-images-idx3-ubyte.gz", lambda content: content[:-5]),
            "train-images.* holds 32139 bytes of pictures where its header says 41×28×28; expected 32144",
        ),
        (
            lambda f: rewrite(f / "t10k-labels-idx1-ubyte.gz", lambda content: content[:6]),
            "t10k-labels.* starts with 00 00 08 01 00 00; expected 00000801 and 1 sizes",
        ),
        (
            lambda f: rewrite(f / "t10k-labels-idx1-ubyte.gz", lambda content: b""),
            "starts with nothing; expected 00000801",
        ),
        (damage_swapped, "train-images.* starts with 00 00 08 01 .*; expected 00000803 and 3 sizes, .* of pictures"),
        (
            lambda f: rewrite(f / "train-images-idx3-ubyte.gz", lambda _: idx(np.zeros((41, 32, 32), np.uint8))),
            r"holds pictures of \(32, 32\); expected 28×28",
        ),
        (
            lambda f: rewrite(f / "train-labels-idx1-ubyte.gz", lambda _: idx(np.zeros(40, np.uint8))),
            "train-labels.* holds 40 labels; expected 41, one a picture",
        ),
        (
            lambda f: rewrite(f / "train-labels-idx1-ubyte.gz", lambda content: content[:-1] + b"\x0a"),
            r"fashion_mnist .*: labels\[40\] is 10 .* expected whole numbers 0..9",
        ),
    ],
)
def test_damaged_files_are_named_with_the_remedy(tmp_path, damage, message):
    write_fashion_mnist(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=message):
        load_fashion_mnist(tmp_path)


def test_a_missing_data_set_says_where_it_was_looked_for_and_how_to_get_it(tmp_path):
    with pytest.raises(UserError, match=rf"looked in {tmp_path}, {tmp_path}/fashion_mnist\..*dataset-fashion-mnist"):
        load_fashion_mnist(tmp_path)


def test_the_real_data_set_is_whole_or_its_absence_is_told():
    try:
        dataset = load_fashion_mnist()
    except UserError as error:
        print(error)  # no data set on this machine: the message is what is left to check
        assert str(DEFAULT_FOLDER) in str(error) and "dataset-fashion-mnist" in str(error)
        return
    assert dataset.features.shape == (60_000, 28, 28, 1)
    assert dataset.test_features is not None and dataset.test_features.shape == (10_000, 28, 28, 1)
    assert (np.bincount(dataset.labels) == 6_000).all()
    # Trousers are narrower than pullovers: pictures and labels belong together.
    ink = [(dataset.features[dataset.labels == c] > 0).mean() for c in (1, 2)]
    assert ink[0] < 0.5 < ink[1]
