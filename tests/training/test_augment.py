"""Augmentation against what it promises, example by example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.training.augment import mixup, random_cutout, random_flip, random_shift

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(64, 7, 6, 2)), jnp.float32)


def test_flip_gives_the_image_or_its_mirror_about_half_the_time():
    out = np.asarray(random_flip(jax.random.key(0), IMAGES))
    same = np.array([(o == i).all() for o, i in zip(out, np.asarray(IMAGES), strict=True)])
    mirrored = np.array([(o == i[:, ::-1]).all() for o, i in zip(out, np.asarray(IMAGES), strict=True)])
    assert (same ^ mirrored).all() and 16 <= same.sum() <= 48


def test_shift_gives_one_of_the_crops_of_the_reflected_image():
    out = np.asarray(random_shift(jax.random.key(0), IMAGES, 2))
    chosen = set()
    for image, shifted in zip(np.asarray(IMAGES), out, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        crops = {(a, b): padded[a : a + 7, b : b + 6] for a in range(5) for b in range(5)}
        found = [where for where, crop in crops.items() if (crop == shifted).all()]
        assert found
        chosen.add(found[0])
    assert len(chosen) > 12


def test_cutout_blanks_one_square_and_leaves_the_rest():
    out = np.asarray(random_cutout(jax.random.key(0), IMAGES, 3))
    for image, cut in zip(np.asarray(IMAGES), out, strict=True):
        gone = (cut == 0).all(-1)
        np.testing.assert_array_equal(cut[~gone], image[~gone])
        rows, columns = np.flatnonzero(gone.any(1)), np.flatnonzero(gone.any(0))
        assert 0 < len(rows) <= 3 and 0 < len(columns) <= 3
        assert gone.sum() == len(rows) * len(columns)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_is_a_convex_mix_with_the_reversed_batch(alpha):
    shares = []
    for i in range(20):
        mixed, share = mixup(jax.random.key(i), IMAGES, alpha)
        np.testing.assert_allclose(mixed, share * IMAGES + (1 - share) * IMAGES[::-1], rtol=1e-6)
        shares.append(float(share))
    assert 0 <= min(shares) < 0.3 and 0.7 < max(shares) <= 1 and len(set(shares)) == 20


def test_models_draw_their_own_augmentation():
    keys = jax.random.split(jax.random.key(0), 3)
    out = jax.vmap(lambda key: random_shift(key, IMAGES, 2))(keys)
    assert (np.asarray(out[0]) != np.asarray(out[1])).any()
    np.testing.assert_array_equal(out[1], random_shift(keys[1], IMAGES, 2))
