"""Running a compiled kernel over the pool a block of examples at a time.

A block small enough for a core's cache is several times faster than the whole pool at once, bounds the memory whatever
N is, and lets signals stay in a memory map. Blocks run side by side, one thread a core. Inside a JAX transformation,
where nothing can be read block by block, the whole pool is one block.

Kernels must not call LAPACK (``jnp.linalg``): XLA's batched calls wait for the very threads that the blocks occupy, and
two blocks then wait for ever.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_BLOCK_NUMBERS = 1 << 18  # float32 numbers of the largest input in one block: 1 MiB, half a core's second-level cache
Result = TypeVar("Result")


def block_width(numbers_per_example: int) -> int:
    """How many examples make a block, a multiple of 16, if each has so many numbers (models times queries)."""
    return max(16, _BLOCK_NUMBERS // max(1, numbers_per_example) // 16 * 16)


def map_examples(
    kernel: Callable[..., Result], arrays: Sequence[Any], axes: Sequence[int | None], width: int
) -> Result:
    """The kernel's result on the whole pool, computed in blocks of ``width`` examples.

    Args:
      kernel: compiled function of one block of every array; its results have examples as their last axis and no
        example's result depends on another example. The last block is filled up with copies of its last example.
      arrays: NumPy arrays, memory maps, JAX arrays or tracers; None stays None.
      axes: where each array has its examples; None for an array, not the first, that every block sees whole.
      width: examples a block.

    Returns:
      The kernel's tuple or dict, of NumPy arrays; of tracers if an array is one.
    """
    if any(isinstance(array, Tracer) for array in arrays):
        return kernel(*(array if array is None else jnp.asarray(array) for array in arrays))
    num_examples = arrays[0].shape[axes[0]]
    width = min(width, num_examples)

    def run(start: int) -> Result:
        stop = min(start + width, num_examples)
        block = [_rows(array, axis, start, stop, width) for array, axis in zip(arrays, axes, strict=True)]

        def kept(result: Any) -> np.ndarray:
            return np.asarray(result)[..., : stop - start]

        return jax.tree.map(kept, kernel(*block))

    def room(part: np.ndarray) -> np.ndarray:
        return np.empty((*part.shape[:-1], num_examples), part.dtype)

    starts = range(0, num_examples, width)
    first = run(0)  # compiles once, before the threads would each compile
    if len(starts) == 1:
        return first
    whole: Result = jax.tree.map(room, first)

    def store(start: int, part: Result) -> None:
        for into, values in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
            into[..., start : start + values.shape[-1]] = values

    def fill(start: int) -> None:
        store(start, run(start))

    store(0, first)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, starts[1:]))
    return whole


def _rows(array: Any, axis: int | None, start: int, stop: int, width: int) -> Any:
    if axis is None:
        return array
    rows = np.asarray(array[(slice(None),) * axis + (slice(start, stop),)])
    missing = width - (stop - start)
    if not missing:
        return rows
    last = np.take(rows, [-1], axis)
    return np.concatenate([rows, np.repeat(last, missing, axis)], axis)
