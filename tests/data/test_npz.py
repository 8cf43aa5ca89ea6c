import zipfile

import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

FEATURES = np.random.default_rng(0).normal(size=(7, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])


def read(path, **options):
    return load_dataset("npz", DataOptions(data_path=str(path), **options))


@pytest.mark.parametrize("kind", [np.int8, np.uint64, np.float16, np.float64, np.longdouble])
def test_labels_of_any_type_of_number_are_classes(tmp_path, kind):
    np.savez(tmp_path / "a.npz", features=FEATURES, labels=LABELS.astype(kind))
    assert read(tmp_path / "a.npz").labels.tolist() == LABELS.tolist()


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
        path,
        features=FEATURES,
        labels=LABELS,
        test_features=FEATURES[:2],
        test_labels=[0, 3],
        population_features=FEATURES[2:],
        population_labels=LABELS[2:],
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


def damage_text_features(path):
    np.savez(path, features=np.full((7, 3), "a"), labels=LABELS)


def damage_dates(path):
    np.savez(path, features=np.zeros((7, 3), "M8[D]"), labels=LABELS)


def damage_nan_features(path):
    np.savez(path, features=np.where(np.arange(21).reshape(7, 3) == 4, np.nan, 0.0), labels=LABELS)


def damage_object_labels(path):
    np.savez(path, features=FEATURES, labels=LABELS.astype(object))


def damage_huge_labels(path):
    np.savez(path, features=FEATURES, labels=np.where(LABELS == 2, np.uint64(2**64 - 1), LABELS.astype(np.uint64)))


def damage_huge_float_labels(path):
    np.savez(path, features=FEATURES, labels=np.where(LABELS == 2, 1e300, LABELS))


def damage_infinite_labels(path):
    np.savez(path, features=FEATURES, labels=np.where(LABELS == 2, np.inf, LABELS))


def damage_complex_labels(path):
    np.savez(path, features=FEATURES, labels=LABELS + 0j)


def damage_one_hot(path):
    np.savez(path, features=FEATURES, labels=np.eye(3)[LABELS])


def damage_no_array(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("features", b"1,2,3")
        archive.writestr("labels", b"0")


def damage_one_based(path):
    np.savez(path, features=FEATURES, labels=LABELS + 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_missing, "--data_path .*mine.npz is not a file; expected an .npz archive.*numpy.savez"),
        (damage_truncated, "mine.npz is truncated or no .npz archive"),
        (damage_flipped, "mine.npz: features cannot be read"),
        (damage_text, "mine.npz is truncated or no .npz archive"),
        (damage_objects, "mine.npz: features holds Python objects.*numpy.stack"),
        (damage_text_features, "mine.npz: features has dtype <U1; expected real numbers"),
        (damage_dates, "mine.npz: features has dtype datetime64.*expected real numbers"),
        (damage_nan_features, r"features\[1, 1\] is nan"),
        (damage_object_labels, "mine.npz: labels holds Python objects"),
        (damage_huge_labels, r"labels\[2\] is 18446744073709551615 \(2 such labels\); expected whole numbers 0..1"),
        (damage_huge_float_labels, r"labels\[2\] is 1e\+300"),
        (damage_infinite_labels, r"labels\[2\] is inf"),
        (damage_complex_labels, "labels has dtype complex128"),
        (damage_no_array, "mine.npz: features is no NumPy array"),
        (damage_one_hot, r"labels has shape \(7, 3\) beside 7 rows"),
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
