import dataclasses

import numpy as np
import pytest

from miajax.data.dataset import Dataset
from miajax.errors import UserError


def small(**changes) -> Dataset:
    fields = {
        "name": "small",
        "features": np.arange(12, dtype=np.float64).reshape(6, 2),
        "labels": np.array([0, 1, 2, 0, 1, 2]),
        "num_classes": 3,
    }
    return Dataset(**{**fields, **changes})


def test_rows_become_float32_and_labels_int32():
    dataset = small(features=np.eye(6) > 0, labels=np.array([0.0, 1, 2, 0, 1, 2]))
    assert dataset.features.dtype == np.float32 and dataset.labels.dtype == np.int32
    assert dataset.num_examples == 6 and dataset.class_names == ("0", "1", "2")


def test_pictures_stay_uint8_while_flat_uint8_rows_become_unscaled_float32():
    pictures = np.arange(96, dtype=np.uint8).reshape(6, 4, 4, 1)
    assert small(features=pictures).features.dtype == np.uint8
    flat = small(features=pictures.reshape(6, 16)).features
    assert flat.dtype == np.float32 and flat.max() == 95


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": np.zeros(6)}, r"features has shape \(6,\)"),
        ({"features": np.zeros((6, 0))}, r"features has shape \(6, 0\)"),
        ({"features": np.zeros((6, 2), complex)}, "features has dtype complex128"),
        ({"features": np.full((6, 2), "a")}, "features has dtype <U1"),
        ({"features": np.full((6, 2), {}, object)}, "features has dtype object"),
        ({"features": np.where(np.arange(12).reshape(6, 2) == 5, np.nan, 0)}, r"features\[2, 1\] is nan"),
        ({"features": np.where(np.arange(12).reshape(6, 2) == 4, -np.inf, 0)}, r"features\[2, 0\] is -inf"),
        ({"features": np.where(np.arange(12).reshape(6, 2) == 4, 1e300, 0)}, r"features\[2, 0\] is inf.*float32"),
        ({"labels": np.array([0, 1, 2, 0, 1])}, r"labels has shape \(5,\) beside 6 rows"),
        ({"labels": np.eye(6)[:, :3]}, r"labels has shape \(6, 3\)"),
        ({"labels": np.array(list("abcabc"))}, "labels has dtype <U1"),
        ({"labels": np.array([0, 1, 2, 0, 1, 3])}, r"labels\[5\] is 3 \(1 such labels\)"),
        ({"labels": np.array([1, 2, 3, 1, 2, 3])}, r"labels\[2\] is 3 \(2 such labels\).*from 0"),
        ({"labels": np.array([0, -1, 2, 0, 1, 2])}, r"labels\[1\] is -1"),
        ({"labels": np.array([0, 0.5, 2, 0, 1, 2])}, r"labels\[1\] is 0.5"),
        ({"labels": np.array([0, np.nan, 2, 0, 1, 2])}, r"labels\[1\] is nan"),
        ({"labels": np.array([0, np.inf, 2, 0, 1, 2])}, r"labels\[1\] is inf"),
        ({"labels": np.array([0, 0, 2, 0, 0, 2])}, "class 1 has no example in the pool"),
        ({"labels": np.zeros(6), "class_names": ("cat", "dog", "owl")}, r"class 1 \(dog\) has no example"),
        ({"class_names": ("cat", "dog")}, "2 class names; expected 3"),
        ({"labels": np.zeros(6), "num_classes": 1}, "1 class found; expected at least 2"),
        ({"num_classes": 10**12}, "class 3 has no example in the pool"),
        ({"features": np.zeros((0, 2)), "labels": np.zeros(0)}, "class 0 has no example"),
        ({"test_features": np.zeros((2, 2))}, "test_features and test_labels must come together"),
        ({"test_features": np.zeros((2, 3)), "test_labels": np.zeros(2)}, r"test_features has .* shape \(3,\)"),
        ({"test_features": np.zeros((1, 2)), "test_labels": np.array([7])}, r"test_labels\[0\] is 7"),
        (
            {"features": np.zeros((6, 2, 2), np.uint8), "test_features": np.zeros((1, 2, 2)), "test_labels": [0]},
            "test_features has float32 rows.*expected uint8 rows",
        ),
    ],
)
def test_bad_arrays_are_named_with_the_value_found_and_what_was_expected(changes, message):
    with pytest.raises(UserError, match=message) as caught:
        small(**changes)
    assert str(caught.value).startswith("data set small: ") and "\n" not in str(caught.value)


def test_its_printed_form_is_one_short_line():
    assert repr(small()) == "Dataset(small: 6 float32 rows of 2, 3 classes)"


def test_the_content_hash_follows_every_array_and_nothing_else():
    extra = {"test_features": np.ones((1, 2)), "test_labels": np.array([0])}
    base = small(**extra)
    assert small(**extra, provenance={"source": "elsewhere"}).content_hash == base.content_hash
    variants = [
        small(),
        small(**extra, features=base.features + 1e-3),
        small(**extra, labels=base.labels[::-1]),
        small(test_features=np.zeros((1, 2)), test_labels=np.array([0])),
        small(test_features=np.ones((1, 2)), test_labels=np.array([1])),
        small(population_features=np.ones((1, 2)), population_labels=np.array([0])),
        small(validation_features=np.ones((1, 2)), validation_labels=np.array([0])),
        dataclasses.replace(base, features=base.features.reshape(6, 1, 2), test_features=np.ones((1, 1, 2))),
    ]
    assert len({base.content_hash, *(variant.content_hash for variant in variants)}) == 1 + len(variants)
