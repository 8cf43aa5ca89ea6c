"""Pictures with channels first, and pixels that were not scaled, never train along wrong axes in silence."""

import dataclasses

import numpy as np
import pytest

from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

RNG = np.random.default_rng(0)
LABELS = np.arange(6) % 2


def pictures(*shape):
    return RNG.integers(0, 256, (6, *shape)).astype(np.uint8)


def made(features, **fields):
    return Dataset(name="mine", features=features, labels=LABELS, num_classes=2, **fields)


def read(tmp_path, features, options=None, **parts):
    np.savez(tmp_path / "mine.npz", features=features, labels=LABELS, **parts)
    return load_dataset("npz", DataOptions(data_path=str(tmp_path / "mine.npz"), **(options or {})))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 8, 8), (3, 5, 7), (1, 2, 2)])
def test_channels_first_are_noticed_turned_round_or_taken_at_their_word(tmp_path, shape):
    stored = pictures(*shape)
    axes = ", ".join(map(str, shape))
    told = rf"has shape \(6, {axes}\), which looks like {shape[0]} channel.*--channels first"
    for features in (stored, stored / 255):
        with pytest.raises(UserError, match=told):
            made(features)
        with pytest.raises(UserError, match=told):
            read(tmp_path, features)
    turned = read(tmp_path, stored, {"channels": "first"}, test_features=stored[:2], test_labels=LABELS[:2])
    assert turned.image_shape == (*shape[1:], shape[0]) and turned.provenance["preprocessing"].startswith("channels")
    np.testing.assert_array_equal(turned.features, stored.transpose(0, 2, 3, 1))
    assert turned.test_features is not None and turned.test_features.shape[1:] == turned.image_shape
    assert turned.content_hash == made(stored.transpose(0, 2, 3, 1), **parts(turned)).content_hash
    kept = read(tmp_path, stored, {"channels": "last"})
    np.testing.assert_array_equal(kept.features, stored)
    assert dataclasses.replace(kept, name="other").content_hash == kept.content_hash


def parts(dataset):
    return {"test_features": dataset.test_features, "test_labels": dataset.test_labels}


@pytest.mark.parametrize(
    "shape", [(32, 32, 3), (28, 28, 1), (8, 8), (4, 8, 3), (3, 3, 3), (1, 1, 64), (1, 8, 1), (5, 9, 9)]
)
def test_channels_last_and_grey_pictures_are_read_as_they_are(tmp_path, shape):
    stored = pictures(*shape)
    dataset = read(tmp_path, stored)
    assert dataset.image_shape == (*shape, 1)[:3] and dataset.features.dtype == np.uint8
    np.testing.assert_array_equal(dataset.features.reshape(stored.shape), stored)


def test_a_further_part_with_channels_first_is_named():
    with pytest.raises(UserError, match=r"test_features has shape \(6, 3, 8, 8\), which looks like 3 channels"):
        made(pictures(8, 8, 3), test_features=pictures(3, 8, 8), test_labels=LABELS)


@pytest.mark.parametrize(
    ("kind", "highest", "scale"),
    [
        (np.float32, 255, 255), (np.float64, 254.5, 255), (np.int64, 255, 255), (np.int16, 255, 255),
        (np.uint16, 65535, 65535), (np.float32, 1000.4, 1000),
    ],
)  # fmt: skip
def test_pictures_that_were_not_scaled_are_noticed_and_divided_or_taken_as_they_are(tmp_path, kind, highest, scale):
    stored = (RNG.random((6, 8, 8, 3)) * highest).astype(kind)
    stored[0, 0, 0, 0] = highest
    told = f"reaches from .* to {highest:g}, as pixels do.*--pixel_scale {scale} to divide"
    for read_them in (lambda: made(stored), lambda: read(tmp_path, stored)):
        with pytest.raises(UserError, match=told):
            read_them()
    divided = read(tmp_path, stored, {"pixel_scale": float(scale)})
    np.testing.assert_array_equal(divided.features, stored.astype(np.float32) / np.float32(scale))
    assert divided.provenance["preprocessing"] == f"features divided by {scale}"
    np.testing.assert_array_equal(read(tmp_path, stored, {"pixel_scale": 1.0}).features, stored.astype(np.float32))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_flat_rows_of_pixels_are_noticed_too(tmp_path, kind):
    stored = pictures(64).astype(kind)
    with pytest.raises(UserError, match=r"reaches from .* as pixels do that were not scaled.*--pixel_scale 255"):
        read(tmp_path, stored)
    assert read(tmp_path, stored, {"pixel_scale": 255.0}).features.max() <= 1


@pytest.mark.parametrize(
    "features",
    [
        RNG.random((6, 8, 8, 3)),
        RNG.random((6, 8, 8, 3)) * 2 - 1,
        RNG.normal(size=(6, 8, 8, 3)) * 3,
        np.where(RNG.random((6, 8, 8, 3)) < 0.001, 150.0, 0.5),
        RNG.integers(0, 2, (6, 8, 8, 3)) > 0,
        RNG.integers(0, 100, (6, 64)),
        RNG.integers(0, 256, (6, 20)),
        RNG.normal(300, 50, (6, 64)),
        300 - RNG.integers(0, 300, (6, 64)) * (np.arange(64) > 0),
    ],
    ids=["0..1", "-1..1", "standardised", "outlier", "bits", "counts", "no square", "measurements", "above 255"],
)
def test_scaled_pictures_and_features_of_tables_are_taken_as_they_are(tmp_path, features):
    np.testing.assert_array_equal(read(tmp_path, features).features, features.astype(np.float32))


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (pictures(8, 8, 3), {"channels": "middle"}, "--channels middle; expected first or last"),
        (pictures(8), {"channels": "first"}, r"--channels first has no effect on .*features of shape \(6, 8\)"),
        (pictures(8, 8, 3), {"pixel_scale": 255.0}, "--pixel_scale 255 has no effect .*other numbers than uint8"),
        (pictures(8, 8) / 1.0, {"pixel_scale": 0.0}, "--pixel_scale 0.0; expected a positive number"),
        (pictures(8, 8) / 1.0, {"pixel_scale": float("nan")}, "--pixel_scale nan; expected a positive number"),
    ],
)
def test_flags_without_effect_say_so(tmp_path, features, options, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, features, options)


@pytest.mark.parametrize("flag", [{"channels": "first"}, {"pixel_scale": 255.0}])
def test_flags_of_pictures_of_ones_own_have_no_effect_on_official_data(flag):
    with pytest.raises(UserError, match="has no effect on --dataset digits; expected --dataset npz"):
        load_dataset("digits", DataOptions(**flag))


@pytest.mark.parametrize(
    ("features", "image_shape"),
    [(np.zeros((6, 12)), (2, 2, 2)), (np.zeros((6, 2, 3, 2)), (3, 2, 2)), (np.zeros((6, 4)), (2, 2, 3))],
)
def test_the_shape_of_a_picture_is_that_of_a_row(features, image_shape):
    with pytest.raises(UserError, match=r"rows of shape .*expected pictures of shape"):
        made(features, image_shape=image_shape)
