"""The shape of a convolution, and its three products as XLA's grouped convolutions."""

from typing import NamedTuple

import jax
from jax import lax
from jaxtyping import Array, Float

NHWC = ("NHWC", "HWIO", "NHWC")
"""Dimension numbers of images, kernels and results."""


class Geometry(NamedTuple):
    """What is static of a convolution; hashable.

    Attributes:
      image: input height and width.
      window: kernel height and width.
      strides: vertical, horizontal.
      padding: zeros (before, after) each axis.
    """

    image: tuple[int, int]
    window: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]

    @property
    def out(self) -> tuple[int, int]:
        """Output height and width."""
        height, width = (
            (size + before + after - taps) // stride + 1
            for size, taps, stride, (before, after) in zip(*self, strict=True)
        )
        return height, width


class GroupedLowering:
    """One ``lax.conv_general_dilated`` of ``groups`` models, and its two transposes: for GPU and TPU.

    Channels are ordered (group, channel). The weight gradient carries ``batch_group_count``, which XLA maps to the
    backward-filter kernel; ``vmap`` of a gradient would carry feature groups and an image-sized window instead.
    """

    def __init__(self, geometry: Geometry, groups: int = 1):
        self.geometry, self.groups = geometry, groups

    def forward(self, x: Float[Array, "B H W GC"], kernel: Float[Array, "h w C GO"]) -> Float[Array, "B P Q GO"]:
        return lax.conv_general_dilated(
            x, kernel, self.geometry.strides, self.geometry.padding,
            dimension_numbers=NHWC, feature_group_count=self.groups,
        )  # fmt: skip

    def input_gradient(
        self, dy: Float[Array, "B P Q GO"], kernel: Float[Array, "h w C GO"]
    ) -> Float[Array, "B H W GC"]:
        x = jax.ShapeDtypeStruct((dy.shape[0], *self.geometry.image, kernel.shape[2] * self.groups), dy.dtype)
        return jax.linear_transpose(lambda x: self.forward(x, kernel), x)(dy)[0]

    def weight_gradient(self, x: Float[Array, "B H W GC"], dy: Float[Array, "B P Q GO"]) -> Float[Array, "h w C GO"]:
        kernel = jax.ShapeDtypeStruct((*self.geometry.window, x.shape[-1] // self.groups, dy.shape[-1]), x.dtype)
        return jax.linear_transpose(lambda kernel: self.forward(x, kernel), kernel)(dy)[0]
