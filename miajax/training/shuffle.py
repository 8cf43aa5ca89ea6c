"""A random order, drawn inside the compiled epoch."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

_PACKED = 4096  # up to here a position and 19 random bits or more share one 32-bit sort key


def shuffled(
    key: jax.Array, ids: Int[Array, " capacity"], padding: Bool[Array, " capacity"] | None = None
) -> Int[Array, " capacity"]:
    """``ids`` in random order, those marked as padding last.

    Short lists are sorted as single words, random bits above and position below: XLA:CPU sorts words four times faster
    than pairs (26 against 107 microseconds for 898 ids, a fifth of a small network's epoch). Two equal draws keep their
    order: of 4,096 ids about 16 pairs among 8 million.
    """
    n = len(ids)
    draws = jax.random.bits(key, (n,), jnp.uint32)
    if padding is not None:
        draws = jnp.where(padding, draws | jnp.uint32(1 << 31), draws >> 1)
    if n > _PACKED:
        return jax.lax.sort_key_val(draws, ids)[1]
    low = jnp.uint32((1 << (n - 1).bit_length()) - 1)
    packed = jax.lax.sort((draws & ~low) | jnp.arange(n, dtype=jnp.uint32))
    return ids[(packed & low).astype(jnp.int32)]
