"""Folders of pictures become uint8 arrays, or are refused by the name of the file."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

REAL = Path(__file__).parents[3] / "shared" / "data" / "cifar10_jpeg.tar.xz"


def read(folder: Path, **options):
    return load_dataset("images", DataOptions(data_path=str(folder), **options))


def pixels(seed: int, height: int = 6, width: int = 8, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels)[: 2 + (channels > 1)]
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def store(path: Path, array: np.ndarray, **settings) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **settings)
    return path


def two_classes(root: Path, **size) -> Path:
    for number, name in enumerate(("cat/b.png", "cat/a.png", "dog/x.PNG", "dog/y.png")):
        store(root / name, pixels(number, **size), format="PNG")
    return root


def test_classes_and_pictures_come_in_alphabetical_order_with_their_pixels(tmp_path):
    (two_classes(tmp_path) / "cat" / ".DS_Store").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("beside the folders")
    dataset = read(tmp_path)
    np.testing.assert_array_equal(dataset.features, np.stack([pixels(seed) for seed in (1, 0, 2, 3)]))
    assert (dataset.features.dtype, dataset.labels.tolist()) == (np.uint8, [0, 0, 1, 1])
    assert dataset.class_names == ("cat", "dog") and dataset.image_shape == (6, 8, 3) and not dataset.shippable


def test_train_and_test_folders_are_pool_and_test_part(tmp_path):
    two_classes(tmp_path / "train")
    store(tmp_path / "val" / "dog" / "z.png", pixels(9))
    dataset = read(tmp_path)
    assert dataset.num_examples == 4 and dataset.test_labels is not None
    assert dataset.test_labels.tolist() == [1]
    np.testing.assert_array_equal(dataset.test_features, pixels(9)[None])
    store(tmp_path / "val" / "cow" / "z.png", pixels(9))
    with pytest.raises(UserError, match="cow is of a class that the pool lacks; expected cat, dog"):
        read(tmp_path)


def test_grey_pictures_have_one_channel_and_one_in_colour_makes_three(tmp_path):
    two_classes(tmp_path, channels=1)
    assert read(tmp_path).features.shape == (4, 6, 8, 1)
    store(tmp_path / "cat" / "c.png", pixels(5, channels=4))
    dataset = read(tmp_path)
    assert dataset.features.shape == (5, 6, 8, 3)
    np.testing.assert_array_equal(dataset.features[2], pixels(5, channels=4)[..., :3])  # without its transparency
    np.testing.assert_array_equal(dataset.features[0], np.repeat(pixels(1, channels=1)[..., None], 3, 2))


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    two_classes(tmp_path, channels=1)
    deep = pixels(7, channels=1).astype(np.uint16) * 257
    store(tmp_path / "cat" / "a.png", deep)
    np.testing.assert_array_equal(read(tmp_path).features[0, :, :, 0], pixels(7, channels=1))


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    two_classes(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    store(tmp_path / "cat" / "a.png", pixels(1, height=8, width=6), exif=exif)
    np.testing.assert_array_equal(read(tmp_path).features[0], np.rot90(pixels(1, height=8, width=6), -1))


def test_unlike_sizes_are_refused_by_name_and_image_size_cuts_and_resizes_them(tmp_path):
    two_classes(tmp_path)
    store(tmp_path / "dog" / "wide.png", np.full((10, 30, 3), 200, np.uint8))
    with pytest.raises(UserError, match=r"wide.png has 10 x 30 pixels and the first picture 6 x 8; .*--image_size"):
        read(tmp_path)
    dataset = read(tmp_path, image_size=5)
    assert dataset.features.shape == (5, 5, 5, 3)
    assert (dataset.features[2] == 200).all()
    assert "resized to 5 pixels a side" in dataset.provenance["preprocessing"]


def cut(path: Path):
    store(path, pixels(0, 64, 64))
    path.write_bytes(path.read_bytes()[:-400])


def animated(path: Path):
    frames = [Image.fromarray(pixels(seed)) for seed in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("cut.png", cut, r"cut\.png cannot be read"),
        ("moves.png", animated, r"moves\.png has 3 frames; expected one"),
        ("text.jpg", lambda path: path.write_text("no picture"), r"text\.jpg cannot be read .*a JPEG or PNG picture"),
        ("empty.jpg", lambda path: path.write_bytes(b""), r"empty\.jpg cannot be read"),
        ("gif.png", lambda path: Image.fromarray(pixels(0)).save(path, "GIF"), r"gif\.png cannot be read"),
        ("notes.txt", lambda path: path.write_text(""), r"notes\.txt is no picture; expected files in \.jpg"),
        ("more", lambda path: path.mkdir(), r"more is no picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path, name, make, message):
    two_classes(tmp_path, height=64, width=64)
    make(tmp_path / "cat" / name)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_folders_that_hold_no_classes_are_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        read(tmp_path / "nowhere")
    store(tmp_path / "cat" / "a.png", pixels(0))
    with pytest.raises(UserError, match="holds 1 folders of pictures"):
        read(tmp_path)
    (tmp_path / "dog").mkdir()
    with pytest.raises(UserError, match="dog holds no pictures"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"--image_size 0; expected pixels a side"):
        read(tmp_path, image_size=0)


def test_a_picture_that_unpacks_to_more_than_it_may_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    two_classes(tmp_path)
    with pytest.raises(UserError, match=r"cannot be read .*decompression bomb"):
        read(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason=f"no {REAL.name} beside the project")
def test_cifar_10_is_read_from_a_folder_of_real_pictures(tmp_path):
    with tarfile.open(REAL) as tar:
        few = [member for member in tar if member.isfile() and member.name.startswith("test/")][::10]
        tar.extractall(tmp_path, few, filter="data")
    dataset = read(tmp_path / "test")
    assert (dataset.features.shape[1:], dataset.num_classes) == ((32, 32, 3), 10)
    assert dataset.class_names[0] == "airplane" and dataset.num_examples == len(few)
    first = sorted((tmp_path / "test" / "airplane").iterdir())[0]
    np.testing.assert_array_equal(dataset.features[0], np.asarray(Image.open(first).convert("RGB")))
