"""InfoRMIA: by how much more the target's likelihood of x has grown than that of the population, in nats.

Tao and Shokri 2025 (arXiv 2510.05582): log p_target(x) / p(x) + KL(p(z) || p_target(z)) over the population, with p as
in RMIA. A population is a sample of p(z), so the divergence is the mean of -log r(z) over it: the score is log r(x)
less the population's mean of log r(z). Where RMIA counts comparisons that r(x) wins by a factor gamma, this averages
their logs: there is no gamma, and no ties between examples that beat everyone.

Within one target the population's mean is a constant. Online this therefore ranks a target's examples as BASE does, and
differs from it only in what is pooled over targets.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from miajax.attacks.attack import (
    Member,
    Names,
    Partners,
    Scores,
    Valid,
    online_and_offline,
)
from miajax.attacks.likelihood_ratios import estimated, log_ratios, outside_population
from miajax.attacks.options import AttackOptions
from miajax.attacks.population import pool_sample
from miajax.attacks.rmia import offline_a_of
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit


@jit
def _less_mean(
    deciding: Float[AnyArray, "models examples"],
    others: Float[AnyArray, "models population"],
    usable: Bool[AnyArray, "models population"],
) -> Float[Array, "models examples"]:
    return jnp.asarray(deciding) - jnp.where(usable, others, 0).sum(1, keepdims=True) / usable.sum(1, keepdims=True)


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    scores: dict[str, Array] = {}
    for name in names:
        online = name == "informia_online"
        a = offline_a_of(signals, member, valid, options, partners, online=online)
        deciding, plain, others = log_ratios(
            signals, member, valid, partners, a, online=online, options=options.rmia, views="mean"
        )
        if others is None:
            ids = pool_sample(plain.shape[1], options.population_size)
            usable = (~member & estimated(member, valid, partners, online=online))[:, ids]
            others = plain[:, ids]
        else:
            usable = jnp.ones(others.shape, bool)
        scores[name] = _less_mean(deciding, others, usable & jnp.isfinite(others))
    return scores


ATTACKS = online_and_offline(
    "informia",
    "InfoRMIA",
    _family_scores,
    outside_population=outside_population,
    source="Tao and Shokri 2025 (arXiv 2510.05582)",
    cost="shadow models, even few; one pass over their logits for all targets",
)
