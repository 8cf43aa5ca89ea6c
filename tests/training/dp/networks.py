"""Small networks that clipping has to get right, and what compares it with explicit gradients."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from miajax.models.layers import StandardizedConv
from miajax.training.dp.clipping import clipped_sum
from miajax.training.losses import cross_entropy
from tests.oracles.dp import explicit_clipped_sum

IMAGE = (8, 8, 3)
CHEAP = {"xla_backend_optimization_level": "1"}  # for programs that run once


class Pictures(nn.Module):
    """Every layer type with a rule, by every method."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.GroupNorm(4)(nn.Conv(8, (3, 3))(nn.Dense(4)(x))))
        x = nn.relu(nn.LayerNorm(use_bias=False)(nn.Conv(16, (3, 2), strides=2, use_bias=False)(x)))
        x = nn.tanh(nn.Conv(16, (3, 3), strides=(2, 1), padding=1, kernel_dilation=2)(x))
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(5)(x)


class Standardized(nn.Module):
    """Weight-standardised convolutions, by both methods, with and without strides and padding."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.GroupNorm(4)(StandardizedConv(8, (3, 3))(x)))
        x = nn.relu(StandardizedConv(16, (3, 2), strides=2, padding=((1, 0), (1, 1)))(x))
        x = nn.relu(StandardizedConv(16, (3, 3), strides=2)(x))
        return nn.Dense(5)(x.reshape(x.shape[0], -1))


class Behind(nn.Module):
    """A dense layer behind another one."""

    layer: nn.Module

    @nn.compact
    def __call__(self, x):
        x = nn.tanh(self.layer(x))
        return nn.Dense(5)(x.reshape(x.shape[0], -1))


class Table(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.tanh(nn.Dense(12)(x.reshape(x.shape[0], -1)))
        return nn.Dense(5, use_bias=False)(x)


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
        shared = nn.Dense(12)
        x = shared(nn.Dense(12)(x.reshape(x.shape[0], -1)))
        return nn.Dense(5)(shared(x))


class OwnParameter(nn.Module):
    @nn.compact
    def __call__(self, x):
        scale = self.param("temperature", nn.initializers.ones, (1,))
        return scale * nn.Dense(5)(x.reshape(x.shape[0], -1))


class ReadsKernel(nn.Module):
    """Uses a layer's kernel outside the layer, which no tap sees."""

    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(12)
        hidden = layer(x.reshape(x.shape[0], -1))
        back = hidden @ layer.variables["params"]["kernel"].T
        return nn.Dense(5)(jnp.tanh(back))


class BarelyReadsKernel(nn.Module):
    """A kernel used outside its layer, for one percent of what the gradient is."""

    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(12)
        hidden = layer(x.reshape(x.shape[0], -1))
        back = (hidden @ layer.variables["params"]["kernel"].T)[:, :5]
        return nn.Dense(5)(jnp.tanh(hidden)) + 1e-2 * jnp.tanh(back)


class SeesOthers(nn.Module):
    """Examples of a batch look at each other, without running statistics."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(12)(x.reshape(x.shape[0], -1))
        return nn.Dense(5)(x - x.mean(0))


class Grouped(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(5)(nn.Conv(6, (3, 3), feature_group_count=3)(x).reshape(x.shape[0], -1))


class Lifted(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(12)(x.reshape(x.shape[0], -1))
        x = nn.remat(nn.Dense)(12)(x)
        return nn.Dense(5)(x)


@functools.cache
def _init(module, shape):
    return jax.jit(lambda key: module.init(key, jnp.zeros((1, *shape)))["params"], compiler_options=CHEAP)


def made(module: nn.Module, shape=IMAGE, seed=0):
    """``(apply, params)`` of a module."""
    params = _init(module, shape)(jax.random.key(seed))
    return lambda params, x, key: module.apply({"params": params}, x), params


def batch(shape=IMAGE, size=6, views=1, seed=0, scale=1.0):
    """``(x [B, K, ...], y [B])``."""
    x = scale * jax.random.normal(jax.random.key(seed), (size, views, *shape))
    return x, jax.random.randint(jax.random.key(seed + 1), (size,), 0, 5)


def clipped(plan, apply, loss, params, x, y, mask, clip_norm):
    """``clipped_sum`` as one program."""
    run = lambda p, x, m: clipped_sum(plan, apply, loss, p, x, y, m, clip_norm, jax.random.key(0))  # noqa: E731
    return jax.jit(run, compiler_options=CHEAP)(params, x, jnp.asarray(mask))


def assert_equal_to_explicit(plan, apply, params, x, y, mask, clip_norm, rtol=1e-5, loss=cross_entropy):
    """The clipped sum and the norms are those of explicit gradients, to ``rtol`` of the largest entry."""
    ours = clipped(plan, apply, loss, params, x, y, mask, clip_norm)

    def gradient_of_one(params, x, label):
        labels = jnp.broadcast_to(label, x.shape[:1])
        return jax.grad(lambda p: loss(apply(p, x, jax.random.key(0)), labels).mean())(params)

    total, norms = explicit_clipped_sum(gradient_of_one, params, x, y, mask, clip_norm)
    np.testing.assert_allclose(ours.norms, norms, rtol=rtol, atol=1e-7)
    # The sum of up to B vectors of length C is known to rtol of B C.
    unit = max(min(clip_norm, norms.max()), 1e-7)
    for mine, theirs in zip(jax.tree.leaves(ours.total), jax.tree.leaves(total), strict=True):
        assert mine.dtype == jnp.float32 and mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=rtol * unit)
    return ours
