"""Slow twins of differentially private training: one example at a time, float64."""

import jax
import jax.numpy as jnp
import numpy as np


def explicit_clipped_sum(gradient_of_one, params, x, y, mask, clip_norm):
    """The sum of clipped gradients as a float64 pytree, and each example's norm, by one gradient call an example.

    Args:
      gradient_of_one: ``(params, x [K, ...], label) -> gradient``.
      x: ``[B, K, ...]``.
      y, mask: ``[B]``.
      clip_norm: C.
    """
    total = jax.tree.map(lambda p: np.zeros(p.shape), params)
    norms = np.zeros(len(y))
    gradient_of_one = jax.jit(gradient_of_one, compiler_options={"xla_backend_optimization_level": "1"})
    for n in range(len(y)):
        if not mask[n]:
            continue
        gradient = jax.tree.map(lambda g: np.asarray(g, np.float64), gradient_of_one(params, x[n], jnp.asarray(y[n])))
        norm = np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient)))
        norms[n] = norm
        factor = 1.0 if norm <= clip_norm else clip_norm / norm
        total = jax.tree.map(lambda t, g, factor=factor: t + factor * g, total, gradient)
    return total, norms


def truncated_poisson_sample(uniforms, rate, capacity):
    """Row numbers of one batch: every row whose number is below the rate, at most ``capacity`` with the smallest."""
    included = [i for i in range(len(uniforms)) if uniforms[i] < rate]
    included.sort(key=lambda i: uniforms[i])
    return included[:capacity]
