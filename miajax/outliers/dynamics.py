"""What training itself shows about an example: errors early on, margins, forgetting, loss traces.

A trace is what a model says of an example after every epoch, ``[M, E, N]``; epochs that it did not train, because its
training had stopped early, are NaN and count for nothing. These scores describe how a model trains *on* an example, so
they are averaged over the models that did (``mean_over_members``).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray


def mean_over_members(
    values: Float[AnyArray, "models examples"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> Float[Array, " examples"]:
    """Mean over the valid models that trained on each example and have a value; NaN where there is none."""
    counted = member & valid[:, None] & ~jnp.isnan(values)
    return jnp.where(counted, values, 0.0).sum(0) / counted.sum(0)


def el2n(
    logits: Float[AnyArray, "models examples classes"], labels: Int[AnyArray, " examples"]
) -> Float[Array, "models examples"]:
    """Length of the error vector, ``||softmax(z) - onehot(y)||_2``, 0 to sqrt(2); meant for an early epoch.

    Paul et al. 2021 (arXiv 2107.07075). In the logits it is the loss gradient's length.
    """
    errors = jax.nn.softmax(logits) - jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return jnp.linalg.norm(errors, axis=-1)


def forgetting_events(margins: Float[AnyArray, "models epochs examples"]) -> Float[Array, "models examples"]:
    """How often an example went from right (margin above 0) to wrong between epochs; E where it was never right.

    Toneva et al. 2019 (arXiv 1812.05159) rank examples that are never learnt as forgotten most; E is more than any
    trace of E epochs can show. NaN where no epoch was trained.
    """
    right, wrong = margins > 0, margins <= 0
    forgotten = (right[:, :-1] & wrong[:, 1:]).sum(1)
    events = jnp.where(right.any(1), forgotten, margins.shape[1]).astype(jnp.float32)
    return jnp.where(jnp.isnan(margins).all(1), jnp.nan, events)


def area_under_margin(margins: Float[AnyArray, "models epochs examples"]) -> Float[Array, "models examples"]:
    """Mean over trained epochs of the margin ``z_y - max of the others``; low for mislabelled and hard examples.

    Pleiss et al. 2020 (arXiv 2001.10528).
    """
    return jnp.nanmean(margins, 1)


def loss_trace_iqr(losses: Float[AnyArray, "models epochs examples"]) -> Float[Array, "models examples"]:
    """Interquartile range over trained epochs of an example's loss, in nats.

    The LT-IQR of Pollock et al. 2024 (arXiv 2411.05743): an example that is learnt late has been at both ends.
    """
    quartiles = jnp.nanquantile(losses, jnp.asarray([0.25, 0.75]), axis=1)
    return quartiles[1] - quartiles[0]
