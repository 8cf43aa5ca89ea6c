"""What training minimises."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.arrays import AnyArray
from miajax.training.hamp import hamp_loss, soft_labels
from miajax.training.recipe import Recipe
from miajax.training.relaxloss import relax_loss


def cross_entropy(
    logits: Float[AnyArray, "batch classes"], labels: Int[AnyArray, " batch"], label_smoothing: float = 0.0
) -> Float[Array, " batch"]:
    """Softmax cross-entropy of each example in nats, against targets ``(1-s) onehot + s/C`` where smoothing is s."""
    logits = logits.astype(jnp.float32)
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    # A product with the one-hot row, not a gather: its gradient is no scatter, which XLA:CPU runs one row at a time.
    of_label = jnp.sum(logits * jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype), axis=-1)
    if label_smoothing:
        of_label = (1.0 - label_smoothing) * of_label + label_smoothing * logits.mean(axis=-1)
    return normaliser - of_label


def batch_loss(
    recipe: Recipe,
    logits: Float[Array, "batch classes"],
    labels: Int[Array, " batch"],
    epoch: int | Int[Array, ""],
    *,
    share: Float[Array, ""] | None = None,
    weights: Float[Array, " batch"] | None = None,
) -> Float[Array, ""]:
    """What a recipe minimises on one batch, in nats.

    Args:
      recipe: names the loss.
      logits, labels: of the batch.
      epoch: 0-based; RelaxLoss alternates with it.
      share: of each example's own label where the batch is mixed with its reverse, else None.
      weights: of each example in the mean, whose divisor stays the batch's size; None weighs all 1. Where examples are
        mixed, each weighs its own label's part. Not for RelaxLoss, whose targets are the batch's.
    """
    if recipe.relaxloss:
        return relax_loss(logits, labels, epoch, alpha=recipe.relaxloss, upper=recipe.relaxloss_upper)
    loss = _example_losses(recipe, logits, labels, weights)
    if share is not None:
        reverse = None if weights is None else weights[::-1]
        loss = share * loss + (1.0 - share) * _example_losses(recipe, logits, labels[::-1], reverse)
    return loss.mean()


def _example_losses(recipe: Recipe, logits: Array, labels: Array, weights: Array | None) -> Array:
    if recipe.hamp:
        loss = hamp_loss(logits, soft_labels(labels, logits.shape[-1], recipe.hamp), recipe.hamp_penalty)
    else:
        loss = cross_entropy(logits, labels, recipe.label_smoothing)
    return loss if weights is None else weights * loss
