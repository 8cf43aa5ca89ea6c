"""The product of wide dense layers against plain matmuls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.models.dense import dense_product

PLAIN = (((1,), (0,)), ((), ()))


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("shape", [(33, 1000), (5, 3)])  # wide, and too small to be treated
def test_values_and_gradients_are_those_of_a_matmul(batch, shape):
    keys = jax.random.split(jax.random.key(0), 3)
    x, w = jax.random.normal(keys[0], (batch, shape[0])), jax.random.normal(keys[1], shape)
    dy = jax.random.normal(keys[2], (batch, shape[1]))
    y, pull = jax.vjp(lambda x, w: dense_product(x, w, PLAIN), x, w)
    dx, dw = pull(dy)
    x, w, dy = (np.asarray(a, np.float64) for a in (x, w, dy))
    for found, expected in ((y, x @ w), (dx, dy @ w.T), (dw, x.T @ dy)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_models_side_by_side_get_the_gradients_of_each_alone():
    keys = jax.random.split(jax.random.key(1), 2)
    x, w = jax.random.normal(keys[0], (3, 4, 40)), jax.random.normal(keys[1], (3, 40, 1000))

    def gradient(x, w):
        return jax.grad(lambda w: jnp.sum(jnp.tanh(dense_product(x, w, PLAIN))))(w)

    together = jax.jit(jax.vmap(gradient))(x, w)
    alone = jnp.stack([gradient(*pair) for pair in zip(x, w, strict=True)])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_other_contractions_and_precisions_are_left_to_lax():
    x, w = jnp.ones((2, 3, 40)), jnp.ones((40, 1000))
    assert dense_product(x, w, (((2,), (0,)), ((), ()))).shape == (2, 3, 1000)
    text = jax.jit(lambda x, w: dense_product(x, w, PLAIN, precision="highest")).lower(x[0], w).as_text()
    assert "HIGHEST" in text
