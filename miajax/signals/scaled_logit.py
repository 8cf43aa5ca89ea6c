"""Per-example signals of one prediction, all from logits and all finite at logits of 1e4.

In every function ``logits`` is ``[..., C]`` and ``labels`` any integer array that broadcasts against its leading axes:
``int32[N, 1]`` against logits ``[M, N, Q, C]``, ``int32[N]`` against ``[M, N, C]``.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray


def scaled_logit(logits: Float[AnyArray, "*batch classes"], labels: Int[AnyArray, "..."]) -> Float[Array, "*batch"]:
    """The logit of the probability of the label, ``log(p_y / (1 - p_y)) = z_y - logsumexp of the other logits``.

    Carlini et al. 2022 (arXiv 2112.03570) attack this number because it is nearly Gaussian over models.

    Args:
      logits: unnormalised scores ``[..., C]``, C at least 2.
      labels: classes in ``0..C-1``, broadcastable against the leading axes.

    Returns:
      ``[...]``, in the logits' precision.
    """
    own = _is_label(logits, labels)
    others = jnp.where(own, -jnp.inf, logits)
    best = others.max(-1)
    # the difference of the two largest terms first: at |z| = 1e4 a logsumexp has lost the digits below 1e-3
    return (_at_label(logits, own) - best) - jnp.log(jnp.exp(others - best[..., None]).sum(-1))


def hinge(logits: Float[AnyArray, "*batch classes"], labels: Int[AnyArray, "..."]) -> Float[Array, "*batch"]:
    """The margin ``z_y - max of the other logits``."""
    own = _is_label(logits, labels)
    return _at_label(logits, own) - jnp.where(own, -jnp.inf, logits).max(-1)


def loss(scaled_logits: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """The cross-entropy ``-log p_y`` of a scaled logit, in nats."""
    return jax.nn.softplus(-scaled_logits)


def entropy(logits: Float[AnyArray, "*batch classes"]) -> Float[Array, "*batch"]:
    """The entropy of the prediction, ``-sum_i p_i log p_i``, in nats."""
    log_p, _ = _log_p_and_not_p(logits)
    return -(jnp.exp(log_p) * log_p).sum(-1)


def modified_entropy(logits: Float[AnyArray, "*batch classes"], labels: Int[AnyArray, "..."]) -> Float[Array, "*batch"]:
    """Entropy that knows the label: ``-(1-p_y) log p_y - sum_{i != y} p_i log(1-p_i)``, low for a member.

    Song and Mittal 2021 (arXiv 2003.10595), equation 8.
    """
    own = _is_label(logits, labels)
    log_p, log_not_p = _log_p_and_not_p(logits)
    terms = jnp.where(own, jnp.exp(log_not_p) * log_p, jnp.exp(log_p) * log_not_p)
    return -terms.sum(-1)


def correct(logits: Float[AnyArray, "*batch classes"], labels: Int[AnyArray, "..."]) -> Bool[Array, "*batch"]:
    """Whether the largest logit is the label's; the first of equal ones counts as the prediction."""
    return jnp.argmax(logits, axis=-1) == labels


def _is_label(scores: AnyArray, labels: AnyArray) -> Array:
    return jnp.asarray(labels)[..., None] == jnp.arange(scores.shape[-1])


def _at_label(scores: AnyArray, own: AnyArray) -> Array:
    return jnp.where(own, scores, 0).sum(-1)


def _log_p_and_not_p(logits: AnyArray) -> tuple[Array, Array]:
    """``log p_i`` and ``log(1 - p_i)`` of every class, with all digits where one class takes nearly everything."""
    top = jnp.argmax(logits, axis=-1)[..., None] == jnp.arange(logits.shape[-1])
    below = jnp.asarray(logits - logits.max(-1, keepdims=True))
    rest = jnp.where(top, 0, jnp.exp(below)).sum(-1, keepdims=True)  # all other classes, the top one being 1
    log_p = below - jnp.log1p(rest)
    second = jnp.where(top, -jnp.inf, below).max(-1, keepdims=True)
    log_rest = second + jnp.log(jnp.where(top, 0, jnp.exp(below - second)).sum(-1, keepdims=True))
    log_not_p = jnp.where(top, log_rest - jnp.log1p(rest), jnp.log1p(-jnp.exp(jnp.where(top, -jnp.inf, log_p))))
    return log_p, log_not_p
