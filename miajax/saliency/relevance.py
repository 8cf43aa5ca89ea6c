"""Numbers from maps: how much of a map lies on the background, and how fast the class fades as its pixels go."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray


def pixel_relevance(maps: Float[AnyArray, "batch *input"]) -> Float[Array, "batch pixels"]:
    """The absolute value of a map, summed over the channels of images ``[B, H, W, K]``, one row an example."""
    magnitude = jnp.abs(maps)
    return (magnitude.sum(-1) if maps.ndim == 4 else magnitude).reshape(len(maps), -1)


def background_mass(
    relevance: Float[AnyArray, "batch pixels"], background: Bool[AnyArray, "batch pixels"]
) -> Float[Array, " batch"]:
    """Share of a map's mass on background pixels; NaN for a map without mass.

    Against it stands the share of pixels that are background: a map that is blind to the picture has just that.

    Args:
      relevance: non-negative, from ``pixel_relevance``.
      background: where nothing is drawn, such as pixels that are 0 as stored.
    """
    return jnp.where(background, relevance, 0.0).sum(-1) / relevance.sum(-1)


def deletion_curve(
    probability_of: Callable[[Float[Array, "batch *input"]], Float[Array, " batch"]],
    x: Float[AnyArray, "batch *input"],
    relevance: Float[AnyArray, "batch pixels"],
    fill: Float[AnyArray, "*any"] | float,
    fractions: Float[AnyArray, " fractions"],
) -> Float[Array, "batch fractions"]:
    """The class's probability as ever more of the most relevant pixels are replaced.

    Petsiuk et al. 2018 (arXiv 1806.07421): below the map of what the model rests on, the curve falls fast. Pixels of
    equal relevance go in their order.

    Args:
      probability_of: inputs to the probability of each example's class.
      x: inputs.
      relevance: ``[B, P]``; P is the number of pixels, or of features.
      fill: what stands for nothing, broadcastable against ``x``.
      fractions: shares of pixels to delete, each rounded to a whole number of pixels.
    """
    num_pixels = relevance.shape[1]
    rank = jnp.argsort(jnp.argsort(-relevance, axis=-1), axis=-1)  # 0 for the most relevant

    def after(fraction):
        deleted = rank < jnp.round(fraction * num_pixels)
        deleted = deleted.reshape(*x.shape[:3], 1) if x.ndim == 4 else deleted.reshape(x.shape)
        return probability_of(jnp.where(deleted, fill, x))

    return jax.lax.map(after, jnp.asarray(fractions)).T


def area_under_curve(values: Float[AnyArray, "batch points"], at: Float[AnyArray, " points"]) -> Float[Array, " batch"]:
    """The trapezoid area under each curve, over the width it spans: its mean height."""
    at = jnp.asarray(at)
    return ((values[:, 1:] + values[:, :-1]) / 2 * jnp.diff(at)).sum(-1) / (at[-1] - at[0])


def class_probability(
    logits: Float[AnyArray, "batch classes"], classes: Int[AnyArray, " batch"]
) -> Float[Array, " batch"]:
    """The softmax probability of each example's class."""
    return jnp.take_along_axis(jax.nn.softmax(logits), classes[:, None], axis=-1)[:, 0]
