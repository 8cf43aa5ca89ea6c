"""Features that a network computed once take the place of the rows, and heads train on them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.run import run_campaign
from miajax.data.bounds import told_by_preparation
from miajax.data.digits import load_digits
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.training.recipe import Recipe
from tests.studies.helpers import command

DIGITS = load_digits()


def gradients_of(rows: np.ndarray) -> np.ndarray:
    """Sums of the strokes' directions by quarter of the picture, as histograms of gradients have them."""
    pictures = rows.reshape(-1, 8, 8)
    down, right = np.gradient(pictures, axis=1), np.gradient(pictures, axis=2)
    angles = np.arctan2(down, right)
    weights = [np.hypot(down, right) * np.cos(angles - turn).clip(0) for turn in np.arange(8) * np.pi / 4]
    cells = [weight[:, y : y + 4, x : x + 4].sum((1, 2)) for weight in weights for y in (0, 4) for x in (0, 4)]
    return np.stack(cells, 1)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "hog.npz"
    np.savez(path, features=gradients_of(DIGITS.features), labels=DIGITS.labels)
    return path


def options(path, **more) -> DataOptions:
    return DataOptions(features=str(path), **more)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def test_features_take_the_place_of_rows_each_with_mean_0_and_deviation_1_over_the_pool(archive):
    dataset = load_dataset("digits", options(archive))
    expected = gradients_of(DIGITS.features)
    expected = (expected - expected.mean(0)) / expected.std(0)
    np.testing.assert_allclose(dataset.features, expected, atol=1e-5)
    np.testing.assert_array_equal(dataset.labels, DIGITS.labels)
    assert dataset.image_shape is None and not dataset.shippable and dataset.name == "digits"
    assert dataset.provenance["frozen_features"] == {"source": "hog.npz", "standardised": True}
    assert dataset.content_hash != DIGITS.content_hash


def test_what_is_cut_off_the_pool_was_counted_when_features_were_scaled(archive):
    whole, part = (load_dataset("digits", options(archive, max_examples=most)) for most in (None, 300))
    np.testing.assert_array_equal(part.features, whole.features[:300])


def test_a_test_part_comes_with_features_of_its_own_scaled_as_the_pool_or_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    labels, test_labels = np.arange(8) % 2, np.array([0, 1, 1])
    np.savez(
        tmp_path / "data.npz", features=np.eye(8), labels=labels, test_features=np.eye(8)[:3], test_labels=test_labels
    )
    features, of_test = rng.normal(3, 2, (8, 2, 2, 5)), rng.normal(3, 2, (3, 2, 2, 5))
    read = lambda path: load_dataset("npz", options(path, data_path=str(tmp_path / "data.npz")))  # noqa: E731
    both = read(saved(tmp_path, features=features, test_features=of_test))
    np.testing.assert_allclose(
        np.asarray(both.test_features), (of_test - features.mean(0)) / features.std(0), rtol=1e-5
    )
    np.testing.assert_array_equal(both.test_labels, test_labels)
    alone = read(saved(tmp_path, features=features))
    assert alone.test_features is None and alone.test_labels is None


def test_a_constant_feature_is_0_and_nothing_is_divided_by_0(tmp_path):
    features = gradients_of(DIGITS.features)
    features[:, 3] = 7
    dataset = load_dataset("digits", options(saved(tmp_path, features=features)))
    assert (dataset.features[:, 3] == 0).all()


def test_public_bounds_scale_features_instead_of_their_own_means_and_the_guarantee_knows(archive):
    told = told_by_preparation(load_dataset("digits", options(archive)), None, whitened=False)
    assert told == ["means and deviations of the pool that --features are scaled by, without --feature_bounds"]
    dataset = load_dataset("digits", options(archive, feature_bounds="0,50"))
    expected = gradients_of(DIGITS.features).clip(0, 50) / 25 - 1
    np.testing.assert_allclose(dataset.features, expected, atol=1e-5)
    assert told_by_preparation(dataset, "0,50", whitened=False) == []


