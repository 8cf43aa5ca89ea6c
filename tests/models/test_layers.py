"""Pooling against window loops; the shared convolution inside ``nn.Conv``; weight standardisation and GroupNorm."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.models.layers import Layers, StandardizedConv, avg_pool, max_pool, shared_conv
from tests.oracles import conv as oracle


@pytest.mark.parametrize("window", [2, 3])
def test_pooling_and_its_gradient_equal_window_loops_with_ties_and_leftover_pixels(window):
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, size=(2, 7, 8, 3)).astype(np.float32)
    y, pull_back = jax.vjp(lambda x: max_pool(x, window), x)
    np.testing.assert_array_equal(y, oracle.pool(x, window, np.max))
    dy = rng.normal(size=y.shape).astype(np.float32)
    np.testing.assert_array_equal(pull_back(dy)[0], oracle.max_pool_gradient(x, dy, window).astype(np.float32))
    y, pull_back = jax.vjp(lambda x: avg_pool(x, window), x)
    np.testing.assert_allclose(y, oracle.pool(x, window, np.mean), rtol=1e-6, atol=1e-6)
    height, width = y.shape[1] * window, y.shape[2] * window
    expected = np.zeros_like(x)
    expected[:, :height, :width] = np.repeat(np.repeat(dy, window, 1), window, 2) / window**2
    np.testing.assert_allclose(pull_back(dy)[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2, "padding": 1},
        {"padding": "VALID", "use_bias": False},
        {"kernel_dilation": 2},
        {"feature_group_count": 2},
        {"kernel_size": (3,)},
    ],
    ids=str,
)
def test_linen_conv_with_the_shared_convolution_equals_linen_conv(options):
    options = {"features": 6, "kernel_size": (3, 3)} | options
    x = jax.random.normal(jax.random.key(0), (2, 7, 8, 4)[: 2 + len(options["kernel_size"])])
    theirs, ours = nn.Conv(**options), nn.Conv(**options, conv_general_dilated=shared_conv())
    variables = jax.jit(theirs.init)(jax.random.key(1), x)
    assert jax.tree.structure(variables) == jax.tree.structure(jax.eval_shape(ours.init, jax.random.key(1), x))
    np.testing.assert_allclose(jax.jit(ours.apply)(variables, x), jax.jit(theirs.apply)(variables, x), atol=1e-5)


def test_standardized_kernels_have_mean_0_and_variance_1_an_output_channel():
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 3))
    layer = StandardizedConv(5, (3, 3))
    variables = layer.init(jax.random.key(1), x)
    kernel = np.asarray(variables["params"]["kernel"], np.float64)
    kernel = (kernel - kernel.mean((0, 1, 2))) / kernel.std((0, 1, 2))
    expected = oracle.conv(x, kernel, (1, 1), ((1, 1), (1, 1)))
    np.testing.assert_allclose(layer.apply(variables, x), expected, rtol=1e-4, atol=1e-4)


class Small(nn.Module):
    layers: Layers

    @nn.compact
    def __call__(self, x, train):
        for _ in range(2):
            x = nn.relu(self.layers.normalize(self.layers.conv(18)(x), train))
        return x


@pytest.mark.parametrize(("norm", "independent"), [("group", True), ("none", True), ("batch", False)])
def test_only_batch_norm_lets_examples_of_a_batch_touch_each_other(norm, independent):
    network = Small(Layers(norm))
    x = jax.random.normal(jax.random.key(0), (4, 5, 5, 3))
    variables = jax.jit(lambda key: network.init(key, x, train=False))(jax.random.key(1))
    first = jax.jit(lambda x: network.apply(variables, x, train=True)[0])
    gap = jnp.abs(first(x) - first(x.at[1:].multiply(3.0))).max()
    assert (gap < 1e-5) == independent


def test_an_unknown_norm_is_refused_by_name():
    with pytest.raises(UserError, match=r"instance.*batch or group or none"):
        Layers("instance")  # type: ignore[arg-type]
