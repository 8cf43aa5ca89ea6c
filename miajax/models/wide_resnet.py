"""Wide residual networks (Zagoruyko and Komodakis, arXiv 1605.07146)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from miajax.models.layers import BATCH_NORM, Layers


class WideBlock(nn.Module):
    """Normalisation, ReLU, 3x3 convolution, twice, dropout between, beside a shortcut (1x1 where widths differ)."""

    width: int
    strides: int
    dropout: float
    layers: Layers

    @nn.compact
    def __call__(self, x, train):
        layers = self.layers
        active = nn.relu(layers.normalize(x, train))
        y = layers.conv(self.width, strides=self.strides)(active)
        y = nn.relu(layers.normalize(y, train))
        y = nn.Dropout(self.dropout, deterministic=not train)(y)
        y = layers.conv(self.width)(y)
        if x.shape != y.shape:
            x = layers.conv(self.width, window=1, strides=self.strides)(active)
        return x + y


class WideResNet(nn.Module):
    """Three groups of ``(depth - 4) / 6`` blocks, ``16, 32, 64`` times ``widen`` channels wide.

    Intermediate ``features [B, C]``: the pooled activation. Last convolution: ``Conv_1`` of the last ``WideBlock``.
    """

    num_classes: int
    depth: int
    widen: int
    dropout: float = 0.0
    layers: Layers = BATCH_NORM

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = self.layers.conv(16)(self.layers.cast(x))
        for group in range(3):
            for block in range((self.depth - 4) // 6):
                strides = 2 if group > 0 and block == 0 else 1
                x = WideBlock(16 * 2**group * self.widen, strides, self.dropout, self.layers)(x, train)
        x = nn.relu(self.layers.normalize(x, train)).mean((1, 2), dtype=jnp.float32)
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes)(x)


def wrn16_4(num_classes: int, dropout: float = 0.0, layers: Layers = BATCH_NORM) -> WideResNet:
    """WRN-16-4: 2,748,890 parameters for 10 classes."""
    return WideResNet(num_classes, 16, 4, dropout, layers)


def wrn28_2(num_classes: int, dropout: float = 0.0, layers: Layers = BATCH_NORM) -> WideResNet:
    """WRN-28-2: 1,467,610 parameters for 10 classes."""
    return WideResNet(num_classes, 28, 2, dropout, layers)
