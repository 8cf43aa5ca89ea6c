"""Comparing an example with the population: examples like it that the target did not train on.

The population is what the signals bring for it, or else the pool itself, the target's members masked and the example
never compared with itself.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray
from miajax.typed import lax_map


def pool_sample(num_examples: int, size: int | None) -> Int[np.ndarray, " population"]:
    """``size`` examples spread evenly over the pool, all of them if None or if there are no more."""
    if size is None or size >= num_examples:
        return np.arange(num_examples)
    return np.linspace(0, num_examples - 1, size).round().astype(np.int64)


def own_entries(
    values: Float[AnyArray, "models examples"],
    usable: Bool[AnyArray, "models examples"],
    ids: Int[AnyArray, " population"],
) -> Float[Array, "models examples"]:
    """Each example's own value where it is in its target's population, NaN where it is not."""
    chosen = jnp.zeros(usable.shape[1], bool).at[ids].set(True)
    return jnp.where(usable & chosen, values, jnp.nan)


def count_below(
    thresholds: Float[AnyArray, "models examples"],
    population: Float[AnyArray, "models population"],
    usable: Bool[AnyArray, "models population"],
    ties: Literal["below", "not below"] = "not below",
) -> Int[Array, "models examples"]:
    """How many of each model's usable population lie below each threshold.

    Exact in O((N + P) log P) a model: one sort of the population, one binary search a threshold.

    Args:
      thresholds: ``[M, N]``.
      population: ``[M, P]``.
      usable: which of the population count for each model.
      ties: whether a value equal to the threshold counts as below.
    """
    side = "right" if ties == "below" else "left"

    def of_model(model: tuple[Array, Array, Array]) -> Array:
        threshold, others, counts = model
        return jnp.searchsorted(jnp.sort(jnp.where(counts, others, jnp.inf)), threshold, side=side)

    return lax_map(of_model, (jnp.asarray(thresholds), jnp.asarray(population), jnp.asarray(usable)))
