"""A model's risk from its losses alone: no attack on examples, one number a model."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from miajax.signals.bundle import AnyArray
from miajax.signals.scaled_logit import loss
from miajax.typed import jit


@jit
def tnr_of_loss(
    scaled_logit: Float[AnyArray, "models examples queries"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
    level: float | Float[AnyArray, ""] = 0.001,
) -> Float[Array, " models"]:
    """The share of non-members whose loss exceeds that of all but ``level`` of the members.

    A stand-in for the true positive rate at a false positive rate of ``level`` that needs no shadow model: a model that
    keeps such non-members apart has memorised the members like them.

    Args:
      scaled_logit: ``float32[M, N, Q]``; the loss is averaged over queries.
      member: ``bool[M, N]``.
      valid: ``bool[M]``.
      level: fraction of the members above the threshold.

    Returns:
      ``float32[M]``, fractions; NaN for failed models.
    """
    losses = loss(jnp.asarray(scaled_logit)).mean(-1)
    threshold = jnp.nanquantile(jnp.where(member, losses, jnp.nan), 1 - level, axis=1, keepdims=True)
    outside = ~member
    return jnp.where(valid, (outside & (losses > threshold)).sum(1) / outside.sum(1), jnp.nan)
