"""Linen layers that are fast under training on a CPU, and the choice of convolution and normalisation of a network."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from miajax.errors import UserError
from miajax.models.batch_norm import BatchNorm
from miajax.models.conv import conv

Norm = Literal["batch", "group", "none"]
VARIANCE_FLOOR = 1e-10
"""Added to the variance of a standardised kernel."""
he_fan_out = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
"""He et al. 2015 (arXiv 1502.01852), by the outputs of a kernel: the start of all convolutions here."""


@functools.cache
def shared_conv(lowering: str | None = None) -> Callable[..., jax.Array]:
    """What to pass to ``nn.Conv(..., conv_general_dilated=shared_conv())``: ``lax.conv_general_dilated`` by ``conv``.

    What ``conv`` doesn't do (groups, dilation, other than two image axes) is left to ``lax``.
    """

    def conv_general_dilated(
        x, kernel, strides, padding, *, lhs_dilation, rhs_dilation, feature_group_count, **options
    ):
        plain = set(lhs_dilation) == set(rhs_dilation) == {1} and feature_group_count == 1
        if plain and x.ndim == 4:
            return conv(x, kernel, tuple(strides), padding, lowering)
        return lax.conv_general_dilated(
            x, kernel, strides, padding, lhs_dilation=lhs_dilation, rhs_dilation=rhs_dilation,
            feature_group_count=feature_group_count, **options,
        )  # fmt: skip

    return conv_general_dilated


class StandardizedConv(nn.Module):
    """A convolution whose kernel has mean 0 and variance 1 for each output channel (Qiao et al., arXiv 1903.10520).

    Parameter ``kernel``, HWIO; no bias. Fields as those of ``nn.Conv``.
    """

    features: int
    kernel_size: tuple[int, int]
    strides: int = 1
    padding: str | Sequence[tuple[int, int]] = "SAME"
    dtype: Any = None
    kernel_init: Callable[..., jax.Array] = he_fan_out
    lowering: str | None = None

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features), jnp.float32)
        centred = kernel - kernel.mean((0, 1, 2))
        kernel = centred * lax.rsqrt(jnp.square(centred).mean((0, 1, 2)) + VARIANCE_FLOOR)
        dtype = x.dtype if self.dtype is None else self.dtype
        return conv(x.astype(dtype), kernel.astype(dtype), self.strides, self.padding, self.lowering)


@dataclasses.dataclass(frozen=True)
class Layers:
    """The layers that a network is made of.

    Attributes:
      norm: ``batch``: BatchNorm; ``group``: GroupNorm with weight standardisation, which keeps examples apart and so
        serves private training; ``none``: biases instead.
      dtype: of the computation; None: the input's. Parameters and statistics are float32.
      lowering: of every convolution, as in ``conv``.
    """

    norm: Norm = "batch"
    dtype: Any = None
    lowering: str | None = None

    def __post_init__(self):
        if self.norm not in get_args(Norm):
            raise UserError(f"normalisation {self.norm} is unknown", expected=" or ".join(get_args(Norm)))

    def cast(self, x: jax.Array) -> jax.Array:
        """The network's input, in the dtype of the computation."""
        return x if self.dtype is None else x.astype(self.dtype)

    def conv(self, features: int, window: int = 3, strides: int = 1) -> Callable[[jax.Array], jax.Array]:
        """A convolution padded by ``window // 2`` on every side, as PyTorch networks have it."""
        options: dict[str, Any] = {
            "features": features, "kernel_size": (window, window), "strides": strides,
            "padding": ((window // 2, window // 2),) * 2, "dtype": self.dtype, "kernel_init": he_fan_out,
        }  # fmt: skip
        if self.norm == "group":
            return StandardizedConv(**options, lowering=self.lowering)
        return nn.Conv(**options, use_bias=self.norm == "none", conv_general_dilated=shared_conv(self.lowering))

    def normalize(self, x: jax.Array, train: bool) -> jax.Array:
        """``x [B, H, W, C]`` normalised, scaled and shifted."""
        if self.norm == "batch":
            return BatchNorm(dtype=self.dtype)(x, train)
        if self.norm == "group":
            return nn.GroupNorm(num_groups=_groups(x.shape[-1]), epsilon=1e-5, dtype=self.dtype)(x)
        return x


BATCH_NORM = Layers()


def _groups(channels: int) -> int:
    """Up to 16 groups, as De et al. (arXiv 2204.13650) take for 16 channels and more."""
    return max(n for n in range(1, 17) if channels % n == 0)


def max_pool(x: Float[Array, "B H W C"], window: int = 2) -> Float[Array, "B h w C"]:
    """The greatest of each square window, side by side; leftover rows and columns are dropped.

    The gradient goes to the first of equals, as in PyTorch. With ``nn.max_pool`` (select-and-scatter) a training step
    of ``CNN`` takes three times as long on a CPU.
    """
    return functools.reduce(lambda best, other: jnp.where(other > best, other, best), _corners(x, window))


def avg_pool(x: Float[Array, "B H W C"], window: int = 2) -> Float[Array, "B h w C"]:
    """The mean of each square window, side by side; leftover rows and columns are dropped."""
    return functools.reduce(jnp.add, _corners(x, window)) * (1.0 / window**2)


def _corners(x: jax.Array, window: int) -> list[jax.Array]:
    """The elements of the windows, row by row: ``window²`` arrays ``[B, h, w, C]``."""
    batch, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window].reshape(batch, rows, window, columns, window, channels)
    return [x[:, :, i, :, j] for i in range(window) for j in range(window)]
