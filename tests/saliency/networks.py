"""Small networks to look into, and their inputs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from miajax.models.model import from_linen

CLASSES = 4


class Smooth(nn.Module):
    """Two convolutions, mean over positions, a dense layer; ``relu`` makes it piecewise linear."""

    relu: bool = False

    @nn.compact
    def __call__(self, x, train):
        act = nn.relu if self.relu else nn.tanh
        x = act(nn.Conv(3, (3, 3))(x))
        x = act(nn.Conv(5, (3, 3))(x))
        return nn.Dense(CLASSES)(x.mean((1, 2)))


class Linear(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(CLASSES)(x.reshape(len(x), -1))


class Pooled(nn.Module):
    """One convolution, mean over positions, a dense layer: the network that class activation maps began with."""

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(CLASSES)(nn.Conv(6, (3, 3), name="only")(x).mean((1, 2)))


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        conv = nn.Conv(2, (3, 3))
        return nn.Dense(CLASSES)(conv(conv(x)).mean((1, 2)))


def built(module, shape=(6, 5, 2), seed=0):
    """``(model, params, logits_of)`` with random biases too."""
    model = from_linen(module, "test")
    params, _ = model.init(jax.random.key(seed), jnp.zeros((1, *shape)))
    rng = np.random.default_rng(seed)
    params = jax.tree.map(lambda a: a + 0.1 * rng.normal(size=a.shape).astype(np.float32), params)
    return model, params, closed(model, params)


def closed(model, params):
    return lambda x: model.apply(params, {}, x, False, None)[0]


def images(count=5, shape=(6, 5, 2), seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, *shape)).astype(np.float32), (np.arange(count) % CLASSES).astype(np.int32)
