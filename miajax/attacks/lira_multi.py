"""Online LiRA on several numbers of a prediction at once: one Gaussian over all of them on each side.

The scaled logit says how sure a model is of the label. Loss, margin over the best other class and entropy follow from
the same logits and bend where the scaled logit does not, so what one blurs another may show. As for the views of
``lira_fullcov``, covariances of few models are shrunk towards their diagonal, and shrinking is no matter of units.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.attacks.attack import (
    WITH_AND_WITHOUT,
    Attack,
    Labels,
    Logits,
    Member,
    Names,
    Partners,
    Scores,
    Valid,
    needed,
)
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.lira_fullcov import joint_log_ratio
from miajax.attacks.options import AttackOptions, MultiSignalOptions
from miajax.signals import scaled_logit as signals_of
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit, lax_map

_SIGNALS: dict[str, Callable[[AnyArray, AnyArray], Array]] = {
    "scaled_logit": signals_of.scaled_logit,
    "loss": lambda logits, labels: signals_of.loss(signals_of.scaled_logit(logits, labels)),
    "hinge": signals_of.hinge,
    "entropy": lambda logits, labels: signals_of.entropy(logits),
}


@jit(static_argnames="options")
def _kernel(
    logits: Logits, labels: Labels, member: Member, valid: Valid, partners: Partners, *, options: MultiSignalOptions
) -> Float[Array, "models examples"]:
    numbers = jnp.stack([_SIGNALS[name](logits, labels[:, None]) for name in options.signals])  # [S, M, block, Q]
    queries = jnp.transpose(numbers, (3, 1, 0, 2))
    return lax_map(lambda v: joint_log_ratio(v, member, valid, partners, options.shrinkage), queries).mean(0)


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    num_models, _, queries, classes = needed(signals.logits).shape
    kernel = functools.partial(_kernel, options=options.multi)
    width = block_width(num_models * max(queries * classes, 2 * len(options.multi.signals) ** 2))
    arrays = (signals.logits, signals.labels, member, valid, partners)
    return {"lira_online_multi": map_examples(kernel, arrays, (1, 0, 1, None, None), width)}


ATTACKS = (
    Attack(
        "lira_online_multi",
        "LiRA online (several signals)",
        _family_scores,
        "lira_multi",
        ("logits", "labels"),
        2,
        2,
        requires=WITH_AND_WITHOUT,
        source="Carlini et al. 2022 (arXiv 2112.03570), joint over signals; derived here",
        cost="shadow models; elimination of a small covariance per cell and query",
        log_likelihood_ratio=True,
    ),
)
