"""What stands in for models with the example: the answers of models that saw other examples, its proxies."""

import functools
import hashlib
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.blocks import map_examples
from miajax.attacks.leave_one_out import Moments, merged
from miajax.signals.bundle import AnyArray
from miajax.typed import jit

_ROWS = 256  # examples that are compared with their whole class at once: matmuls, not sweeps over it


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

    Every pair of one label is compared, so the work grows with the square of the largest class, not of the pool: 50,000
    images of ten classes are 250 million pairs instead of 2.5 billion. What was found last is kept, by the content of
    its inputs, since halves of a campaign's models ask for it again.

    Args:
      features: ``[N, F]``, uncentred as the authors of PMIA take them.
      labels: ``[N]``.
      k: at least 1.

    Returns:
      ids and whether there is one; the ids of those that are missing mean nothing.
    """
    num_examples = len(labels)
    if isinstance(features, Tracer) or isinstance(labels, Tracer):
        unit = _unit(jnp.asarray(features).reshape(num_examples, -1))
        ids, alike = jnp.arange(num_examples), jnp.asarray(labels)
        return _nearest(ids, alike, unit, alike, k=min(k, num_examples))
    rows, labels = np.asarray(features).reshape(num_examples, -1), np.asarray(labels)
    key = hashlib.blake2b(np.ascontiguousarray(rows).view(np.uint8).data)
    key.update(f"{rows.dtype}{rows.shape}{k}".encode() + labels.astype(np.int64).tobytes())
    if key.digest() not in _last:
        found = _of_every_label(rows, labels, min(k, num_examples))
        _last.clear()
        _last[key.digest()] = found
    return _last[key.digest()]


_last: dict[bytes, tuple[Int[np.ndarray, "k examples"], Bool[np.ndarray, "k examples"]]] = {}


def _of_every_label(
    rows: Float[np.ndarray, "examples features"], labels: Int[np.ndarray, " examples"], k: int
) -> tuple[Int[np.ndarray, "k examples"], Bool[np.ndarray, "k examples"]]:
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order][0] - 1))
    classes = np.split(order, starts[1:])
    size = max(map(len, classes))  # all classes as long as the largest share a program
    kernel, width = functools.partial(_nearest, k=min(k, size)), min(_ROWS, size)
    found, known = np.zeros((k, len(labels)), np.int32), np.zeros((k, len(labels)), bool)
    for own in classes:
        unit = np.zeros((size, rows.shape[1]), np.float32)
        unit[: len(own)] = _unit(jnp.asarray(rows[own]))
        alike = (np.arange(size) >= len(own)).astype(np.int32)
        ids = np.arange(len(own))
        places, there = map_examples(
            kernel, (ids, np.zeros(len(own), np.int32), jnp.asarray(unit), alike), (0, 0, None, None), width
        )
        found[: len(places), own] = own[np.minimum(places, len(own) - 1)]
        known[: len(there), own] = there
    return found, known


def _unit(rows: Float[Array, "examples features"]) -> Float[Array, "examples features"]:
    norm = cast(Array, jnp.linalg.norm(rows, axis=1, keepdims=True))
    return rows / jnp.where(norm > 0, norm, 1)


@jit(static_argnames="k")
def _nearest(
    ids: Int[AnyArray, " block"],
    own: Int[AnyArray, " block"],
    unit: Float[AnyArray, "examples features"],
    labels: Int[AnyArray, " examples"],
    *,
    k: int,
) -> tuple[Int[Array, "k block"], Bool[Array, "k block"]]:
    alike = (own[:, None] == labels) & (ids[:, None] != jnp.arange(len(labels)))
    similarity, found = lax.top_k(jnp.where(alike, unit[ids] @ unit.T, -jnp.inf), k)
    return found.T, jnp.isfinite(similarity).T
