"""Noise has its standard deviation, and its key is a secret."""

import stat

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from miajax.errors import UserError
from miajax.training.dp.noise import KEY_FILE, gaussian_like, public_key, secret_key

KEY = (jnp.uint32(17), jnp.uint32(4))


def test_noise_is_normal_with_its_standard_deviation_and_independent_between_leaves():
    tree = {"a": jnp.zeros((200, 100)), "b": jnp.zeros((20_000,), jnp.bfloat16)}
    drawn = gaussian_like(KEY, tree, 3.0)
    for leaf in drawn.values():
        assert leaf.dtype == jnp.float32
        assert stats.kstest(np.ravel(leaf) / 3.0, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(np.ravel(drawn["a"]), drawn["b"])[0, 1]) < 0.04


def test_noise_has_the_tails_of_a_normal_distribution_to_five_standard_deviations():
    drawn = np.abs(np.asarray(gaussian_like(KEY, jnp.zeros(3_000_000), 1.0)))
    for limit in (1e-3, 0.1, 1.0, 2.0, 3.0, 4.0, 4.5, 5.0):
        beyond, expected = (drawn > limit).sum(), 2 * stats.norm.sf(limit) * len(drawn)
        assert abs(beyond - expected) < 5 * np.sqrt(expected * (1 - expected / len(drawn)))
    assert 5.0 < drawn.max() < 6.8


def test_the_key_is_random_private_and_stays(tmp_path):
    key = secret_key(tmp_path / "one")
    assert key.dtype == np.uint32 and key.shape == (2,)
    assert stat.S_IMODE((tmp_path / "one" / KEY_FILE).stat().st_mode) == 0o600
    np.testing.assert_array_equal(secret_key(tmp_path / "one"), key)
    assert (secret_key(tmp_path / "two") != key).any()
    assert [p.name for p in (tmp_path / "one").iterdir()] == [KEY_FILE]


def test_a_key_that_others_may_read_is_refused(tmp_path):
    secret_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        secret_key(tmp_path)


def test_a_damaged_key_is_refused(tmp_path):
    secret_key(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(UserError, match="5 bytes"):
        secret_key(tmp_path)


def test_a_flipped_bit_of_a_key_is_told_and_a_key_of_an_earlier_version_is_read(tmp_path):
    key, file = secret_key(tmp_path), tmp_path / KEY_FILE
    content = file.read_bytes()
    for at in range(len(content)):
        file.write_bytes(bytes(byte ^ (i == at) for i, byte in enumerate(content)))
        with pytest.raises(UserError, match="changed or damaged"):
            secret_key(tmp_path)
    file.write_bytes(content[:8])
    np.testing.assert_array_equal(secret_key(tmp_path), key)


def test_the_public_key_follows_from_the_seed():
    np.testing.assert_array_equal(public_key(3), public_key(3))
    assert (public_key(3) != public_key(4)).any()
