"""Densely connected networks with bottlenecks and compression (Huang et al., arXiv 1608.06993)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from miajax.models.layers import BATCH_NORM, Layers, avg_pool


class Bottleneck(nn.Module):
    """``growth`` new channels, by a 1x1 convolution to ``4 growth`` channels and a 3x3 one, put after the old."""

    growth: int
    dropout: float
    layers: Layers

    @nn.compact
    def __call__(self, x, train):
        y = x
        for channels, window in ((4 * self.growth, 1), (self.growth, 3)):
            y = self.layers.conv(channels, window)(nn.relu(self.layers.normalize(y, train)))
            y = nn.Dropout(self.dropout, deterministic=not train)(y)
        return jnp.concatenate([x, y], -1)


class Transition(nn.Module):
    """A 1x1 convolution to ``compression`` times the channels, then average pooling by 2."""

    compression: float
    dropout: float
    layers: Layers

    @nn.compact
    def __call__(self, x, train):
        channels = int(x.shape[-1] * self.compression)
        x = self.layers.conv(channels, window=1)(nn.relu(self.layers.normalize(x, train)))
        return avg_pool(nn.Dropout(self.dropout, deterministic=not train)(x))


class DenseNet(nn.Module):
    """Three dense blocks of ``(depth - 4) / 6`` bottlenecks with transitions between them.

    Dropout follows every convolution but the first. Intermediate ``features [B, C]``: the pooled activation. Last
    convolution: ``Conv_1`` of the last ``Bottleneck``.
    """

    num_classes: int
    depth: int = 100
    growth: int = 12
    compression: float = 0.5
    dropout: float = 0.0
    layers: Layers = BATCH_NORM

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = self.layers.conv(2 * self.growth)(self.layers.cast(x))
        for block in range(3):
            if block > 0:
                x = Transition(self.compression, self.dropout, self.layers)(x, train)
            for _ in range((self.depth - 4) // 6):
                x = Bottleneck(self.growth, self.dropout, self.layers)(x, train)
        x = nn.relu(self.layers.normalize(x, train)).mean((1, 2), dtype=jnp.float32)
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes)(x)


def densenet_bc_100_12(num_classes: int, dropout: float = 0.0, layers: Layers = BATCH_NORM) -> DenseNet:
    """DenseNet-BC of depth 100 and growth 12: 769,162 parameters for 10 classes."""
    return DenseNet(num_classes, dropout=dropout, layers=layers)
