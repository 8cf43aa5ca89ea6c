"""The three products of a convolution from what XLA:CPU runs at the speed of a matmul.

That is its forward convolution, for the input gradient as well, and matmuls over patches of a few images at a time, so
that the patches stay in the cache. XLA:CPU's own weight gradient is a naive loop, some 100 times slower, and its input
gradient 6 times. Weight gradient of 64 images of 14x14, 32 to 64 channels, on one core (jax 0.10.2): 4.0 ms; a matmul
for each tap 8.2; patches of the whole batch 9.8; as a forward convolution of transposed images 12.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from miajax.models.conv_lowerings import NHWC, Geometry

_ROWS = 256
"""Output pixels that one matmul of the weight gradient contracts over, at least."""
_VECTOR = 16
"""Floats of a vector register (AVX-512): matmuls with fewer outputs than two of them waste their packing."""


class CPULowering:
    """The products for one model; an ensemble runs them model by model, which no batched form has beaten."""

    def __init__(self, geometry: Geometry):
        self.geometry = geometry

    def forward(self, x: Float[Array, "B H W C"], kernel: Float[Array, "h w C O"]) -> Float[Array, "B P Q O"]:
        window, (down, right), padding = self.geometry[1:]
        if window == (1, 1) and not any(map(any, padding)):
            return x[:, ::down, ::right] @ kernel[0, 0]
        return _convolve(x, kernel, self.geometry)

    def input_gradient(self, dy: Float[Array, "B P Q O"], kernel: Float[Array, "h w C O"]) -> Float[Array, "B H W C"]:
        out = self.geometry.out
        rows, columns = (
            (taps - 1 - before, size + before - 1 - (pixels - 1) * stride)
            for size, taps, stride, (before, _), pixels in zip(*self.geometry, out, strict=True)
        )
        # Flipped and transposed in memory: with reversed dimension numbers XLA:CPU falls back to its naive loop.
        flipped = kernel[::-1, ::-1].swapaxes(2, 3)
        if self.geometry.strides == (1, 1):
            return _convolve(dy, flipped, Geometry(out, self.geometry.window, (1, 1), (rows, columns)))
        return lax.conv_general_dilated(
            dy, flipped, (1, 1), (rows, columns), lhs_dilation=self.geometry.strides, dimension_numbers=NHWC
        )

    def weight_gradient(self, x: Float[Array, "B H W C"], dy: Float[Array, "B P Q O"]) -> Float[Array, "h w C O"]:
        channels, outputs = x.shape[-1], dy.shape[-1]
        narrow = outputs <= _VECTOR <= channels or (self.geometry.window == (1, 1) and outputs < channels)
        if self.geometry.strides == (1, 1) and narrow:
            return _narrow_weight_gradient(x, dy, self.geometry)
        return _weight_gradient(x, dy, self.geometry)


def _convolve(x: jax.Array, kernel: jax.Array, geometry: Geometry) -> jax.Array:
    """The forward convolution; one with few outputs computes neighbouring pixels as one of so many times the outputs.

    The kernel is wider then, and part of the work for nothing: 16 outputs are 1.4 times faster for two pixels at once,
    and 3.6 times for four if they have but 3 channels.
    """
    channels, outputs, (height, width) = kernel.shape[2], kernel.shape[3], geometry.out
    pixels = 4 if channels <= 4 else 2
    few = _VECTOR <= outputs < 2 * _VECTOR and kernel.shape[1] > 1
    if not few or geometry.strides != (1, 1) or width % pixels:
        return lax.conv_general_dilated(x, kernel, geometry.strides, geometry.padding, dimension_numbers=NHWC)
    sides = ((i, pixels - 1 - i) for i in range(pixels))
    wide = jnp.concatenate([jnp.pad(kernel, ((0, 0), side, (0, 0), (0, 0))) for side in sides], 3)
    y = lax.conv_general_dilated(x, wide, (1, pixels), geometry.padding, dimension_numbers=NHWC)
    return y.reshape(x.shape[0], height, width, outputs)


def _weight_gradient(x: jax.Array, dy: jax.Array, geometry: Geometry) -> jax.Array:
    """The sum over groups of images of ``patches [h·w·C, pixels] @ dy [pixels, O]``."""
    _, (taps_y, taps_x), (down, right), padding = geometry
    height, width = geometry.out
    batch, channels, outputs = x.shape[0], x.shape[-1], dy.shape[-1]
    images = _images_at_a_time(batch, height * width, outputs)
    # Channels first: patches are copied in runs of a row, and the matmul needs no transpose.
    x = x.reshape(batch // images, images, *x.shape[1:]).transpose(0, 4, 1, 2, 3)
    x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), *padding))
    y_last, x_last = (height - 1) * down + 1, (width - 1) * right + 1

    def add(total, group):
        x, dy = group
        shifted = [x[:, :, i : i + y_last : down, j : j + x_last : right] for i in range(taps_y) for j in range(taps_x)]
        patches = jnp.concatenate(shifted).reshape(taps_y * taps_x * channels, -1)
        return total + jnp.matmul(patches, dy, preferred_element_type=total.dtype), None

    total = jnp.zeros((taps_y * taps_x * channels, outputs), jnp.promote_types(x.dtype, jnp.float32))
    total, _ = lax.scan(add, total, (x, dy.reshape(batch // images, -1, outputs)))
    return total.reshape(taps_y, taps_x, channels, outputs).astype(x.dtype)


def _narrow_weight_gradient(x: jax.Array, dy: jax.Array, geometry: Geometry) -> jax.Array:
    """The same for stride 1 and few outputs: the horizontal taps are copies of ``x``, the vertical ones of ``dy``.

    One matmul an image, ``[h·O, pixels] @ [pixels, w·C]``: nearer to square, with fewer copies; 2 times faster at 48
    channels and 12 outputs.
    """
    _, (taps_y, taps_x), _, (rows, columns) = geometry
    channels, outputs, width = x.shape[-1], dy.shape[-1], geometry.out[1]

    def add(total, image):
        x, dy = image
        x = jnp.pad(x, (rows, columns, (0, 0)))
        dy = jnp.pad(dy, ((taps_y - 1, taps_y - 1), (0, 0), (0, 0)))
        wide_x = jnp.concatenate([x[:, j : j + width] for j in range(taps_x)], -1)
        # Row r of the padded x meets row r - i of dy under tap i.
        wide_dy = jnp.concatenate([dy[taps_y - 1 - i :][: len(x)] for i in range(taps_y)], -1)
        product = jnp.matmul(
            wide_dy.reshape(-1, taps_y * outputs).T, wide_x.reshape(-1, taps_x * channels),
            preferred_element_type=total.dtype,
        )  # fmt: skip
        return total + product, None

    total = jnp.zeros((taps_y * outputs, taps_x * channels), jnp.promote_types(x.dtype, jnp.float32))
    total, _ = lax.scan(add, total, (x, dy))
    return total.reshape(taps_y, outputs, taps_x, channels).transpose(0, 2, 3, 1).astype(x.dtype)


def _images_at_a_time(batch: int, pixels: int, outputs: int) -> int:
    """The fewest images, a divisor of the batch, whose matmul pays for reading and writing the running sum."""
    rows = max(_ROWS, outputs // 2)
    return next((n for n in range(1, batch + 1) if batch % n == 0 and n * pixels >= rows), batch)
