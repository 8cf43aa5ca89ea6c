"""HAMP's training loss: soft labels of high entropy, and a reward for unsure predictions.

Chen and Pattabiraman 2024 (arXiv 2307.01610); its answers are ``miajax.defenses.hamp``.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from miajax.arrays import AnyArray


def label_probability(entropy_share: float, num_classes: int) -> float:
    """The label's probability in the soft label of least smoothing that reaches the wanted entropy.

    The other classes share the rest evenly; the published code walks down from 1 in steps of .01 to the first
    probability that is enough.

    Args:
      entropy_share: wanted entropy as a share of log C, in [0, 1]; 0 is the hard label, 1 the uniform one.
      num_classes: C, at least 2.
    """
    from scipy import optimize  # a fifth of a second that only this recipe has to wait

    if not 0.0 <= entropy_share <= 1.0:
        raise ValueError(f"entropy_share {entropy_share}: expected a share in [0, 1]")
    wanted = entropy_share * np.log(num_classes)

    def excess(p: float) -> float:
        rest = (1.0 - p) / (num_classes - 1)
        return sum(-n * q * np.log(q) for n, q in ((1, p), (num_classes - 1, rest)) if q > 0) - wanted

    if excess(1.0) >= 0:
        return 1.0
    if excess(1.0 / num_classes) <= 0:
        return 1.0 / num_classes
    return optimize.brentq(excess, 1.0 / num_classes, 1.0)  # pyright: ignore[reportReturnType]


def soft_labels(
    labels: Int[AnyArray, "*batch"], num_classes: int, entropy_share: float
) -> Float[Array, "*batch classes"]:
    """Soft labels of the wanted entropy; see ``label_probability``."""
    probability = label_probability(entropy_share, num_classes)
    one_hot = jax.nn.one_hot(labels, num_classes)
    return one_hot * probability + (1.0 - one_hot) * (1.0 - probability) / (num_classes - 1)


def hamp_loss(
    logits: Float[AnyArray, "batch classes"], targets: Float[AnyArray, "batch classes"], penalty: float
) -> Float[Array, " batch"]:
    """``KL(targets || softmax(z)) - penalty * H(softmax(z))`` of each example, in nats.

    Args:
      logits: of a batch.
      targets: from ``soft_labels``.
      penalty: how much an unsure prediction is rewarded; 0 leaves soft-label training.
    """
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32))
    log_t = jnp.log(jnp.where(targets > 0, targets, 1.0))
    return (targets * (log_t - log_p)).sum(-1) + penalty * (jnp.exp(log_p) * log_p).sum(-1)
