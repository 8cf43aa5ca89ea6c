"""Logit reweighting: answers are pulled towards the mean training answer of the class they predict.

The paper's own defence (Khalil et al. 2025, arXiv 2511.16792), after training and without touching the weights.
Predictions stay where they were, so whoever only looks at correctness (the gap attack) loses nothing; and whoever knows
the centroids can undo most of it (``inversion``).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray


def logit_centroids(
    logits: Float[AnyArray, "examples classes"],
    labels: Int[AnyArray, " examples"],
    member: Bool[AnyArray, " examples"] | None = None,
) -> Float[Array, "classes classes"]:
    """Row c is the mean logit vector of the training examples whose label is c; NaN where there is none.

    Args:
      logits: one model's answers.
      labels: ``int[N]``.
      member: which examples it trained on; all if None.
    """
    counted = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    if member is not None:
        counted = counted * member[:, None]
    return counted.T @ logits / counted.sum(0)[:, None]


def reweight_logits(
    logits: Float[AnyArray, "*batch classes"],
    centroids: Float[AnyArray, "classes classes"],
    weight: float | Float[AnyArray, ""] = 0.1,
) -> Float[Array, "*batch classes"]:
    """``s z + (1 - s) mu_c`` with ``s = weight cos(z, mu_c)``, c the predicted class and ``mu_c`` its centroid.

    At weight 0 every answer is its class's centroid. The prediction stays c whenever 0 <= s <= 1 and c is the largest
    entry of ``mu_c``. Answers that point away from their centroid (s < 0) are mirrored to its other side,
    ``mu_c - |s| (z - mu_c)``: there, and only there, the prediction may change though ``mu_c`` is right. A zero vector
    has no direction: s is 0. A class without a centroid (NaN) leaves its answers as they are.

    Args:
      logits: ``[..., C]``.
      centroids: from ``logit_centroids``.
      weight: how much of an answer is kept, 0 to 1; the paper's is 0.1.
    """
    centroid = centroids[jnp.argmax(logits, axis=-1)]
    known = ~jnp.isnan(centroid).any(-1, keepdims=True)
    centroid = jnp.where(known, centroid, 0.0)
    kept = weight * _cosine(logits, centroid)[..., None]
    return jnp.where(known, kept * logits + (1.0 - kept) * centroid, logits)


def _cosine(a: AnyArray, b: AnyArray) -> Array:
    lengths = jnp.linalg.norm(a, axis=-1) * jnp.linalg.norm(b, axis=-1)
    return jnp.where(lengths > 0, (a * b).sum(-1) / jnp.where(lengths > 0, lengths, 1.0), 0.0)
