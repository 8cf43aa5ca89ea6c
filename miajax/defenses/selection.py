"""Example-specific protection: which examples to treat, and what to put in place of their labels."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray


def most_outlying(scores: Float[AnyArray, " examples"], share: float) -> Bool[Array, " examples"]:
    """The ``share`` of examples with the highest scores, rounded up to whole examples.

    Exactly that many whatever the ties (the earlier of equal ones first); NaN is never chosen unless nothing else is
    left.

    Args:
      scores: higher = more in need of protection.
      share: in [0, 1].
    """
    scores = jnp.asarray(scores)
    count = math.ceil(share * len(scores) - 1e-9)  # .07 * 100 is a hair above 7
    order = jnp.argsort(jnp.where(jnp.isnan(scores), -jnp.inf, scores), descending=True, stable=True)
    return jnp.zeros(len(scores), bool).at[order[:count]].set(True)


def relabelled(
    labels: Int[AnyArray, " examples"],
    flagged: Bool[AnyArray, " examples"],
    class_scores: Float[AnyArray, "models examples classes"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> Int[Array, " examples"]:
    """Labels with those of flagged examples replaced by what models that never saw them say.

    The replacement is the class with the largest mean score over the valid models that did not train on the example; a
    flagged example that every valid model saw keeps its label.

    Args:
      labels: ``int[N]``.
      flagged: which to replace.
      class_scores: probabilities (or logits) ``[M, N, C]`` of an ensemble trained without the defence.
      member: who trained on what.
      valid: models to listen to.
    """
    unseen = ~member & valid[:, None]
    scores = jnp.where(unseen[..., None], class_scores, 0.0).sum(0)
    return jnp.where(flagged & unseen.any(0), jnp.argmax(scores, axis=-1).astype(labels.dtype), labels)
