"""Where a model looks, by gradients of a class's logit: plain, times input, smoothed, integrated.

Every map is a function of ``logits_of``, a model closed over its weights that sends ``[B, ...]`` inputs (as the network
takes them, standardised) to logits ``[B, C]`` and treats the examples of a batch apart from one another, which networks
in evaluation mode do. The target is the logit before the softmax: a probability's gradient vanishes where the model is
sure. Maps have the inputs' shape and carry signs.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

LogitsOf = Callable[[Float[Array, "batch *input"]], Float[Array, "batch classes"]]


def gradient(
    logits_of: LogitsOf, x: Float[Array, "batch *input"], classes: Int[Array, " batch"]
) -> Float[Array, "batch *input"]:
    """The gradient of each example's logit of its class by its input (Simonyan et al. 2014, arXiv 1312.6034)."""
    return jax.grad(lambda inputs: of_classes(logits_of(inputs), classes).sum())(x)


def gradient_times_input(
    logits_of: LogitsOf, x: Float[Array, "batch *input"], classes: Int[Array, " batch"]
) -> Float[Array, "batch *input"]:
    """Gradient times input: each input's share of the logit where the model is linear."""
    return x * gradient(logits_of, x, classes)


def smooth_grad(
    logits_of: LogitsOf,
    x: Float[Array, "batch *input"],
    classes: Int[Array, " batch"],
    key: jax.Array,
    *,
    noise: float = 0.15,
    samples: int = 25,
) -> Float[Array, "batch *input"]:
    """The mean gradient over noisy copies of the input (Smilkov et al. 2017, arXiv 1706.03825).

    Args:
      logits_of: the model.
      x: inputs.
      classes: ``int[B]``.
      key: of the noise; sample s draws from ``fold_in(key, s)`` for the whole batch.
      noise: standard deviation of the Gaussian noise as a share of each input's own range, max - min.
      samples: noisy copies, one after the other.
    """
    axes = tuple(range(1, x.ndim))
    sigma = noise * (x.max(axes, keepdims=True) - x.min(axes, keepdims=True))

    def add(sample, total):
        copies = x + sigma * jax.random.normal(jax.random.fold_in(key, sample), x.shape, x.dtype)
        return total + gradient(logits_of, copies, classes)

    return jax.lax.fori_loop(0, samples, add, jnp.zeros_like(x)) / samples


def integrated_gradients(
    logits_of: LogitsOf,
    x: Float[Array, "batch *input"],
    classes: Int[Array, " batch"],
    baseline: Float[Array, "*any"] | float = 0.0,
    *,
    steps: int = 32,
) -> Float[Array, "batch *input"]:
    """The gradient along the straight line from a baseline, times the way: integrated gradients by the midpoint rule.

    Sundararajan et al. 2017 (arXiv 1703.01365). A map's sum approaches ``F(x) - F(baseline)`` as steps grow
    (``completeness_gap``), and equals it for a linear F.

    Args:
      logits_of: the model.
      x: inputs.
      classes: ``int[B]``.
      baseline: what counts as nothing, broadcastable against ``x`` and in its units (a black image of standardised
        pixels is not 0).
      steps: points on the line, one after the other.
    """
    start = jnp.broadcast_to(jnp.asarray(baseline, x.dtype), x.shape)
    way = x - start

    def add(step, total):
        return total + gradient(logits_of, start + (step + 0.5) / steps * way, classes)

    return way * jax.lax.fori_loop(0, steps, add, jnp.zeros_like(x)) / steps


def completeness_gap(
    logits_of: LogitsOf,
    x: Float[Array, "batch *input"],
    classes: Int[Array, " batch"],
    maps: Float[Array, "batch *input"],
    baseline: Float[Array, "*any"] | float = 0.0,
) -> Float[Array, " batch"]:
    """``|sum of the map - (F(x) - F(baseline))|`` of integrated gradients, in units of the logit; 0 when complete."""
    start = jnp.broadcast_to(jnp.asarray(baseline, x.dtype), x.shape)
    change = of_classes(logits_of(x), classes) - of_classes(logits_of(start), classes)
    return jnp.abs(maps.sum(tuple(range(1, maps.ndim))) - change)


def of_classes(logits: Array, classes: Array) -> Array:
    """Each row's logit of its class; a product with one-hot rows, whose gradient is no scatter."""
    return (logits * jax.nn.one_hot(classes, logits.shape[-1], dtype=logits.dtype)).sum(-1)
