import importlib.util
import io
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from tests.data.official_files import cycling_labels, pictures


def prepare(folder, name, features, splits, version="1.0.0", file_format="array_record", supervised_keys=None):
    """Prepares a TFDS data set on disk, as its authors would, without TensorFlow."""

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=supervised_keys
            )

        def _split_generators(self, dl_manager):
            return {split: enumerate(examples) for split, examples in splits.items()}

        def _generate_examples(self):
            raise AssertionError("splits hold their examples")

    Builder.name = name
    Builder(data_dir=folder, file_format=file_format).download_and_prepare()


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array.squeeze()).save(stream, "PNG")
    stream.seek(0)
    return stream


def examples(images, labels):
    return [{"image": png(image), "label": int(label)} for image, label in zip(images, labels, strict=True)]


def classification(side, channels, num_classes):
    return {
        "image": tfds.features.Image(shape=(side, side, channels)),
        "label": tfds.features.ClassLabel(names=[f"kind {c}" for c in range(num_classes)]),
    }


def as_set(images, labels):
    return {(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_prepared_data_set_is_read_whole_and_without_its_code(tmp_path, channels):
    train, test = pictures(31, 9, channels, 1), pictures(8, 9, channels, 2)
    prepare(
        tmp_path, "shapes", classification(9, channels, 3),
        {"train": examples(train, cycling_labels(31, 3)), "test": examples(test, cycling_labels(8, 3))},
        supervised_keys=("image", "label"),
    )  # fmt: skip
    dataset = load_dataset("tfds:shapes", DataOptions(data_path=str(tmp_path)))
    assert dataset.features.dtype == np.uint8 and dataset.image_shape == (9, 9, channels)
    assert as_set(dataset.features, dataset.labels) == as_set(train, cycling_labels(31, 3))
    assert as_set(dataset.test_features, dataset.test_labels) == as_set(test, cycling_labels(8, 3))
    assert dataset.class_names == ("kind 0", "kind 1", "kind 2") and not dataset.shippable
    assert dataset.provenance == {"source": "TFDS shapes/1.0.0", "examples": {"train": 31, "test": 8}}


def test_the_newest_version_is_read_unless_one_is_named(tmp_path, monkeypatch):
    for version, count in (("1.9.0", 6), ("1.10.0", 9)):
        train = {"train": examples(pictures(count, 4, 1), cycling_labels(count, 2))}
        prepare(tmp_path, "grown", classification(4, 1, 2), train, version=version)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert load_dataset("tfds:grown").num_examples == 9
    assert load_dataset("tfds:grown:1.9.0").num_examples == 6
    assert load_dataset("tfds:grown").test_features is None


def test_a_data_set_of_several_configurations_asks_for_one(tmp_path):
    prepare(tmp_path, "many", classification(4, 1, 2), {"train": examples(pictures(4, 4, 1), cycling_labels(4, 2))})
    for configuration in ("corrupted", "clean"):
        shutil.copytree(tmp_path / "many" / "1.0.0", tmp_path / "many" / configuration / "1.0.0")
    shutil.rmtree(tmp_path / "many" / "1.0.0")
    options = DataOptions(data_path=str(tmp_path))
    with pytest.raises(UserError, match="configurations clean, corrupted; expected one of them, as in tfds:many/clean"):
        load_dataset("tfds:many", options)
    assert load_dataset("tfds:many/corrupted", options).num_examples == 4


def test_fashion_mnist_and_cifar_are_taken_from_tfds_where_the_official_files_are_absent(tmp_path):
    for name, side, channels in (("fashion_mnist", 28, 1), ("cifar10", 32, 3)):
        train = {"train": examples(pictures(20, side, channels), cycling_labels(20, 10))}
        prepare(tmp_path, name, classification(side, channels, 10), train)
        dataset = load_dataset(name, DataOptions(data_path=str(tmp_path)))
        assert (dataset.name, dataset.num_examples, dataset.shippable) == (name, 20, True)
        assert dataset.provenance["source"] == f"TFDS {name}/1.0.0"


def test_data_sets_without_one_picture_and_one_class_are_refused(tmp_path):
    label = tfds.features.ClassLabel(num_classes=2)
    picture = tfds.features.Image(shape=(4, 4, 1))
    free = tfds.features.Image(shape=(None, None, 3))
    first = pictures(1, 4, 1)[0]
    cases = {
        "twins": ({"a": picture, "b": picture}, {"a": png(first), "b": png(first)}, "has a, b of type Image"),
        "plain": ({"x": tfds.features.Scalar(np.float32)}, {"x": 1.0}, "has none of type Image"),
        "free": ({"image": free}, {"image": png(pictures(1, 4, 3)[0])}, r"pictures of shape \(None, None, 3\)"),
    }
    for name, (features, example, message) in cases.items():
        prepare(tmp_path, name, {**features, "label": label}, {"train": [{**example, "label": 0}]})
        with pytest.raises(UserError, match=rf"tfds:{name} .*{message}.*numpy.savez"):
            load_dataset(f"tfds:{name}", DataOptions(data_path=str(tmp_path)))
    prepare(tmp_path, "only_test", classification(4, 1, 2), {"test": examples(pictures(2, 4, 1), [0, 1])})
    with pytest.raises(UserError, match="has the splits test; expected train among them"):
        load_dataset("tfds:only_test", DataOptions(data_path=str(tmp_path)))


def test_missing_unreadable_and_damaged_data_sets_say_how_to_get_good_ones(tmp_path, monkeypatch):
    options = DataOptions(data_path=str(tmp_path))
    with pytest.raises(UserError, match=rf"looked in {tmp_path}/absent\. .*tfds build absent --file_format"):
        load_dataset("tfds:absent", options)
    train = {"train": examples(pictures(4, 4, 1), cycling_labels(4, 2))}
    prepare(tmp_path, "cut", classification(4, 1, 2), train)
    next((tmp_path / "cut").glob("**/*array_record*")).write_bytes(b"")
    with pytest.raises(UserError, match=rf"tfds:cut in {tmp_path} cannot be read .*tfds build cut"):
        load_dataset("tfds:cut", options)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs tensorflow-datasets\. pip install 'miajax\[tfds\]'"):
        load_dataset("tfds:cut", options)
