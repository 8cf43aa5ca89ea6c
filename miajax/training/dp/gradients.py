"""Norms and weighted sums of a layer's per-example gradients, from its inputs and cotangents alone.

A linear layer's gradient for example n is ``rows[n].T @ cotangent[n]``. Its norm needs no such product where a Gram
matrix is cheaper (Goodfellow 2015; Li et al. 2022, "ghost clipping"), and the weighted sum over examples is one matrix
product, the weight gradient of a plain step ("book-keeping", Bu et al. 2023).
"""

from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Method = Literal["product", "ghost", "explicit"]

# Accelerators would round factors to 10 bits: of norms, and of the sums whose norms noise has to hide.
_WHOLE = jax.lax.Precision.HIGHEST


@runtime_checkable
class LayerGradient(Protocol):
    """The gradients of one layer's parameters for each example of a batch, never all written out unless small."""

    def squared_norm(self) -> Float[Array, " batch"]:
        """Squared Euclidean norm of each example's gradient."""
        ...

    def weighted_sum(self, factors: Float[Array, " batch"]) -> dict[str, jax.Array]:
        """``sum_n factors[n] gradient[n]`` by parameter name; an example with factor 0 adds 0, even if not finite."""
        ...


def cheaper_method(positions: int, fan_in: int, fan_out: int) -> Method:
    """How a linear layer's norm is found: by Gram matrices where ``2 T^2 <= d p``, else from the gradient itself."""
    if positions == 1:
        return "product"
    return "ghost" if 2 * positions**2 <= fan_in * fan_out else "explicit"


def _kept(factors: jax.Array, values: jax.Array) -> jax.Array:
    """``values`` with zeros where the factor is 0: 0 times infinity would poison the sum of all examples."""
    return jnp.where((factors > 0).reshape(-1, *[1] * (values.ndim - 1)), values, 0.0)


def _dot(subscripts: str, first: jax.Array, second: jax.Array) -> jax.Array:
    """Of whole float32 factors."""
    return jnp.einsum(subscripts, first, second, precision=_WHOLE)


def _squares(values: jax.Array) -> jax.Array:
    """Sum of squares of each example, as a dot product: XLA:CPU adds up a plain sum one number at a time."""
    flat = values.reshape(values.shape[0], -1)
    return _dot("bi,bi->b", flat, flat)


class LinearGradient:
    """Kernel and bias of a dense or convolutional layer.

    Args:
      rows: ``[B, T, p]``, what each position's outputs are a linear function of (a convolution's patches).
      cotangent: ``[B, T, d]``, derivative of the loss by the outputs.
      kernel_shape: of the parameter; its size is ``p d``.
      use_bias: whether there is a bias ``[d]``.
      method: see ``cheaper_method``.
    """

    def __init__(
        self,
        rows: Float[Array, "batch positions fan_in"],
        cotangent: Float[Array, "batch positions fan_out"],
        kernel_shape: tuple[int, ...],
        use_bias: bool,
        method: Method,
    ):
        self.rows, self.cotangent = rows.astype(jnp.float32), cotangent.astype(jnp.float32)
        self.kernel_shape, self.use_bias, self.method = kernel_shape, use_bias, method
        self._explicit = _dot("btp,btd->bpd", self.rows, self.cotangent) if method == "explicit" else None

    def squared_norm(self) -> Float[Array, " batch"]:
        """``|rows[n].T @ cotangent[n]|^2``, and the bias's ``|sum_t cotangent[n, t]|^2``."""
        rows, cotangent = self.rows, self.cotangent
        if self.method == "product":
            # With one position the bias is one more row that is always 1.
            return (_squares(rows) + self.use_bias) * _squares(cotangent)
        if self._explicit is not None:
            kernel = _squares(self._explicit)
        else:
            of_rows = _dot("btp,bsp->bts", rows, rows)
            of_cotangents = _dot("btd,bsd->bts", cotangent, cotangent)
            # The sum of a gradient's squares is not negative; rounding of this one can be.
            kernel = jnp.maximum(_dot("bts,bts->b", of_rows, of_cotangents), 0.0)
        return kernel + _squares(cotangent.sum(1)) if self.use_bias else kernel

    def weighted_sum(self, factors: Float[Array, " batch"]) -> dict[str, jax.Array]:
        """One contraction over examples and positions."""
        cotangent = _kept(factors, factors[:, None, None] * self.cotangent)
        if self._explicit is not None:
            kernel = jnp.sum(_kept(factors, factors[:, None, None] * self._explicit), 0)
        else:
            fan_in, fan_out = self.rows.shape[-1], cotangent.shape[-1]
            rows = _kept(factors, self.rows).reshape(-1, fan_in)
            kernel = jnp.matmul(rows.T, cotangent.reshape(-1, fan_out), precision=_WHOLE)
        total = {"kernel": kernel.reshape(self.kernel_shape)}
        return total | {"bias": cotangent.sum((0, 1))} if self.use_bias else total


