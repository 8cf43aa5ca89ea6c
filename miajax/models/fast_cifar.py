"""A network that learns CIFAR-10 in a few epochs, in the spirit of airbench (Jordan, arXiv 2404.00498)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from miajax.models.conv import conv
from miajax.models.layers import BATCH_NORM, Layers, max_pool


class FastBlock(nn.Module):
    """3x3 convolution, max-pooling by 2, normalisation, GELU; 3x3 convolution, normalisation, GELU."""

    width: int
    layers: Layers

    @nn.compact
    def __call__(self, x, train):
        x = nn.gelu(self.layers.normalize(max_pool(self.layers.conv(self.width)(x)), train))
        return nn.gelu(self.layers.normalize(self.layers.conv(self.width)(x), train))


class FastCifar(nn.Module):
    """A fixed whitening of patches with a trained bias, GELU; blocks; the maximum over the image; the logits.

    Intermediate ``features [B, width]``: the maxima. Last convolution: ``Conv_1`` of the last ``FastBlock``.

    Attributes:
      whitening: ``whitening_kernel(window=window)[..., filters]``, its entries in order; None: patches pass as they
        are, each entry beside its negative.
      window, stride: side of the patches, and pixels from one to the next; past 1 the borders are padded by zeros, so
        that an image of n pixels a side has ceil(n / stride) patches a side.
      widths: of the blocks.
    """

    num_classes: int
    whitening: tuple[float, ...] | None = None
    window: int = 2
    stride: int = 1
    widths: tuple[int, ...] = (64, 256, 256)
    layers: Layers = BATCH_NORM

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = self.layers.cast(x)
        inputs = self.window**2 * x.shape[-1]
        if self.whitening is None:
            kernel = np.concatenate([np.eye(inputs), -np.eye(inputs)], 1)
        else:
            kernel = np.asarray(self.whitening)
        kernel = jnp.asarray(kernel.reshape(self.window, self.window, x.shape[-1], -1), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, kernel.shape[-1:])
        padding = "VALID" if self.stride == 1 else "SAME"
        x = nn.gelu(conv(x, kernel, self.stride, padding, self.layers.lowering) + bias.astype(x.dtype))
        for width in self.widths:
            x = FastBlock(width, self.layers)(x, train)
        x = x.max((1, 2)).astype(jnp.float32)
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes)(x) / 9.0
