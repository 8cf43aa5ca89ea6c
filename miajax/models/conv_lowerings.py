"""The shape of a convolution, its three products on accelerators, and the lowering that is in force."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

NHWC = ("NHWC", "HWIO", "NHWC")
"""Dimension numbers of images, kernels and results."""

_in_force: contextvars.ContextVar[str | None] = contextvars.ContextVar("lowering of convolutions", default=None)


def lowering_in_force() -> str | None:
    """The lowering that the execution plan asks for where a program is being traced, or None."""
    return _in_force.get()


@contextlib.contextmanager
def lowered_by(lowering: str | None) -> Iterator[None]:
    """Convolutions traced inside that name no lowering of their own take this one; None leaves things as they are."""
    token = _in_force.set(lowering or _in_force.get())
    try:
        yield
    finally:
        _in_force.reset(token)


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


class PatchesLowering:
    """Matmuls over patches of the whole batch; models become the batch of the matmul. Sums are float32 at least."""

    def __init__(self, geometry: Geometry):
        self.geometry = geometry

    def _patches(self, x: jax.Array) -> jax.Array:
        """``[B, P, Q, h·w·C]``: what each output pixel sees."""
        _, (taps_y, taps_x), (down, right), padding = self.geometry
        height, width = self.geometry.out
        x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
        y_last, x_last = (height - 1) * down + 1, (width - 1) * right + 1
        shifted = [x[:, i : i + y_last : down, j : j + x_last : right] for i in range(taps_y) for j in range(taps_x)]
        return jnp.concatenate(shifted, -1)

    def forward(self, x: Float[Array, "B H W C"], kernel: Float[Array, "h w C O"]) -> Float[Array, "B P Q O"]:
        return _matmul(self._patches(x), kernel.reshape(-1, kernel.shape[-1])).astype(x.dtype)

    def input_gradient(self, dy: Float[Array, "B P Q O"], kernel: Float[Array, "h w C O"]) -> Float[Array, "B H W C"]:
        of_patches = _matmul(dy, kernel.reshape(-1, kernel.shape[-1]).T)
        x = jax.ShapeDtypeStruct((dy.shape[0], *self.geometry.image, kernel.shape[2]), of_patches.dtype)
        return jax.linear_transpose(self._patches, x)(of_patches)[0].astype(dy.dtype)

    def weight_gradient(self, x: Float[Array, "B H W C"], dy: Float[Array, "B P Q O"]) -> Float[Array, "h w C O"]:
        outputs = dy.shape[-1]
        patches = self._patches(x)
        total = _matmul(patches.reshape(-1, patches.shape[-1]).T, dy.reshape(-1, outputs))
        return total.reshape(*self.geometry.window, x.shape[-1], outputs).astype(x.dtype)


def _matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, preferred_element_type=jnp.promote_types(a.dtype, jnp.float32))
