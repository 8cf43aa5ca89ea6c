"""A network of two convolutions: for Fashion-MNIST and the like."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from miajax.models.layers import Layers, max_pool


class CNN(nn.Module):
    """3x3 convolutions, each with ReLU and max-pooling by 2; a hidden dense layer with dropout; the logits.

    Any image size; 421,642 parameters for 28x28x1, 545,098 for 32x32x3, 10 classes. Last convolution: ``Conv_1``.
    Intermediate ``features [B, width]``: the hidden layer.
    """

    num_classes: int
    channels: tuple[int, ...] = (32, 64)
    width: int = 128
    dropout: float = 0.0
    layers: Layers = Layers(norm="none")

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = self.layers.cast(x)
        for channels in self.channels:
            x = max_pool(nn.relu(self.layers.normalize(self.layers.conv(channels)(x), train)))
        x = nn.relu(nn.Dense(self.width, dtype=self.layers.dtype)(x.reshape(x.shape[0], -1)))
        x = nn.Dropout(self.dropout, deterministic=not train)(x.astype(jnp.float32))
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes)(x)