class StandardizedGradient:
    """Kernel of a weight-standardised convolution, ``w = (v - mean v) / s`` for each output channel of ``v``.

    The chain rule takes the gradient ``g`` by ``w`` to that by ``v``: ``(P g - w (w . g) / p) / s`` with ``P`` removing
    the mean over the p entries of a channel. Mean and ``s`` move into rows and cotangent; what is left of ``w`` is one
    number a channel and example, ``h = w . g / s``. Means are taken off the rows before products, since activations
    after ReLU would cancel most digits of a difference of norms.

    Args:
      rows, cotangent, method: as for ``LinearGradient``.
      kernel: ``v``.
      floor: added to the variance under the root of ``s``.
    """

    def __init__(
        self,
        rows: Float[Array, "batch positions fan_in"],
        cotangent: Float[Array, "batch positions fan_out"],
        kernel: Float[Array, "height width channels fan_out"],
        floor: float,
        method: Method,
    ):
        self._shape = kernel.shape
        v = kernel.astype(jnp.float32).reshape(-1, kernel.shape[-1])
        centred = v - v.mean(0)
        inverse = jax.lax.rsqrt(jnp.square(centred).mean(0) + floor)
        self._w = centred * inverse
        rows = rows.astype(jnp.float32)
        rows = rows - rows.mean(-1, keepdims=True)
        cotangent = cotangent.astype(jnp.float32) * inverse
        self._linear = LinearGradient(rows, cotangent, v.shape, False, method)
        # From the very rows and cotangents that make the sum, so that what enters it has the norm that was clipped.
        self._h = jnp.sum(cotangent * _dot("btp,pd->btd", rows, self._w), 1)

    def squared_norm(self) -> Float[Array, " batch"]:
        """``|G|^2 - sum h^2 (2 - |w|^2 / p) / p`` with ``G = P g / s``."""
        fan_in = len(self._w)
        weights = (2.0 - jnp.square(self._w).mean(0)) / fan_in
        return jnp.maximum(self._linear.squared_norm() - jnp.square(self._h) @ weights, 0.0)

    def weighted_sum(self, factors: Float[Array, " batch"]) -> dict[str, jax.Array]:
        """The linear layer's sum, less each channel's share along ``w``."""
        total = self._linear.weighted_sum(factors)["kernel"]
        along = jnp.sum(_kept(factors, factors[:, None] * self._h), 0)
        return {"kernel": (total - self._w * (along / len(self._w))).reshape(self._shape)}


class AffineGradient:
    """Scale and bias of a normalisation layer; small enough to be written out for each example.

    Args:
      normalised: ``[B, T, d]``, inputs after normalisation, before scale and bias.
      cotangent: ``[B, T, d]``, derivative of the loss by the outputs.
      use_scale, use_bias: which of the two parameters ``[d]`` there are.
    """

    def __init__(
        self,
        normalised: Float[Array, "batch positions channels"],
        cotangent: Float[Array, "batch positions channels"],
        use_scale: bool,
        use_bias: bool,
    ):
        cotangent = cotangent.astype(jnp.float32)
        self._gradients = {}
        if use_scale:
            self._gradients["scale"] = jnp.sum(normalised.astype(jnp.float32) * cotangent, 1)
        if use_bias:
            self._gradients["bias"] = cotangent.sum(1)

    def squared_norm(self) -> Float[Array, " batch"]:
        """Over scale and bias."""
        return sum((_squares(g) for g in self._gradients.values()), start=jnp.float32(0.0))

    def weighted_sum(self, factors: Float[Array, " batch"]) -> dict[str, jax.Array]:
        """A weighted sum of what is written out."""
        return {k: jnp.sum(_kept(factors, factors[:, None] * g), 0) for k, g in self._gradients.items()}
