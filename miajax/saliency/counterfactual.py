"""Counterfactual saliency: what models that trained on an example look at, against models that did not.

The difference of the two mean maps shows what an example's own presence in training changes in how it is read. Maps of
many models do not fit in memory, so sums are taken group by group and added up.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from miajax.signals.bundle import AnyArray


class MapSums(NamedTuple):
    """What is kept of the maps of any number of models; sums of disjoint groups add up leaf by leaf.

    Attributes:
      count: ``[2, N]``, models that saw each example, and models that did not.
      total: ``[2, N, ...]``, sums of their maps.
      squares: ``[2, N]``, sums of their maps' squared lengths.
    """

    count: Float[Array, "2 examples"]
    total: Float[Array, "2 examples *input"]
    squares: Float[Array, "2 examples"]


class Counterfactual(NamedTuple):
    """An example's maps with and without its presence in training.

    Attributes:
      seen, unseen: ``[N, ...]``, mean maps; NaN where no model is on that side.
      difference: ``seen - unseen``.
      shift: ``[N]``, the squared length of the true difference over the variance of one model's map, estimated
        without bias: 0 on average, and as often negative, where presence changes nothing, 1 where it moves the map by
        as much as two models differ anyway. NaN below two models on a side.
    """

    seen: Float[Array, "examples *input"]
    unseen: Float[Array, "examples *input"]
    difference: Float[Array, "examples *input"]
    shift: Float[Array, " examples"]


def map_sums(
    maps: Float[AnyArray, "models examples *input"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> MapSums:
    """Sums over one group of models.

    Args:
      maps: each model's map of each example; divide by their length first where only the pattern matters.
      member: whether the model trained on the example.
      valid: models to count.
    """
    sides = jnp.stack([member & valid[:, None], ~member & valid[:, None]]).astype(maps.dtype)
    known = jnp.where(valid.reshape(-1, *[1] * (maps.ndim - 1)), maps, 0.0)
    squares = (known**2).sum(tuple(range(2, maps.ndim)))
    return MapSums(sides.sum(1), jnp.einsum("smn,mn...->sn...", sides, known), (sides * squares).sum(1))


def counterfactual(sums: MapSums) -> Counterfactual:
    """Mean maps, their difference and its size from the sums over all models."""
    count = sums.count
    mean = sums.total / count.reshape(*count.shape, *[1] * (sums.total.ndim - 2))
    pixels = tuple(range(2, mean.ndim))
    # The sample variance of a side's maps, summed over pixels; rounding must not make it negative.
    variance = jnp.maximum(sums.squares - count * (mean**2).sum(pixels), 0.0) / (count - 1.0)
    variance = jnp.where(count > 1, variance, jnp.nan)
    difference = mean[0] - mean[1]
    length = (difference**2).sum(tuple(range(1, difference.ndim)))
    return Counterfactual(mean[0], mean[1], difference, (length - (variance / count).sum(0)) / variance.mean(0))


def unit_length(maps: Float[AnyArray, "models examples *input"]) -> Float[Array, "models examples *input"]:
    """Maps divided by their Euclidean length, so that sharp and flat models count alike; zero maps stay zero."""
    length = jnp.sqrt((maps**2).sum(tuple(range(2, maps.ndim)), keepdims=True))
    return jnp.asarray(maps) / jnp.where(length > 0, length, 1.0)
