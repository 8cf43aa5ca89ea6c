"""RelaxLoss: training towards a loss above zero, so that members' losses look like others'."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.arrays import AnyArray


def relax_loss(
    logits: Float[AnyArray, "batch classes"],
    labels: Int[AnyArray, " batch"],
    epoch: int | Int[AnyArray, ""],
    *,
    alpha: float = 1.0,
    upper: float = 1.0,
) -> Float[Array, ""]:
    """The loss of one batch; its gradient trains the model.

    Chen et al. 2022 (arXiv 2207.05801), algorithm 1. In even epochs ``|mean CE - alpha|``: descent above the target,
    ascent below it. In odd epochs the plain mean cross-entropy above the target; below it, cross-entropy against
    flattened posteriors: the label keeps its present probability (at most ``upper``), the other classes share the rest
    evenly, and these targets are constants to the gradient. The authors' settings: alpha 1, upper 1 for CIFAR-10;
    .8 and .3 for Purchase-100.

    Args:
      logits: of a batch.
      labels: ``int[B]``.
      epoch: 0-based; its parity decides.
      alpha: the target loss, in nats.
      upper: the highest probability that a flattened target gives the label.
    """
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
    one_hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=log_p.dtype)
    mean = -(one_hot * log_p).sum(-1).mean()
    targets = jax.lax.stop_gradient(flattened_posteriors(log_p, one_hot, upper))
    flattened = -(targets * log_p).sum(-1).mean()
    odd = jnp.where(mean > alpha, mean, flattened)
    return jnp.where(jnp.asarray(epoch) % 2 == 0, jnp.abs(mean - alpha), odd)


def flattened_posteriors(
    log_p: Float[Array, "batch classes"], one_hot: Float[Array, "batch classes"], upper: float
) -> Float[Array, "batch classes"]:
    """The label's probability, at most ``upper``, and the rest spread evenly over the other classes."""
    label = jnp.minimum(jnp.exp((one_hot * log_p).sum(-1, keepdims=True)), upper)
    return one_hot * label + (1.0 - one_hot) * (1.0 - label) / (log_p.shape[-1] - 1)
