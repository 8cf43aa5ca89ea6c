"""One threshold per class in place of one for all, learnt on shadow models.

Song and Mittal 2021 (arXiv 2003.10595): classes differ in how confident a model is of them. As a score, each example's
value less the threshold of its class.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.attacks.attack import Labels, Member, Partners, Valid, partners_in, sides
from miajax.signals.bundle import AnyArray
from miajax.typed import jit

_CANDIDATES = 256


def less_class_thresholds(
    scores: Float[AnyArray, "models examples"],
    labels: Int[AnyArray, " examples"],
    member: Member,
    valid: Valid,
    partners: Partners = None,
    *,
    num_classes: int,
) -> Float[Array, "models examples"]:
    """Scores less the threshold of each example's class that best tells members apart on the other models.

    The threshold has the largest TPR - FPR over the other models' examples of the class, among the scores' quantiles.

    Args:
      scores: ``[M, N]``, higher = member; rows of failed models are ignored.
      labels: ``int32[N]`` in ``0..num_classes-1``.
      member: ``bool[M, N]``.
      valid: ``bool[M]``.
      partners: see ``Attack.score``; a target's partner is not among the other models.
      num_classes: C.

    Returns:
      ``float[M, N]``; NaN for classes without a member or a non-member among the other models.
    """
    partners = partners_in(member) if partners is None else partners
    return _less_thresholds(scores, labels, member, valid, partners, num_classes=num_classes)


@jit(static_argnames="num_classes")
def _less_thresholds(
    scores: Float[AnyArray, "models examples"],
    labels: Labels,
    member: Member,
    valid: Valid,
    partners: Partners,
    *,
    num_classes: int,
) -> Float[Array, "models examples"]:
    scores = jnp.asarray(scores)
    candidates = thresholds_to_try(scores, valid)
    bins = jnp.searchsorted(candidates, scores, side="right")  # how many candidates a score reaches

    def counts(side: Array) -> Array:
        """``[C, candidates]``: how many of a model's examples of a class reach each candidate."""

        def of_model(model_bins: Array, model_side: Array) -> Array:
            cell = labels * (_CANDIDATES + 1) + model_bins
            flat = jnp.zeros(num_classes * (_CANDIDATES + 1), jnp.int32).at[cell].add(model_side.astype(jnp.int32))
            by_class = flat.reshape(num_classes, -1)
            return jnp.cumsum(by_class[:, ::-1], 1)[:, ::-1]

        reached = jax.vmap(of_model)(bins, side)
        if partners is None:
            return reached.sum(0) - reached
        alone = (partners == jnp.arange(len(scores)))[:, None, None]
        return reached.sum(0) - reached - jnp.where(alone, 0, reached[partners])

    inside, outside = (counts(side) for side in sides(jnp.asarray(member), jnp.asarray(valid)))
    advantage = inside[..., 1:] / inside[..., :1] - outside[..., 1:] / outside[..., :1]
    best = candidates[jnp.argmax(advantage, -1)]
    best = jnp.where(jnp.isnan(advantage[..., 0]), jnp.nan, best)
    return scores - best[:, labels]


def thresholds_to_try(scores: Float[Array, "models examples"], valid: Valid) -> Float[Array, " k"]:
    """Quantiles of the valid models' scores, ascending."""
    known = jnp.where(jnp.asarray(valid)[:, None], scores, jnp.nan).ravel()
    return jnp.nanquantile(known, (jnp.arange(_CANDIDATES) + 0.5) / _CANDIDATES)
