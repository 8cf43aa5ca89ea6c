"""Attacks made of other attacks' scores.

Attacks of equal power name different examples. The mean rank asks them all, whatever their units: every attack ranks a
target's examples, and an example's score is the mean of its ranks. Ties share the middle of their ranks.

Union and intersection name what any attack names, or what all name, each at one false-positive rate. A score's rate is
counted on other models, as an attacker has to: it is one increasing function of the score for all examples of a
target, and tells nothing of one example over another.
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


@jit
def _rate_on_others(
    scores: Float[AnyArray, "models examples"], member: Member, valid: Valid, partners: Partners
) -> Float[Array, "models examples"]:
    """Of each score, the share of the other models' non-members that reach it: the FPR of a threshold there.

    The target and its complementary partner are left out.
    """
    known = ~jnp.isnan(scores)
    others = known & ~member & valid[:, None]
    whole = jnp.where(others, scores, jnp.inf).ravel()[None]
    below = count_below(scores.ravel()[None], whole, others.ravel()[None]).reshape(scores.shape)
    reach, count = others.sum() - below, others.sum()
    own = others.sum(1, keepdims=True)
    reach_own = own - count_below(scores, scores, others)
    reach, count = reach - reach_own, count - own
    if partners is not None:
        paired = (partners != jnp.arange(len(partners)))[:, None]
        theirs = own[partners]
        reach_theirs = theirs - count_below(scores, scores[partners], others[partners])
        reach, count = reach - jnp.where(paired, reach_theirs, 0), count - jnp.where(paired, theirs, 0)
    return jnp.where(known, reach / jnp.maximum(count, 1), jnp.nan)


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    unknown = [name for name in options.mean_rank if name not in _MEMBERS]
    if unknown or not options.mean_rank:
        raise UserError(f"mean_rank of {' '.join(unknown) or 'no attack'}", expected="some of " + ", ".join(_MEMBERS))
    every = [_MEMBERS[name].score(signals, member, valid, options, partners) for name in options.mean_rank]
    found: dict[str, Array] = {}
    if "mean_rank" in names:
        found["mean_rank"] = jnp.stack([_ranks(scores) for scores in every]).mean(0)
    if {"union", "intersection"} & set(names):
        rates = jnp.stack(
            [_rate_on_others(scores, jnp.asarray(member), jnp.asarray(valid), partners) for scores in every]
        )
        found |= {"union": -rates.min(0), "intersection": -rates.max(0)}
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
            source="union and intersection of attacks after the same study; thresholds on other models derived here",
            cost="that of its attacks, and a sort of all scores",
            usual=False,
        )
        for name, label in (("union", "Union of three attacks"), ("intersection", "Intersection of three attacks"))
    ),
)
