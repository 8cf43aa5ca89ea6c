"""PMIA: offline LiRA whose models with the example are stood in for by models with its proxies.

Proxy-based attack (NDSS 2026; zealscott/MIA, ``PMIA/attacks``): log N(phi; in) - log N(phi; out), averaged over
queries. OUT are x's own scaled logits under models without it. IN are those of proxies under models that saw the proxy;
proxies are examples that the attacker owns, never x: all of them (``global``), those of x's label (``class``), or the
k of x's label that are nearest to it (``instance``).

Every model is a target: its attacker owns all examples but x. The authors' centres are medians, here they are means,
which leave out target, partner and example in closed form; deviations have divisor n in both.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.attack import REFERENCES, WITHOUT, Attack, Member, Names, Partners, Scores, Valid, needed, sides
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.leave_one_out import Moments, leave_one_out
from miajax.attacks.options import AttackOptions
from miajax.attacks.proxies import nearest_of_label, of_neighbours, of_others_in_group
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit


@jit
def _own(
    phi: Float[AnyArray, "models examples"], member: Member, valid: Valid, partners: Partners
) -> tuple[Array, Moments]:
    """What one example says on its own: log-density under its OUT models, and the moments of its IN models."""
    inside, outside = (leave_one_out(phi, side, partners) for side in sides(member, valid))
    return _log_density(phi, Moments(*outside)), Moments(*inside)


def _log_density(phi: Float[AnyArray, "models examples"], moments: Moments) -> Float[Array, "models examples"]:
    """Of a Gaussian, without the constant; NaN where it has no variance."""
    variance = moments.sum_squares / moments.count
    variance = jnp.where(variance > 0, variance, jnp.nan)
    return -0.5 * (jnp.log(variance) + (phi - moments.mean) ** 2 / variance)


@jit
def _ratio(
    phi: Float[AnyArray, "models examples"], proxies: Moments, log_out: Float[AnyArray, "models examples"]
) -> Float[Array, "models examples"]:
    return _log_density(phi, proxies) - log_out


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    values = needed(signals.scaled_logit)
    num_models, num_examples, queries = values.shape
    everyone = jnp.zeros(num_examples, jnp.int32)
    proxies_of = {
        "pmia_global": lambda: functools.partial(of_others_in_group, group=everyone),
        "pmia_class": lambda: functools.partial(of_others_in_group, group=jnp.asarray(signals.labels)),
        "pmia_instance": lambda: _of_nearest(*nearest_of_label(
            needed(signals.features), needed(signals.labels), options.pmia.neighbours
        )),
    }  # fmt: skip
    proxies_of = {name: proxies_of[name]() for name in names}
    totals: dict[str, Array] = dict.fromkeys(names, jnp.zeros((num_models, num_examples)))
    for query in range(queries):  # one at a time: the moments of all examples are held at once
        phi = values[:, :, query]
        log_out, inside = map_examples(
            _own, (phi, member, valid, partners), (1, 1, None, None), block_width(num_models)
        )
        for name, proxies in proxies_of.items():
            totals[name] = totals[name] + _ratio(phi, proxies(inside), log_out)
    return {name: total / queries for name, total in totals.items()}


def _of_nearest(ids: Int[AnyArray, "k examples"], known: Bool[AnyArray, "k examples"]) -> Callable[[Moments], Moments]:
    return lambda moments: of_neighbours(moments, ids, known)


_KNOWLEDGE = (
    "shadow models trained without the example on data like the target's, "
    "and examples of the attacker's own that some of them trained on"
)
_SOURCE = "PMIA, NDSS 2026; zealscott/MIA, with means where it has medians"
_COST = "shadow models; one pass over their scaled logits and one over the examples for all targets"
ATTACKS = (
    Attack(
        "pmia_global",
        "PMIA (all proxies)",
        _family_scores,
        "pmia",
        ("scaled_logit",),
        0,
        2,
        requires=f"{WITHOUT}, {REFERENCES}",
        knowledge=_KNOWLEDGE,
        source=_SOURCE,
        cost=_COST,
        log_likelihood_ratio=True,
    ),
    Attack(
        "pmia_class",
        "PMIA (proxies of the class)",
        _family_scores,
        "pmia",
        ("scaled_logit", "labels"),
        0,
        2,
        requires=f"{WITHOUT}, {REFERENCES}",
        knowledge=_KNOWLEDGE,
        source=_SOURCE,
        cost=_COST,
        log_likelihood_ratio=True,
    ),
    Attack(
        "pmia_instance",
        "PMIA (nearest proxies)",
        _family_scores,
        "pmia",
        ("scaled_logit", "labels", "features"),
        0,
        2,
        requires=f"{WITHOUT}, {REFERENCES}",
        knowledge=_KNOWLEDGE,
        source=_SOURCE,
        cost=f"{_COST}; the similarity of all pairs of examples",
        log_likelihood_ratio=True,
    ),
)
