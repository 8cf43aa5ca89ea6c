"""Which Linen layers can be clipped from their inputs and cotangents, and how.

One rule a layer type; whatever has no rule is clipped from explicit per-example gradients of the whole network.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from miajax.models.layers import VARIANCE_FLOOR, StandardizedConv
from miajax.training.dp.gradients import (
    AffineGradient,
    LayerGradient,
    LinearGradient,
    StandardizedGradient,
    cheaper_method,
)


class LayerCall(NamedTuple):
    """One call of a layer.

    Attributes:
      module: the layer, unbound.
      inputs: its input, ``[B K, ...]``: K views of each example, one after another.
      outputs: shape and dtype of its output, or its cotangent.
      views: K.
      params: its parameters by name; None where only shapes are asked for.
    """

    module: nn.Module
    inputs: jax.Array
    outputs: Any
    views: int
    params: Any = None

    def positions(self, values: jax.Array) -> jax.Array:
        """``values [B K, ..., c]`` as ``[B, T, c]``: views and places in an image or sequence are positions alike."""
        return values.reshape(values.shape[0] // self.views, -1, values.shape[-1])


class Rule(NamedTuple):
    """How one type of layer is clipped.

    Attributes:
      parameters: names of the call's parameters.
      refused: why this very layer is out of reach, or None.
      shape: ``(positions T, fan_in p, fan_out d)`` of the call; positions of one view, times the views.
      gradient: the layer's gradients from its inputs and the cotangent in ``outputs``.
    """

    parameters: Callable[[Any], frozenset[str]]
    refused: Callable[[Any], str | None]
    shape: Callable[[LayerCall], tuple[int, int, int]]
    gradient: Callable[[LayerCall], LayerGradient]


def _places(call: LayerCall) -> int:
    per_row = 1
    for size in call.outputs.shape[1:-1]:
        per_row *= size
    return call.views * per_row


def _kernel_and_bias(module: Any) -> frozenset[str]:
    return frozenset({"kernel", "bias"} if module.use_bias else {"kernel"})


def _scale_and_bias(module: Any) -> frozenset[str]:
    return frozenset(name for name in ("scale", "bias") if getattr(module, f"use_{name}"))


def _dense_gradient(call: LayerCall) -> LayerGradient:
    module: Any = call.module
    shape = _dense_shape(call)
    rows = call.positions(call.inputs.astype(call.outputs.dtype))
    return LinearGradient(rows, call.positions(call.outputs), shape[1:], module.use_bias, cheaper_method(*shape))


def _dense_shape(call: LayerCall) -> tuple[int, int, int]:
    return _places(call), call.inputs.shape[-1], call.outputs.shape[-1]


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    return (1,) * axes if value is None else (value,) * axes if isinstance(value, int) else tuple(value)


def _conv_refused(module: Any) -> str | None:
    if module.feature_group_count != 1:
        return "convolution in groups"
    if any(d != 1 for d in _per_axis(module.input_dilation, len(module.kernel_size))):
        return "convolution of a dilated input"
    if module.mask is not None:
        return "convolution with a masked kernel"
    if module.padding in ("CIRCULAR", "CAUSAL", "REFLECT"):
        return f"convolution with {module.padding} padding"
    return None


def patches(
    images: jax.Array,
    kernel_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Any,
    dilation: tuple[int, ...],
) -> jax.Array:
    """``images [B, H, W, c]`` as ``[B, H', W', h w c]``: what each output is a linear function of.

    Slices laid side by side, in the order of a kernel ``[h, w, c, d]``; any number of image axes.
    """
    extent = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(images.shape[1:-1], extent, strides, padding)
    else:
        pads = [(padding, padding)] * len(extent) if isinstance(padding, int) else padding
        pads = [(p, p) if isinstance(p, int) else tuple(p) for p in pads]
    padded = jnp.pad(images, [(0, 0), *pads, (0, 0)])
    sizes = [(n - e) // s + 1 for n, e, s in zip(padded.shape[1:-1], extent, strides, strict=True)]
    offsets = [()]
    for k in kernel_size:
        offsets = [(*o, i) for o in offsets for i in range(k)]
    cut = []
    for offset in offsets:
        starts = [o * d for o, d in zip(offset, dilation, strict=True)]
        window = [slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, sizes, strides, strict=True)]
        cut.append(padded[(slice(None), *window)])
    return cut[0] if len(cut) == 1 else jnp.concatenate(cut, -1)


def _conv_shape(call: LayerCall) -> tuple[int, int, int]:
    fan_in = call.inputs.shape[-1]
    for k in call.module.kernel_size:
        fan_in *= k
    return _places(call), fan_in, call.outputs.shape[-1]


def _conv_rows(call: LayerCall) -> jax.Array:
    """``[B, T, p]``."""
    module: Any = call.module
    axes = len(module.kernel_size)
    rows = patches(
        call.inputs.astype(call.outputs.dtype),
        tuple(module.kernel_size),
        _per_axis(module.strides, axes),
        module.padding,
        _per_axis(getattr(module, "kernel_dilation", 1), axes),
    )
    return call.positions(rows)


def _conv_gradient(call: LayerCall) -> LayerGradient:
    module: Any = call.module
    kernel_shape = (*module.kernel_size, call.inputs.shape[-1], call.outputs.shape[-1])
    method = cheaper_method(*_conv_shape(call))
    return LinearGradient(_conv_rows(call), call.positions(call.outputs), kernel_shape, module.use_bias, method)


def _standardized_gradient(call: LayerCall) -> LayerGradient:
    method = cheaper_method(*_conv_shape(call))
    cotangent, kernel = call.positions(call.outputs), call.params["kernel"]
    return StandardizedGradient(_conv_rows(call), cotangent, kernel, VARIANCE_FLOOR, method)


def _norm_refused(module: Any) -> str | None:
    axes = getattr(module, "feature_axes", -1)
    if axes not in (-1, (-1,)):
        return "normalisation whose scale spans several axes"
    if module.axis_name is not None:
        return "normalisation over several devices"
    return None


def _norm_gradient(call: LayerCall) -> LayerGradient:
    module: Any = call.module
    # Normalising again costs nothing: the compiler sees the same expression as in the forward pass.
    bare = module.clone(parent=None, name=None, use_scale=False, use_bias=False)
    normalised = bare.apply({}, call.inputs)
    return AffineGradient(call.positions(normalised), call.positions(call.outputs), module.use_scale, module.use_bias)


_NORM = Rule(_scale_and_bias, _norm_refused, lambda call: (_places(call), 1, call.outputs.shape[-1]), _norm_gradient)

RULES: dict[type, Rule] = {
    nn.Dense: Rule(_kernel_and_bias, lambda module: None, _dense_shape, _dense_gradient),
    nn.Conv: Rule(_kernel_and_bias, _conv_refused, _conv_shape, _conv_gradient),
    StandardizedConv: Rule(
        lambda module: frozenset({"kernel"}), lambda module: None, _conv_shape, _standardized_gradient
    ),
    nn.GroupNorm: _NORM,
    nn.LayerNorm: _NORM,
}
