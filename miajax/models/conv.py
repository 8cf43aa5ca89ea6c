"""The one convolution of all networks: fast to train, for many models, whatever the order of ``grad`` and ``vmap``.

Its three products (forward, input gradient, weight gradient) are each a ``custom_vmap`` function under one
``custom_vjp``, so that ``vmap(grad(f))`` and ``grad(sum of vmap(f))`` meet the same rules and end in the same kernels.
The price: reverse mode once; no ``jvp``, no second derivative.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

from miajax.errors import UserError
from miajax.models.conv_cpu import CPULowering
from miajax.models.conv_lowerings import Geometry, GroupedLowering, PatchesLowering, lowering_in_force

LOWERINGS = ("cpu", "grouped", "patches", "unrolled")

Product = Callable[[jax.Array, jax.Array], jax.Array]


def default_lowering(platform: str | None = None) -> str:
    """The lowering for ``platform``, by default JAX's backend: measured for ``cpu``, not measured elsewhere."""
    return "cpu" if (platform or jax.default_backend()) == "cpu" else "grouped"


_SINGLE = {"cpu": CPULowering, "patches": PatchesLowering}


def conv(
    x: Float[Array, "B H W C"],
    kernel: Float[Array, "h w C O"],
    strides: int | tuple[int, int] = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
    lowering: str | None = None,
) -> Float[Array, "B P Q O"]:
    """Cross-correlation of ``x`` with ``kernel``, as ``lax.conv_general_dilated`` with NHWC and HWIO.

    Under ``vmap``, models with inputs and kernels of their own become groups (``grouped``), a batch of matmuls over
    patches (``patches``), convolutions side by side (``unrolled``), or run one after another (``cpu``); models that
    share the input become output channels of one convolution, models that share the kernel become one batch.

    Args:
      x: images.
      kernel: weights.
      strides: vertical and horizontal.
      padding: ``"SAME"``, ``"VALID"``, or zeros ``[(top, bottom), (left, right)]``.
      lowering: one of ``LOWERINGS``, or None for the one in force where this is traced (``lowered_by``), else
        ``default_lowering()``. Bits depend on it, so an execution plan names it.

    Raises:
      UserError: an unknown lowering.
    """
    lowering = lowering or lowering_in_force() or default_lowering()
    if lowering not in LOWERINGS:
        raise UserError(f"convolution lowering {lowering} is unknown", expected=" or ".join(LOWERINGS))
    dtype = jnp.result_type(x, kernel)
    image, window = (x.shape[1], x.shape[2]), (kernel.shape[0], kernel.shape[1])
    steps = (strides, strides) if isinstance(strides, int) else strides
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(image, window, steps, padding)
    (top, bottom), (left, right) = padding
    geometry = Geometry(image, window, steps, ((int(top), int(bottom)), (int(left), int(right))))
    return _convolution(geometry, lowering)(x.astype(dtype), kernel.astype(dtype))


@functools.cache
def _convolution(geometry: Geometry, lowering: str) -> Product:
    forward = _product(geometry, lowering, "forward")
    input_gradient = _product(geometry, lowering, "input_gradient")
    weight_gradient = _product(geometry, lowering, "weight_gradient")

    @jax.custom_vjp
    def convolution(x, kernel):
        return forward(x, kernel)

    def keep(x, kernel):
        return forward(x, kernel), (x, kernel)

    def pull_back(kept, dy):
        x, kernel = kept
        return input_gradient(dy, kernel), weight_gradient(x, dy)

    convolution.defvjp(keep, pull_back)
    return convolution


# A product contracts one axis that its operands share and leaves each a free one. Where only one operand differs
# between models, M folds into its free axis and comes back on the result's: still a single product.
_BATCH, _CHANNELS, _KERNEL_IN, _KERNEL_OUT = 0, 3, 2, 3
_FREE_AXES = {  # (of the operand, of the result), for the first and the second operand
    "forward": ((_BATCH, _BATCH), (_KERNEL_OUT, _CHANNELS)),
    "input_gradient": ((_BATCH, _BATCH), (_KERNEL_IN, _CHANNELS)),
    "weight_gradient": ((_CHANNELS, _KERNEL_IN), (_CHANNELS, _KERNEL_OUT)),
}


@functools.cache
def _product(geometry: Geometry, lowering: str, name: str, groups: int = 1) -> Product:
    """One product with its batching rule. With groups, the last axis of every array is ordered (group, channel)."""
    implementation = _SINGLE[lowering](geometry) if lowering in _SINGLE else GroupedLowering(geometry, groups)
    one = getattr(implementation, name)
    product = custom_vmap(one)

    @product.def_vmap
    def _(models, batched, first, second):
        if all(batched):
            if lowering == "cpu":
                return lax.map(lambda operands: product(*operands), (first, second)), True
            if lowering == "patches":
                return jax.vmap(one)(first, second), True
            if lowering == "unrolled":
                return jnp.stack([product(first[m], second[m]) for m in range(models)]), True
            merged = _product(geometry, lowering, name, groups * models)
            return _unfold(merged(_fold(first, 3, groups), _fold(second, 3, groups)), 3, models, groups), True
        operands = [first, second]
        differs = 0 if batched[0] else 1
        axis, out_axis = _FREE_AXES[name][differs]
        operands[differs] = _fold(operands[differs], axis, groups if axis == 3 else 1)
        return _unfold(product(*operands), out_axis, models, groups if out_axis == 3 else 1), True

    return product


def _fold(array: jax.Array, axis: int, groups: int) -> jax.Array:
    """``[M, ..., G·c, ...] -> [..., G·M·c, ...]``: M joins ``axis`` (counted without M), inside the groups."""
    models, *shape = array.shape
    split = array.reshape(models, *shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    return jnp.moveaxis(split, 0, axis + 1).reshape(*shape[:axis], models * shape[axis], *shape[axis + 1 :])


def _unfold(array: jax.Array, axis: int, models: int, groups: int) -> jax.Array:
    """The inverse of ``_fold``."""
    shape = array.shape
    split = array.reshape(*shape[:axis], groups, models, shape[axis] // (groups * models), *shape[axis + 1 :])
    return jnp.moveaxis(split, axis + 1, 0).reshape(models, *shape[:axis], shape[axis] // models, *shape[axis + 1 :])
