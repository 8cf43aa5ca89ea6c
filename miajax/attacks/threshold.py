"""Attacks on one model that look at one number: its confidence in the label, or whether it is right."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.attacks.attack import NOTHING, Attack, Member, Names, Partners, ScaledLogit, Scores, Valid, needed
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.options import AttackOptions
from miajax.signals.bundle import Signals
from miajax.typed import jit


@jit
def _mean_over_queries(scaled_logit: ScaledLogit) -> Float[Array, "models examples"]:
    return scaled_logit.mean(-1)


def _global_threshold(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    phi = needed(signals.scaled_logit)
    width = block_width(phi.shape[0] * phi.shape[2])
    return {"global_threshold": map_examples(_mean_over_queries, (phi,), (1,), width)}


def _gap(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    return {"gap": jnp.asarray(signals.correct).astype(jnp.float32)}


ATTACKS = (
    Attack(
        "global_threshold",
        "Global threshold",
        _global_threshold,
        "threshold",
        ("scaled_logit",),
        0,
        0,
        requires=f"one threshold for all examples; {NOTHING}",
        knowledge="the target's confidence in the label",
        source="Yeom et al. 2018 (arXiv 1709.01604); a threshold on the loss, which falls as the scaled logit grows",
        cost="none beyond the queries",
    ),
    Attack(
        "gap",
        "Gap (right or wrong)",
        _gap,
        "threshold",
        ("correct",),
        0,
        0,
        requires=f"the predicted label; {NOTHING}",
        knowledge="the target's predicted class",
        source="Yeom et al. 2018 (arXiv 1709.01604): right means member, so its advantage is the generalisation gap",
        cost="none beyond one query",
    ),
)
