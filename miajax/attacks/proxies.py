"""What stands in for models with the example: the answers of models that saw other examples, its proxies."""

import functools
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.leave_one_out import Moments, merged
from miajax.signals.bundle import AnyArray
from miajax.typed import jit


@jit
def of_others_in_group(moments: Moments, group: Int[Array, " examples"]) -> Moments:
    """Moments of all other examples of an example's group together, ``[M, N]`` each.

    A sweep forwards and one backwards over the examples, sorted by group, as in ``leave_one_out``.

    Args:
      moments: of each example, ``[M, N]`` each.
      group: which examples belong together.
    """
    order = jnp.argsort(group, stable=True)
    ordered = group[order]
    changes = ordered[1:] != ordered[:-1]
    first, last = jnp.append(True, changes), jnp.append(changes, True)
    examples = Moments(*(array.T[order] for array in moments))
    nothing = Moments(*(jnp.zeros_like(array[0]) for array in examples))

    def forwards(before: Moments, example: tuple[Moments, Array]) -> tuple[Moments, Moments]:
        moments, starts = example
        before = _unless(starts, before)
        return merged(before, moments), before

    def backwards(after: Moments, example: tuple[Moments, Array, Moments]) -> tuple[Moments, Moments]:
        moments, ends, before = example
        after = _unless(ends, after)
        return merged(after, moments), merged(before, after)

    _, before = lax.scan(forwards, nothing, (examples, first))
    _, others = lax.scan(backwards, nothing, (examples, last, before), reverse=True)
    return Moments(*(jnp.zeros_like(array).at[order].set(array).T for array in others))


def _unless(empty: Array, moments: Moments) -> Moments:
    return Moments(*(jnp.where(empty, 0, array) for array in moments))


@jit
def of_neighbours(
    moments: Moments, neighbours: Int[AnyArray, "k examples"], known: Bool[AnyArray, "k examples"]
) -> Moments:
    """Moments of an example's neighbours together, ``[M, N]`` each.

    Args:
      moments: of each example, ``[M, N]`` each.
      neighbours: ids, the nearest first.
      known: False where an example has fewer neighbours.
    """
    found = jax.tree.map(jnp.zeros_like, moments)
    for ids, some in zip(neighbours, known, strict=True):
        neighbour = (jnp.where(some, array[:, ids], 0) for array in moments)
        found = merged(found, Moments(*neighbour))
    return found


def nearest_of_label(
    features: Float[AnyArray, "examples features"], labels: Int[AnyArray, " examples"], k: int
) -> tuple[Int[AnyArray, "k examples"], Bool[AnyArray, "k examples"]]:
    """The ``k`` other examples of each example's label with the largest cosine similarity, the largest first.

    Args:
      features: ``[N, F]``, uncentred as the authors of PMIA take them.
      labels: ``[N]``.
      k: at least 1.

    Returns:
      ids and whether there is one; the ids of those that are missing mean nothing.
    """
    num_examples = len(labels)
    features = jnp.asarray(features).reshape(num_examples, -1)
    norm = cast(Array, jnp.linalg.norm(features, axis=1, keepdims=True))
    unit = features / jnp.where(norm > 0, norm, 1)
    kernel = functools.partial(_nearest, k=min(k, num_examples))
    arrays = (np.arange(num_examples), unit, jnp.asarray(labels))
    return map_examples(kernel, arrays, (0, None, None), block_width(num_examples))


@jit(static_argnames="k")
def _nearest(
    ids: Int[AnyArray, " block"],
    unit: Float[AnyArray, "examples features"],
    labels: Int[AnyArray, " examples"],
    *,
    k: int,
) -> tuple[Int[Array, "k block"], Bool[Array, "k block"]]:
    alike = (labels[ids][:, None] == labels) & (ids[:, None] != jnp.arange(len(labels)))
    similarity, found = lax.top_k(jnp.where(alike, unit[ids] @ unit.T, -jnp.inf), k)
    return found.T, jnp.isfinite(similarity).T
