"""Shuffles are permutations, uniform as far as counts can tell, and keep padding last."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.training.shuffle import shuffled


@pytest.mark.parametrize("n", [1, 2, 3, 898, 4096, 4097, 6000])
def test_a_shuffle_is_a_permutation_that_differs_by_key(n):
    ids = jnp.asarray(np.random.default_rng(0).permutation(10 * n)[:n], jnp.int32)
    one, other = (np.asarray(shuffled(jax.random.key(i), ids)) for i in (0, 1))
    np.testing.assert_array_equal(np.sort(one), np.sort(ids))
    assert n < 4 or (one != other).any()


@pytest.mark.parametrize("n", [5, 4100])
def test_every_id_is_as_likely_in_every_place(n):
    ids, trials = jnp.arange(n), 4000 if n == 5 else 200
    orders = jax.vmap(lambda key: shuffled(key, ids))(jax.random.split(jax.random.key(0), trials))
    if n == 5:
        counts = np.array([np.bincount(np.asarray(orders)[:, place], minlength=5) for place in range(5)])
        assert (np.abs(counts - trials / 5) < 5 * np.sqrt(trials * 0.16)).all()
    else:
        mean = np.asarray(orders)[:, : n // 2].mean()
        assert abs(mean - (n - 1) / 2) < 5 * n / np.sqrt(12 * trials * n // 2)


@pytest.mark.parametrize("n", [40, 5000])
def test_padding_comes_last_and_its_ids_never_first(n):
    ids = jnp.arange(n)
    padding = ids >= n - 7
    for seed in range(5):
        order = np.asarray(shuffled(jax.random.key(seed), ids, padding))
        assert set(order[-7:]) == set(range(n - 7, n))
        assert (order[: n - 7] != np.arange(n - 7)).any()
