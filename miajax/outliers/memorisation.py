"""What the shadow ensemble itself says about each example: memorisation, influence, consistency.

Feldman and Zhang 2020 (arXiv 2008.03703) estimate from models trained on random subsets how much an example's own
presence changes its prediction (memorisation) and those of others (influence); Jiang et al. 2021 (arXiv 2002.03206)
call the accuracy without it the consistency score. A shadow campaign is such an ensemble.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.signals.bundle import AnyArray

_BLOCK = 256  # examples whose influences on all others are held at once


class Memorisation(NamedTuple):
    """How an example fares with and without its own presence in training.

    Attributes:
      seen, unseen: ``[N]``, mean over the valid models that trained on it, and over those that did not; NaN where
        there is none.
      memorised: ``[N]``, ``seen - unseen``: near 1 for an example that is only right when it was trained on.
      standard_error: ``[N]``, of ``memorised``.
    """

    seen: Float[Array, " examples"]
    unseen: Float[Array, " examples"]
    memorised: Float[Array, " examples"]
    standard_error: Float[Array, " examples"]


def memorisation(
    correct: Bool[AnyArray, "models examples"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> Memorisation:
    """Memorisation in accuracy, with binomial standard errors.

    The errors are those of Agresti and Caffo 2000, ``p (1 - p) / (n + 2)`` at ``p = (successes + 1) / (n + 2)`` for
    each side: unanimous models, the usual case, would otherwise claim an error of 0.

    Args:
      correct: whether each model classifies each example as its label.
      member: whether it trained on it.
      valid: models to count.
    """
    hits = correct.astype(jnp.float32)
    sides = _sides(member, valid)
    counts = sides.sum(1)
    successes = (sides * jnp.where(valid[:, None], hits, 0.0)).sum(1)
    mean = successes / counts
    share = (successes + 1.0) / (counts + 2.0)
    variance = share * (1.0 - share) / (counts + 2.0)
    return _of(mean, variance)


def memorisation_of_probability(
    probability: Float[AnyArray, "models examples"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> Memorisation:
    """Memorisation in the probability of the label: finer than accuracy, since it moves before the prediction flips.

    Standard errors from the sample variances (divisor n - 1) of both sides; NaN where a side has fewer than two models.

    Args:
      probability: each model's probability of each example's label.
      member, valid: as in ``memorisation``.
    """
    sides = _sides(member, valid)
    counts = sides.sum(1)
    known = jnp.where(valid[:, None], probability, 0.0)
    mean = (sides * known).sum(1) / counts
    squares = (sides * (known - mean[:, None]) ** 2).sum(1)
    return _of(mean, jnp.where(counts > 1, squares / (counts - 1.0), jnp.nan) / counts)


def influence(
    outcome: Float[AnyArray, "models outcomes"] | Bool[AnyArray, "models outcomes"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> Float[Array, "examples outcomes"]:
    """Influence of each example i on each outcome j: its mean over models that trained on i minus over the others.

    Outcomes are correctness or probabilities of any examples, of the pool or beside it; where j is i itself, this is
    its memorisation. Two products over the mask.

    Args:
      outcome: ``[M, J]``.
      member: ``bool[M, N]``.
      valid: ``bool[M]``, models to count.

    Returns:
      ``[N, J]``; NaN where one side has no valid model.
    """
    known = jnp.where(valid[:, None], outcome.astype(jnp.float32), 0.0)
    seen, unseen = _sides(member, valid)
    return (seen.T @ known) / seen.sum(0)[:, None] - (unseen.T @ known) / unseen.sum(0)[:, None]


def strongest_influence(
    outcome: Float[AnyArray, "models examples"] | Bool[AnyArray, "models examples"],
    member: Bool[AnyArray, "models examples"],
    valid: Bool[AnyArray, " models"],
) -> tuple[Float[Array, " examples"], Int[Array, " examples"]]:
    """The largest influence of each example on any other example, and which one that is.

    The largest of N - 1 estimates is partly luck: it lies above 0 where no example influences another.

    Args:
      outcome, member, valid: as in ``influence``, the outcomes being those of the N examples themselves.
    """
    num_examples = member.shape[1]
    known = jnp.where(valid[:, None], outcome.astype(jnp.float32), 0.0)
    seen, unseen = _sides(member, valid)

    def of_block(rows):
        inside, outside = seen[:, rows], unseen[:, rows]
        found = (inside.T @ known) / inside.sum(0)[:, None] - (outside.T @ known) / outside.sum(0)[:, None]
        found = jnp.where(rows[:, None] == jnp.arange(num_examples), -jnp.inf, found)
        return found.max(-1), found.argmax(-1)

    blocks = -(-num_examples // _BLOCK)  # [N, N] influences would not fit
    rows = jnp.minimum(jnp.arange(blocks * _BLOCK), num_examples - 1).reshape(blocks, _BLOCK)
    strongest, others = jax.lax.map(of_block, rows)
    return strongest.reshape(-1)[:num_examples], others.reshape(-1)[:num_examples]


def _sides(member: AnyArray, valid: AnyArray) -> Array:
    """Which valid models saw each example, and which did not: ``float32[2, M, N]``."""
    return jnp.stack([member & valid[:, None], ~member & valid[:, None]]).astype(jnp.float32)


def _of(mean: Array, variance: Array) -> Memorisation:
    return Memorisation(mean[0], mean[1], mean[0] - mean[1], jnp.sqrt(variance.sum(0)))
