"""Where a model looks, by gradients of a class's logit: plain, times input, smoothed.

Every map is a function of ``logits_of``, a model closed over its weights that sends ``[B, ...]`` inputs (as the network
takes them, standardised) to logits ``[B, C]`` and treats the examples of a batch apart from one another, which networks
in evaluation mode do. The target is the logit before the softmax: a probability's gradient vanishes where the model is
sure. Maps have the inputs' shape and carry signs.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from miajax.signals.bundle import AnyArray

LogitsOf = Callable[[Float[Array, "batch *input"]], Float[Array, "batch classes"]]
Baseline = Float[Array, "*any"] | float
"""What counts as nothing, broadcastable against ``x`` and in its units (black is not 0 in standardised pixels)."""


def gradient(
    logits_of: LogitsOf, x: Float[AnyArray, "batch *input"], classes: Int[AnyArray, " batch"]
) -> Float[Array, "batch *input"]:
    """The gradient of each example's logit of its class by its input (Simonyan et al. 2014, arXiv 1312.6034)."""
    return jax.grad(lambda inputs: of_classes(logits_of(inputs), classes).sum())(x)


def gradient_times_input(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch *input"],
    classes: Int[AnyArray, " batch"],
    baseline: Baseline = 0.0,
) -> Float[Array, "batch *input"]:
    """Gradient times the way from the baseline: where the model is linear, each input's share of the logit's change.

    From 0 it is gradient times input (Shrikumar et al. 2017, arXiv 1605.01713). Standardised images start from what
    black becomes; times the standardised input itself, the map of an empty background is a constant times the gradient.
    """
    return (jnp.asarray(x) - jnp.asarray(baseline, x.dtype)) * gradient(logits_of, x, classes)


def smooth_grad(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch *input"],
    classes: Int[AnyArray, " batch"],
    keys: Key[Array, " batch"],
    *,
    noise: float = 0.15,
    samples: int = 25,
) -> Float[Array, "batch *input"]:
    """The mean gradient over noisy copies of the input (Smilkov et al. 2017, arXiv 1706.03825).

    Args:
      logits_of: the model.
      x: inputs.
      classes: ``int[B]``.
      keys: one PRNG key an example; sample s draws from ``fold_in(key, s)``, so that a map depends on no other image.
      noise: standard deviation of the Gaussian noise as a share of each input's own range, max - min.
      samples: noisy copies, one after the other.
    """
    axes = tuple(range(1, x.ndim))
    sigma = noise * (x.max(axes, keepdims=True) - x.min(axes, keepdims=True))

    def add(sample, total):
        normal = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, sample), x.shape[1:], x.dtype))
        return total + gradient(logits_of, x + sigma * normal(keys), classes)

    return jax.lax.fori_loop(0, samples, add, jnp.zeros_like(x)) / samples


def of_classes(logits: AnyArray, classes: AnyArray) -> Array:
    """Each row's logit of its class; a product with one-hot rows, whose gradient is no scatter."""
    return (logits * jax.nn.one_hot(classes, logits.shape[-1], dtype=logits.dtype)).sum(-1)
