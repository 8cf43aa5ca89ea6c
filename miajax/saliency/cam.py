"""Grad-CAM and Grad-CAM++: where a convolutional network's last feature map speaks for a class.

The feature map is reached inside an unmodified Linen network: an interceptor adds a tap, zero, to the output of the
chosen layer and hands the output back, so that the logit's gradient by the tap is the gradient by the activation, and
nothing below the layer is differentiated.
"""

from collections.abc import Callable
from typing import Any, Literal, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.arrays import AnyArray
from miajax.errors import UserError
from miajax.saliency.gradients import LogitsOf, of_classes


def convolutions(
    logits_of: LogitsOf, x: Float[AnyArray, "batch *input"] | jax.ShapeDtypeStruct
) -> dict[str, tuple[int, ...]]:
    """The network's convolutions by path (``Conv_0``, ``block/Conv_1``) in order of their calls, with output shapes.

    A convolution is a module that owns a four-dimensional ``kernel`` and returns ``[B, H, W, K]``. Nothing is computed.

    Raises:
      UserError: a convolution that is called more than once: it has no one activation.
    """
    found: dict[str, tuple[int, ...]] = {}

    def note(path: str, module: nn.Module, output: Any) -> Any:
        owns_kernel = module.has_variable("params", "kernel") and module.get_variable("params", "kernel").ndim == 4
        if owns_kernel and getattr(output, "ndim", 0) == 4:
            if path in found:
                raise UserError(
                    f"layer {path} is called more than once",
                    expected="a layer with one output",
                    remedy="Name another layer",
                )
            found[path] = output.shape
        return output

    jax.eval_shape(lambda inputs: _intercepted(note, logits_of, inputs), x)
    return found


def grad_cam(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch height width channels"],
    classes: Int[AnyArray, " batch"],
    layer: str | None = None,
    *,
    variant: Literal["grad_cam", "grad_cam++"] = "grad_cam",
) -> Float[Array, "batch height width"]:
    """Class activation maps, 0 to 1, of the images' size.

    With A the layer's output and g the logit's gradient by it, the map is ``relu(sum_k w_k A_k)``, less its minimum,
    over its maximum, enlarged bilinearly, and scaled so again: between the layer's positions the enlarged map has lost
    its ends. It is 0 somewhere and 1 somewhere, then, or 0 everywhere. Grad-CAM (Selvaraju et al. 2017,
    arXiv 1610.02391): ``w_k`` is the mean of ``g_k`` over positions. Grad-CAM++ (Chattopadhay et al. 2018,
    arXiv 1710.11063): ``w_k = sum relu(g) g^2 / (2 g^2 + sum(A_k) g^3)``. Constants as in the pytorch-grad-cam package.

    Args:
      logits_of: a Linen network closed over its weights.
      x: images.
      classes: ``int[B]``, the class whose logit is explained.
      layer: path of the layer (``convolutions``, or any module with one output ``[B, H, W, K]``); the last
        convolution if None.
      variant: which weights.

    Raises:
      UserError: the network has no convolution, or no such layer.
    """
    activation, gradients = activation_and_gradient(logits_of, x, classes, layer)
    maps = _weighted(activation, gradients, variant)
    return _from_0_to_1(jax.image.resize(_from_0_to_1(maps), (x.shape[0], *x.shape[1:3]), "bilinear"))


def _from_0_to_1(maps: Float[Array, "batch height width"]) -> Float[Array, "batch height width"]:
    lifted = maps - maps.min((1, 2), keepdims=True)
    return lifted / (1e-7 + lifted.max((1, 2), keepdims=True))


def activation_and_gradient(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch height width channels"],
    classes: Int[AnyArray, " batch"],
    layer: str | None = None,
) -> tuple[Float[Array, "batch rows columns maps"], Float[Array, "batch rows columns maps"]]:
    """The layer's output and the gradient of each example's logit by it; arguments and errors as in ``grad_cam``."""
    layer = layer or _last_convolution(logits_of, x)

    def with_tap(tap: jax.Array | None, inputs: AnyArray):
        outputs: list[jax.Array] = []

        def touch(path: str, module: nn.Module, output: Any) -> Any:
            if path != layer:
                return output
            outputs.append(output if tap is None else output + tap)
            return outputs[-1]

        logits = _intercepted(touch, logits_of, inputs)
        if len(outputs) != 1 or outputs[0].ndim != 4:
            raise UserError(
                f"layer {layer} has {len(outputs)} outputs of rank {[o.ndim for o in outputs]}",
                expected="a layer that is called once and returns [batch, height, width, maps]",
                remedy=f"Convolutions here: {', '.join(convolutions(logits_of, inputs)) or 'none'}",
            )
        return of_classes(logits, classes).sum(), outputs[0]

    shape = jax.eval_shape(lambda inputs: with_tap(None, inputs)[1], x)
    gradients, activation = jax.grad(with_tap, has_aux=True)(jnp.zeros(shape.shape, shape.dtype), x)
    return activation, gradients


def _last_convolution(logits_of: LogitsOf, x: AnyArray | jax.ShapeDtypeStruct) -> str:
    found = convolutions(logits_of, x)
    if not found:
        raise UserError(
            "Grad-CAM on a network without convolutions",
            expected="a convolutional Linen network",
            remedy="Use gradients or integrated gradients",
        )
    return list(found)[-1]


def _intercepted(
    tap: Callable[[str, nn.Module, Any], Any], logits_of: LogitsOf, x: AnyArray | jax.ShapeDtypeStruct
) -> jax.Array:
    """``logits_of(x)`` with every submodule's output passed through ``tap(path, module, output)``."""

    def interceptor(call, args, kwargs, context):
        output = call(*args, **kwargs)
        if context.method_name != "__call__" or not context.module.path:
            return output
        return tap("/".join(context.module.path), context.module, output)

    with nn.intercept_methods(interceptor):
        return logits_of(cast(jax.Array, x))  # of a shape, too, where nothing is computed


def _weighted(activation: Array, gradients: Array, variant: str) -> Array:
    if variant == "grad_cam":
        weights = gradients.mean((1, 2), keepdims=True)
    else:
        total = activation.sum((1, 2), keepdims=True)
        alpha = gradients**2 / (2.0 * gradients**2 + total * gradients**3 + 1e-6)
        weights = (jnp.maximum(gradients, 0.0) * alpha).sum((1, 2), keepdims=True)
    # A product, since XLA:CPU adds up the maps of a position one number at a time.
    return jnp.maximum(jnp.einsum("bhwk,bk->bhw", activation, weights[:, 0, 0]), 0.0)
