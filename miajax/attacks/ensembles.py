"""Attacks made of other attacks' scores.

Attacks of equal power name different examples. The mean rank asks them all, whatever their units: every attack ranks a
target's examples, and an example's score is the mean of its ranks. Ties share the middle of their ranks.

Union and intersection name what any attack names, or what all name, each attack naming the same share of a target's
examples. Ranks use no membership. The share of other models' non-members that reach a score would: their scores rest on
shadow models, of which the target is one.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.attacks import base, bavaria, informia, lira, references, rmia
from miajax.attacks.attack import REFERENCES, WITH_AND_WITHOUT, Attack, Member, Names, Partners, Scores, Valid
from miajax.attacks.options import AttackOptions
from miajax.attacks.population import count_below
from miajax.errors import UserError
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit

_MEMBERS = {
    attack.name: attack for family in (lira, references, rmia, base, bavaria, informia) for attack in family.ATTACKS
}


@jit
def _ranks(scores: Float[AnyArray, "models examples"]) -> Float[Array, "models examples"]:
    """The share of the target's scored examples below each, ties half."""
    known = jnp.isfinite(scores)
    twice = count_below(scores, scores, known) + count_below(scores, scores, known, ties="below")
    return jnp.where(known, twice / (2 * known.sum(1, keepdims=True)), jnp.nan)


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    unknown = [name for name in options.mean_rank if name not in _MEMBERS]
    if unknown or not options.mean_rank:
        raise UserError(f"mean_rank of {' '.join(unknown) or 'no attack'}", expected="some of " + ", ".join(_MEMBERS))
    every = [_MEMBERS[name].score(signals, member, valid, options, partners) for name in options.mean_rank]
    ranks = jnp.stack([_ranks(scores) for scores in every])
    found = {"mean_rank": ranks.mean(0), "union": ranks.max(0), "intersection": ranks.min(0)}
    return {name: found[name] for name in names}


ATTACKS = (
    Attack(
        "mean_rank",
        "Mean rank of three attacks",
        _family_scores,
        "ensemble",
        ("scaled_logit", "logits", "labels"),
        1,
        1,
        requires=f"{WITH_AND_WITHOUT}, {REFERENCES}",
        source="ensembles of attacks after the CCS 2025 study of their disagreement (RPI-DSPlab/MIAE); derived here",
        cost="that of its attacks",
    ),
    *(
        Attack(
            name,
            label,
            _family_scores,
            "ensemble",
            ("scaled_logit", "logits", "labels"),
            1,
            1,
            requires=f"{WITH_AND_WITHOUT}, {REFERENCES}",
            source="union and intersection of attacks after the same study; by ranks within a target, derived here",
            cost="that of its attacks",
            usual=False,
        )
        for name, label in (("union", "Union of three attacks"), ("intersection", "Intersection of three attacks"))
    ),
)
