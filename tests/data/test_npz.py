import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

FEATURES = np.random.default_rng(0).normal(size=(7, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])


def read(path, **options):
    return load_dataset("npz", DataOptions(data_path=str(path), **options))


@pytest.mark.parametrize("part", ["test", "population", "validation"])
def test_an_archive_may_hold_any_further_part(tmp_path, part):
    np.savez(
        tmp_path / "a.npz", features=FEATURES, labels=LABELS,
        **{f"{part}_features": FEATURES[:2], f"{part}_labels": LABELS[:2]},
    )  # fmt: skip
    dataset = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(getattr(dataset, f"{part}_features"), FEATURES[:2].astype(np.float32))
    np.testing.assert_array_equal(getattr(dataset, f"{part}_labels"), LABELS[:2])
    for other in {"test", "population", "validation"} - {part}:
        assert getattr(dataset, f"{other}_features") is None


def test_an_archive_is_read_with_its_test_and_population_parts(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(
        path, features=FEATURES, labels=LABELS, test_features=FEATURES[:2], test_labels=[0, 3],
        population_features=FEATURES[2:], population_labels=LABELS[2:],
    )
    with pytest.raises(UserError, match="class 3 has no example in the pool"):
        read(path)
    np.savez(path, features=FEATURES, labels=LABELS, test_features=FEATURES[:2], test_labels=[0, 2])
    dataset = read(path)
    np.testing.assert_array_equal(dataset.features, FEATURES.astype(np.float32))
    assert dataset.name == "mine" and dataset.num_classes == 3 and dataset.image_shape is None
    assert dataset.test_labels is not None and dataset.test_labels.tolist() == [0, 2]
    assert dataset.provenance["source"] == "mine.npz" and not dataset.shippable


def test_rows_of_two_or_three_axes_are_pictures(tmp_path):
    path = tmp_path / "pictures.npz"
    for shape, image_shape in (((7, 4, 5), (4, 5, 1)), ((7, 4, 5, 3), (4, 5, 3))):
        np.savez(path, features=np.zeros(shape, np.uint8), labels=LABELS)
        dataset = read(path)
        assert dataset.image_shape == dataset.features.shape[1:] == image_shape
        assert dataset.features.dtype == np.uint8


def test_pool_all_adds_the_test_part_and_max_examples_takes_the_first(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, features=FEATURES, labels=LABELS, test_features=FEATURES[:2] + 9, test_labels=[2, 1])
    merged = read(path, pool="all")
    assert merged.num_examples == 9 and merged.test_features is None
    assert merged.labels.tolist() == [*LABELS, 2, 1]
    first = read(path, max_examples=4)
    np.testing.assert_array_equal(first.features, FEATURES[:4].astype(np.float32))
    assert first.test_labels is not None and first.provenance["max_examples"] == "first 4 of 7"
    assert read(path, max_examples=100).content_hash == read(path).content_hash
    with pytest.raises(UserError, match=r"class 2 has no example.*--max_examples"):
        read(path, max_examples=2)


def damage_missing(path):
    path.unlink()


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[:-40])


def damage_flipped(path):
    content = bytearray(path.read_bytes())
    content[150:200] = bytes(50)
    path.write_bytes(content)


def damage_text(path):
    path.write_text("features,labels\n")


def damage_objects(path):
    np.savez(path, features=np.array([{}] * 7, object), labels=LABELS)


def damage_renamed(path):
    np.savez(path, x=FEATURES, labels=LABELS)


def damage_lone_test(path):
    np.savez(path, features=FEATURES, labels=LABELS, test_features=FEATURES)


def damage_nan_labels(path):
    np.savez(path, features=FEATURES, labels=np.where(LABELS == 2, np.nan, LABELS))


def damage_string_labels(path):
    np.savez(path, features=FEATURES, labels=LABELS.astype(str))


def damage_one_based(path):
    np.savez(path, features=FEATURES, labels=LABELS + 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_missing, "--data_path .*mine.npz is not a file; expected an .npz archive.*numpy.savez"),
        (damage_truncated, "mine.npz is truncated or no .npz archive"),
        (damage_flipped, "mine.npz cannot be read"),
        (damage_text, "mine.npz is truncated or no .npz archive"),
        (damage_objects, "mine.npz cannot be read .*allow_pickle=False"),
        (damage_renamed, "mine.npz holds x, labels, not features"),
        (damage_lone_test, "test_features and test_labels must come together"),
        (damage_nan_labels, r"data set mine \(mine.npz\): labels\[2\] is nan"),
        (damage_string_labels, "labels has dtype <U"),
        (damage_one_based, "class 0 has no example.*from 0 without gaps"),
    ],
)
def test_bad_archives_are_named_with_the_remedy(tmp_path, damage, message):
    path = tmp_path / "mine.npz"
    np.savez(path, features=FEATURES, labels=LABELS)
    damage(path)
    with pytest.raises(UserError, match=message):
        read(path)
