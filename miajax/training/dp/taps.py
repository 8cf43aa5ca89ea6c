"""What clipping reads from an unmodified Linen network: each layer's input, and the loss's derivative by its output.

``nn.intercept_methods`` puts a zero, a tap, on the output of every layer that has a rule. The gradient by the taps is
one backward pass that computes no weight gradient.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import core

from miajax.training.dp.layer_rules import RULES, LayerCall

Path = tuple[str, ...]
Apply = Callable[[Any, jax.Array, jax.Array], jax.Array]  # (params, x [B, ...], key) -> logits [B, C]


@dataclasses.dataclass
class Recording:
    """The layer calls of one forward pass, in order.

    Attributes:
      views: K, rows of the batch that belong to one example.
      taps: what is added to the layers' outputs, or None to add nothing.
      calls: the last call of each layer that has a rule.
      counts: how often each of them was called.
      unread: why a layer that has a rule was not recorded.
    """

    views: int
    taps: dict[Path, jax.Array] | None = None
    calls: dict[Path, LayerCall] = dataclasses.field(default_factory=dict)
    counts: dict[Path, int] = dataclasses.field(default_factory=dict)
    unread: dict[Path, str] = dataclasses.field(default_factory=dict)

    _trace: Any = None

    def _intercept(self, method, args, kwargs, context):
        module, out = context.module, method(*args, **kwargs)
        if context.method_name != "__call__" or type(module) not in RULES:
            return out
        path = module.path
        self.counts[path] = self.counts.get(path, 0) + 1
        if len(args) != 1 or kwargs:
            self.unread[path] = "called with more than one argument"
            return out
        if _trace() != self._trace:
            self.unread[path] = "inside a lifted transformation (nn.scan, nn.remat, nn.vmap)"
            return out
        shape = jax.ShapeDtypeStruct(out.shape, out.dtype)
        self.calls[path] = LayerCall(module.clone(parent=None, name=None), args[0], shape, self.views)
        return out if self.taps is None or path not in self.taps else out + self.taps[path]

    def run(self, apply: Apply, params: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        """``apply`` with its layers recorded."""
        self._trace = _trace()
        with nn.intercept_methods(self._intercept):
            return apply(params, x, key)


def _trace() -> Any:
    """What tells whether two values belong to the same level of JAX's tracing."""
    return core.get_opaque_trace_state(convention="flax")


def tapped_gradient(
    loss: Callable[[jax.Array], tuple[jax.Array, Any]],
    apply: Apply,
    params: Any,
    x: jax.Array,
    key: jax.Array,
    paths: tuple[Path, ...],
    views: int,
) -> tuple[Any, dict[Path, LayerCall]]:
    """``loss``'s second result, and the calls of ``paths`` with the cotangents of the loss as their outputs.

    Args:
      loss: ``logits [B K, C] -> (scalar, anything)``; the scalar is a sum over examples.
      apply: the network.
      params, x, key: its arguments; ``x`` is ``[B K, ...]``.
      paths: the layers to read.
      views: K.
    """
    shapes: dict[Path, Any] = {}

    def dry(params, x, key):
        recording = Recording(views)
        recording.run(apply, params, x, key)
        shapes.update({path: recording.calls[path].outputs for path in paths})

    jax.eval_shape(dry, params, x, key)
    modules: dict[Path, nn.Module] = {}

    def forward(taps):
        recording = Recording(views, taps)
        total, extra = loss(recording.run(apply, params, x, key))
        modules.update({path: recording.calls[path].module for path in paths})
        return total, (extra, {path: recording.calls[path].inputs for path in paths})

    # One tap for the whole batch would come back summed over examples: taps have the outputs' full shapes.
    taps = {path: jnp.zeros(shape.shape, shape.dtype) for path, shape in shapes.items()}
    cotangents, (extra, inputs) = jax.grad(forward, has_aux=True)(taps)
    return extra, {
        path: LayerCall(modules[path], inputs[path], cotangents[path], views, _at(params, path)) for path in paths
    }


def _at(params: Any, path: Path) -> Any:
    for name in path:
        params = params[name]
    return params
