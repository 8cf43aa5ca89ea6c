"""Clipping from explicit per-example gradients, a few examples at a time: for networks that can't be tapped."""

from typing import Any

import jax
import jax.numpy as jnp

from miajax.training.dp.taps import Apply


def clip_factors(squared_norms: jax.Array, mask: jax.Array, clip_norm: jax.Array | float) -> jax.Array:
    """``min(1, C / norm)``; 0 for padding, and for an example whose gradient is not finite.

    Args:
      squared_norms: ``[B]``.
      mask: ``bool[B]``, false for padding.
      clip_norm: C.
    """
    norms = jnp.sqrt(squared_norms)
    factors = clip_norm / jnp.maximum(norms, jnp.asarray(clip_norm, jnp.float32))
    return jnp.where(mask & jnp.isfinite(squared_norms), factors, 0.0)


def explicit_clipped_sum(
    apply: Apply,
    loss: Any,
    params: Any,
    x: jax.Array,
    y: Any,
    mask: jax.Array,
    clip_norm: jax.Array | float,
    key: jax.Array,
    microbatch: int,
) -> tuple[Any, jax.Array, jax.Array, jax.Array]:
    """The sum of clipped gradients, squared norms ``[B]``, losses ``[B]`` and logits ``[B, K, C]``.

    Args:
      apply, params: the network.
      loss: ``(logits [K, C], label) -> scalar`` of one example, the mean over its views; the label as ``y`` has it.
      x: ``[B, K, ...]``.
      y: ``[B]``, or a tree of arrays ``[B, ...]``.
      mask: ``[B]``.
      clip_norm: C.
      key: each example draws from its own fold of it.
      microbatch: how many gradients exist at a time.
    """
    batch = x.shape[0]
    microbatch = min(microbatch, batch)
    padding = -batch % microbatch

    def one(x, y, number):
        def objective(params):
            logits = apply(params, x, jax.random.fold_in(key, number))
            return loss(logits, y), logits

        return jax.value_and_grad(objective, has_aux=True)(params)

    def block(total, rows):
        x, y, mask, number = rows
        (losses, logits), gradients = jax.vmap(one)(x, y, number)
        gradients = jax.tree.map(lambda g: g.astype(jnp.float32), gradients)
        squares = sum(jnp.sum(g.reshape(len(g), -1) ** 2, 1) for g in jax.tree.leaves(gradients))
        factors = clip_factors(jnp.asarray(squares), mask, clip_norm)

        def add(total, g):
            weights = factors.reshape(-1, *[1] * (g.ndim - 1))
            return total + jnp.sum(jnp.where(weights > 0, weights * g, 0.0), 0)

        return jax.tree.map(add, total, gradients), (squares, losses, logits)

    rows = (x, y, mask, jnp.arange(batch))
    rows = jax.tree.map(lambda a: jnp.pad(a, [(0, padding)] + [(0, 0)] * (a.ndim - 1)), rows)
    rows = jax.tree.map(lambda a: a.reshape(-1, microbatch, *a.shape[1:]), rows)
    zero = jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32), params)
    total, seen = jax.lax.scan(block, zero, rows)
    squares, losses, logits = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:batch], seen)
    return total, squares, losses, logits