SWAPPED = DIGITS.labels.copy()
SWAPPED[[0, 1]] = SWAPPED[[1, 0]]
ONES = np.ones((1797, 4))
HOLE = ONES.copy()
HOLE[5, 2] = np.nan
BAD = {
    "fewer rows": ({"features": ONES[:100]}, r"features has shape \[100, 4\], and digits has 1797 rows"),
    "flat": ({"features": ONES[:, 0]}, r"features has shape \[1797\]"),
    "texts": ({"features": ONES.astype(str)}, "features has dtype <U32"),
    "another order": ({"features": ONES, "labels": SWAPPED}, "labels are not those of digits, row 0 first"),
    "fewer labels": ({"features": ONES, "labels": SWAPPED[:9]}, "labels are not those of digits"),
    "not a number": ({"features": HOLE}, r"features\[5, 2\] is nan"),
    "no features": ({"labels": DIGITS.labels}, "holds labels, not features"),
    "a part too many": ({"features": ONES, "test_features": ONES}, "test_features, and digits has no such part"),
}


@pytest.mark.parametrize(("arrays", "said"), BAD.values(), ids=BAD)
def test_bad_archives_are_named_with_what_is_wrong(arrays, said, tmp_path):
    with pytest.raises(UserError, match=said):
        load_dataset("digits", options(saved(tmp_path, **arrays)))


def test_a_missing_archive_is_one_line_on_the_command_line_and_nothing_is_written(tmp_path):
    done = command("--features", str(tmp_path / "gone.npz"), "--out", str(tmp_path / "run"))
    assert done.returncode == 2 and "--features" in done.stderr and "is not a file" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3 and not (tmp_path / "run").exists()


def test_trees_read_columns_and_no_features(archive):
    with pytest.raises(UserError, match="--features with --encoding trees"):
        load_dataset("digits", options(archive, encoding="trees"))


RECIPE = Recipe(epochs=20, batch_size=32, learning_rate=0.1)


@pytest.mark.parametrize(("model", "widths", "least"), [("linear", (128,), 0.85), ("mlp", (32,), 0.85)])
def test_heads_on_features_learn(archive, model, widths, least, tmp_path):
    data = options(archive, max_examples=600)
    config = CampaignConfig(
        data=data, model=model, model_options=ModelOptions(widths=widths), num_shadows=4, recipe=RECIPE
    )
    campaign = run_campaign(Setup.of(config), tmp_path / "run")
    assert campaign.valid.all() and (campaign.test_accuracy > least).all()


BLOCK = """
import hashlib
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from miajax.models.model import Model

FILE = Path(__file__).with_name("block.npz")


def block(num_classes):
    given = dict(np.load(FILE))

    def init(key, x):
        head = jnp.zeros((given["kernel"].shape[1], num_classes))
        return {"kernel": jnp.asarray(given["kernel"]), "head": head}, {}

    def apply(params, state, x, train, key):
        return jnp.tanh(x @ params["kernel"]) @ params["head"], state

    return Model("block", init, apply, {"weights": hashlib.sha256(FILE.read_bytes()).hexdigest()})
"""


def test_a_last_block_is_tuned_from_given_weights_whose_hash_the_fingerprint_holds(archive, tmp_path):
    """What docs/models.md shows."""
    (tmp_path / "block.py").write_text(BLOCK)
    kernel = np.random.default_rng(1).normal(size=(32, 16)).astype(np.float32) / 6
    np.savez(tmp_path / "block.npz", kernel=kernel)
    config = CampaignConfig(
        data=options(archive, max_examples=600), model=f"{tmp_path / 'block.py'}:block", num_shadows=2, recipe=RECIPE
    )
    setup = Setup.of(config)
    params, _ = setup.trainer.model.init(jax.random.key(0), jnp.zeros((1, 32)))
    np.testing.assert_array_equal(params["kernel"], kernel)
    campaign = run_campaign(setup, tmp_path / "run")
    assert (campaign.test_accuracy > 0.7).all()
    np.savez(tmp_path / "block.npz", kernel=2 * kernel)
    with pytest.raises(UserError, match=re.escape("weights")):
        run_campaign(Setup.of(config), tmp_path / "run")
