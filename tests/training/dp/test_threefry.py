"""The generator is the published one, and so is JAX's."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from miajax.training.dp.threefry import step_key, stream, threefry2x32


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_the_authors(key, counter, words):
    made = threefry2x32((jnp.uint32(key[0]), jnp.uint32(key[1])), jnp.uint32(counter[0]), jnp.uint32(counter[1]))
    assert tuple(map(int, made)) == words


def test_words_are_those_of_jax():
    counters = jnp.arange(100, dtype=jnp.uint32)
    ours = jnp.concatenate(threefry2x32((jnp.uint32(5), jnp.uint32(6)), counters[:50], counters[50:]))
    np.testing.assert_array_equal(ours, threefry_2x32(jnp.array([5, 6], jnp.uint32), counters))


def test_models_steps_and_streams_share_no_word():
    secret = jnp.array([1, 2], jnp.uint32)
    seen = [
        np.concatenate(stream(step_key(secret, jnp.int32(model), jnp.int32(step)), number, 100))
        for model in (0, 1)
        for step in (0, 1)
        for number in (0, 1)
    ]
    assert len(np.unique(np.concatenate(seen))) == 8 * 200
