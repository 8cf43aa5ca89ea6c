"""Maps of many examples, a few at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from miajax.arrays import AnyArray

DEFAULT_BLOCK = 16
"""Images a block on a CPU: activations of a small network stay in a core's second-level cache. (Gradients of a network
of two convolutions on 28x28 images, CPU time an image: 0.42 ms in blocks of 256, 0.23 ms of 16, 0.28 ms of 4.)"""

CAM_BLOCK = 64
"""The same for Grad-CAM, which keeps little more than the forward pass: 8 % faster than blocks of 16."""


def in_blocks(map_of: Callable[..., Any], block: int, *per_example: AnyArray) -> Any:
    """``map_of(*per_example)`` of a function that treats examples apart, ``block`` examples at a time.

    One block after the other inside the program: memory is that of a block, and on a CPU its activations stay in the
    cache. The last block is filled up with copies of the last example.

    Args:
      map_of: arrays ``[block, ...]`` to arrays ``[block, ...]`` (any tree).
      block: examples a block.
      *per_example: arrays ``[N, ...]``.

    Returns:
      ``[N, ...]``, as one call would.
    """
    num_examples = len(per_example[0])
    block = min(block, num_examples)
    blocks = -(-num_examples // block)
    rows = jnp.minimum(jnp.arange(blocks * block), num_examples - 1)
    split = tuple(jnp.asarray(a)[rows].reshape(blocks, block, *a.shape[1:]) for a in per_example)
    maps = jax.lax.map(lambda arrays: map_of(*arrays), split)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:num_examples], maps)
