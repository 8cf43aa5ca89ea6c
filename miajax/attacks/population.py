"""Comparing an example with the population: examples like it that the target did not train on.

The population is what the signals bring for it, or else the pool itself, the target's members masked and the example
never compared with itself.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray


def pool_sample(num_examples: int, size: int | None) -> Int[np.ndarray, " population"]:
    """``size`` examples spread evenly over the pool, all of them if None or if there are no more."""
    if size is None or size >= num_examples:
        return np.arange(num_examples)
    return np.linspace(0, num_examples - 1, size).round().astype(np.int64)


def share_of_pool_below(
    values: Float[AnyArray, "models examples"],
    plain: Float[AnyArray, "models examples"],
    ids: Int[AnyArray, " population"],
    member: Bool[AnyArray, "models examples"],
    margin: float = 0.0,
    ties: Literal["below", "not below"] = "not below",
) -> Float[Array, "models examples"]:
    """``share_below`` of the pool's examples ``ids``, each target's members masked, no example compared with itself.

    Args:
      values: ``[M, N]``, what is judged.
      plain: ``[M, N]``, what it is compared with; examples without a finite one are left out.
      ids: from ``pool_sample``.
      member: ``bool[M, N]``.
      margin, ties: as there.
    """
    usable = ~member & jnp.isfinite(plain)
    chosen = jnp.zeros(plain.shape[1], bool).at[ids].set(True)
    own = jnp.where(usable & chosen, plain, jnp.nan)
    return share_below(values, plain[:, ids], usable[:, ids], own, margin, ties)


def share_below(
    values: Float[AnyArray, "models examples"],
    population: Float[AnyArray, "models population"],
    usable: Bool[AnyArray, "models population"],
    own: Float[AnyArray, "models examples"] | None = None,
    margin: float = 0.0,
    ties: Literal["below", "not below"] = "not below",
) -> Float[Array, "models examples"]:
    """The share of each model's usable population that lies below a value less a margin.

    Exact in O((N + P) log P) a model: one sort of the population, one binary search a value.

    Args:
      values: ``[M, N]``.
      population: ``[M, P]``.
      usable: which of the population count for each model.
      own: the example's own entry in the usable population, to be left out of its comparison, NaN where it has none;
        None if no example has one.
      margin: taken off the value before comparing.
      ties: whether an equal value counts as below.

    Returns:
      ``float[M, N]`` in 0..1; NaN for a model without a usable population.
    """
    side = "right" if ties == "below" else "left"
    thresholds = jnp.asarray(values) - margin

    def of_model(model):
        threshold, others, counts = model
        return jnp.searchsorted(jnp.sort(jnp.where(counts, others, jnp.inf)), threshold, side=side)

    below = jax.lax.map(of_model, (thresholds, jnp.asarray(population), jnp.asarray(usable)))
    total = usable.sum(1, keepdims=True)
    if own is not None:
        below = below - (own <= thresholds if ties == "below" else own < thresholds)
        total = total - ~jnp.isnan(own)
    return below / jnp.where(total > 0, total, jnp.nan)
