"""Residual networks for 32x32 images (He et al., arXiv 1512.03385)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from miajax.models.layers import BATCH_NORM, Layers


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, normalisation after each, ReLU after the sum.

    Where the shape changes, the shortcut is a 1x1 convolution with normalisation (``projection``, the paper's option B)
    or skips pixels and pads channels with zeros (option A).
    """

    width: int
    strides: int
    projection: bool
    layers: Layers

    @nn.compact
    def __call__(self, x, train):
        layers = self.layers
        y = nn.relu(layers.normalize(layers.conv(self.width, strides=self.strides)(x), train))
        y = layers.normalize(layers.conv(self.width)(y), train)
        if x.shape != y.shape and self.projection:
            x = layers.normalize(layers.conv(self.width, window=1, strides=self.strides)(x), train)
        elif x.shape != y.shape:
            missing = self.width - x.shape[-1]
            channels = (missing // 2, missing - missing // 2)
            x = jnp.pad(x[:, :: self.strides, :: self.strides], ((0, 0), (0, 0), (0, 0), channels))
        return nn.relu(x + y)


class ResNet(nn.Module):
    """Stages of ``BasicBlock``, halving the image from the second on; global average pooling; the logits.

    Intermediate ``features [B, C]``: the pooled activation. Last convolution: ``Conv_1`` of the last ``BasicBlock``.
    """

    num_classes: int
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    projection: bool
    layers: Layers = BATCH_NORM

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = self.layers.cast(x)
        x = nn.relu(self.layers.normalize(self.layers.conv(self.widths[0])(x), train))
        for stage, (blocks, width) in enumerate(zip(self.blocks, self.widths, strict=True)):
            for block in range(blocks):
                strides = 2 if stage > 0 and block == 0 else 1
                x = BasicBlock(width, strides, self.projection, self.layers)(x, train)
        x = x.mean((1, 2), dtype=jnp.float32)
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes)(x)


def resnet20(num_classes: int, layers: Layers = BATCH_NORM) -> ResNet:
    """ResNet-20 for CIFAR with parameter-free shortcuts: 269,722 parameters for 10 classes."""
    return ResNet(num_classes, (3, 3, 3), (16, 32, 64), projection=False, layers=layers)


def resnet18(num_classes: int, layers: Layers = BATCH_NORM) -> ResNet:
    """ResNet-18 with a 3x3 stem and no first pooling, as is usual for CIFAR: 11,173,962 parameters for 10 classes."""
    return ResNet(num_classes, (2, 2, 2, 2), (64, 128, 256, 512), projection=True, layers=layers)
