"""BatchNorm: its formulas, its backward pass, its running statistics, and that models keep their own."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from miajax.models.batch_norm import BatchNorm, normalize
from miajax.models.layers import Layers

EPSILON = 1e-5


def naive(x, scale, bias):
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + EPSILON) * scale + bias


@pytest.mark.parametrize("shape", [(6, 4, 3, 5), (9, 4)])
def test_normalisation_and_its_gradient_equal_the_formula(shape):
    rng = np.random.default_rng(0)
    x, dy = 3.0 + rng.normal(size=shape), rng.normal(size=shape)
    scale, bias = rng.normal(size=(2, shape[-1]))
    with jax.enable_x64(True):
        y, pull_back = jax.vjp(lambda *a: normalize(EPSILON, *a)[0], x, scale, bias)
        expected, their_pull_back = jax.vjp(naive, x, scale, bias)
        np.testing.assert_allclose(y, expected, atol=1e-5)
        for ours, theirs in zip(pull_back(jnp.asarray(dy, y.dtype)), their_pull_back(dy), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_channel_of_large_mean_keeps_its_variance():
    x = 1000.0 + np.random.default_rng(0).normal(size=(4096, 2)).astype(np.float32)
    _, mean, var = normalize(EPSILON, jnp.asarray(x), jnp.ones(2), jnp.zeros(2))
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var(0), rtol=1e-3)


def test_running_statistics_are_those_of_pytorch():
    rng = np.random.default_rng(0)
    layer = BatchNorm()
    variables = layer.init(jax.random.key(0), jnp.zeros((1, 2, 2, 3)), train=False)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = rng.normal(1.0, 2.0, size=(5, 2, 2, 3)).astype(np.float32)
        _, changed = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        variables = {**variables, **changed}
        mean = 0.9 * mean + 0.1 * x.mean((0, 1, 2), dtype=np.float64)
        var = 0.9 * var + 0.1 * x.var((0, 1, 2), ddof=1, dtype=np.float64)
    np.testing.assert_allclose(variables["batch_stats"]["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(variables["batch_stats"]["var"], var, rtol=1e-5)
    y = layer.apply(variables, x, train=False)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + EPSILON), rtol=1e-4, atol=1e-5)


def test_querying_in_training_mode_leaves_the_statistics_alone():
    layer, x = BatchNorm(), jnp.asarray(np.random.default_rng(0).normal(2.0, 1.0, size=(8, 3)), jnp.float32)
    variables = layer.init(jax.random.key(0), x, train=False)
    y = layer.apply(variables, x, train=True)  # nothing is mutable: an update would raise
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-5)


class Network(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        layers = Layers("batch")
        for width in (4, 6):
            x = nn.relu(layers.normalize(layers.conv(width)(x), train))
        return nn.Dense(3)(x.mean((1, 2)))


def test_each_model_of_an_ensemble_has_the_statistics_it_has_alone():
    network = Network()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 8, 6, 6, 2)).astype(np.float32)  # models, steps
    y = rng.integers(0, 3, size=(3, 4, 8))

    def train(key, x, y):
        variables = network.init(key, x[0], train=False)

        def step(carry, batch):
            params, state = carry

            def loss(params):
                variables = {"params": params, "batch_stats": state}
                logits, changed = network.apply(variables, batch[0], train=True, mutable=["batch_stats"])
                return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), changed

            gradient, changed = jax.grad(loss, has_aux=True)(params)
            params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
            return (params, changed["batch_stats"]), None

        return jax.lax.scan(step, (variables["params"], variables["batch_stats"]), (x, y))[0]

    keys = jax.random.split(jax.random.key(0), 3)
    compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": "1"})
    together, one = compiled(jax.vmap(train))(keys, x, y), compiled(train)
    for m in range(3):
        alone = one(keys[m], x[m], y[m])
        jax.tree.map(lambda a, b, m=m: np.testing.assert_allclose(a[m], b, rtol=1e-4, atol=1e-5), together, alone)
    means = together[1]["BatchNorm_0"]["mean"]
    assert np.abs(means[0] - means[1]).max() > 1e-3, "models that saw other data have other statistics"


def test_bfloat16_activations_have_float32_statistics():
    layer = BatchNorm(dtype=jnp.bfloat16)
    x = jnp.asarray(np.random.default_rng(0).normal(4.0, 1.0, size=(512, 4)), jnp.bfloat16)
    variables = layer.init(jax.random.key(0), x, train=False)
    y, changed = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, changed))} == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(changed["batch_stats"]["mean"], 0.1 * np.asarray(x, np.float64).mean(0), rtol=1e-4)
