"""A likelihood ratio for whoever sees predicted classes only: is this right (or wrong) answer likelier from members?

LiRA's question (Carlini et al. 2022) put to one bit. Among shadow models with the example, and among those without, the
share that answers as right or wrong as the target, smoothed by Jeffreys' prior of a binomial: (k + 1/2) / (n + 1).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from miajax.attacks.attack import Member, Partners, Valid, left_out, partners_in, sides
from miajax.signals.bundle import AnyArray
from miajax.typed import jit


def label_ratio_scores(
    correct: Bool[AnyArray, "models examples"], member: Member, valid: Valid, partners: Partners = None
) -> Float[Array, "models examples"]:
    """The log ratio of the two shares for every model as target, it and its partner left out; higher = member.

    Args:
      correct: whether each model classifies each example as its label.
      member: who trained on what.
      valid: failed models score NaN and enter no share.
      partners: see ``Attack.score``.
    """
    return _scores(correct, member, valid, partners_in(member) if partners is None else partners)


@jit
def _scores(correct: Member, member: Member, valid: Valid, partners: Partners) -> Float[Array, "models examples"]:
    both = sides(member, valid)
    removed = jax.vmap(left_out, (0, None))
    right = (both & correct).sum(1)[:, None] - removed(both & correct, partners)
    count = both.sum(1)[:, None] - removed(both, partners)
    alike = jnp.where(correct, right, count - right)
    share = jnp.log((alike + 0.5) / (count + 1))
    return jnp.where(valid[:, None], share[0] - share[1], jnp.nan)
