"""What training minimises."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cross_entropy(
    logits: Float[Array, "batch classes"], labels: Int[Array, " batch"], label_smoothing: float = 0.0
) -> Float[Array, " batch"]:
    """Softmax cross-entropy of each example in nats, against targets ``(1-s) onehot + s/C`` where smoothing is s."""
    logits = logits.astype(jnp.float32)
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    # A product with the one-hot row, not a gather: its gradient is no scatter, which XLA:CPU runs one row at a time.
    of_label = jnp.sum(logits * jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype), axis=-1)
    if label_smoothing:
        of_label = (1.0 - label_smoothing) * of_label + label_smoothing * logits.mean(axis=-1)
    return normaliser - of_label
