"""BASE: the label's likelihood under the target over its mean likelihood under the other models, in logs.

Lassila et al. 2025 (arXiv 2505.24089). At equal likelihood, RMIA is a non-decreasing step function of online BASE.
"""

import functools

import jax.numpy as jnp
from jaxtyping import Array

from miajax.attacks.attack import (
    Labels,
    Logits,
    Member,
    Names,
    Partners,
    Scores,
    Valid,
    needed,
    online_and_offline,
    sides,
)
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.likelihood import log_likelihood, others_log_mean
from miajax.attacks.options import AttackOptions, RmiaOptions
from miajax.signals.bundle import Signals
from miajax.typed import jit


@jit(static_argnames=("names", "options"))
def _cells(
    logits: Logits,
    labels: Labels,
    member: Member,
    valid: Valid,
    partners: Partners,
    *,
    names: Names,
    options: RmiaOptions,
) -> dict[str, Array]:
    """``{name: [M, block]}``."""
    log_p = jnp.swapaxes(log_likelihood(logits, labels[:, None], options), 1, 2)
    _, is_out = sides(member, valid)
    models = {"base_online": valid[:, None], "base_offline": is_out}
    return {name: (log_p - others_log_mean(log_p, models[name][:, None, :], partners)).mean(1) for name in names}


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    num_models, _, queries, classes = needed(signals.logits).shape
    kernel = functools.partial(_cells, names=names, options=options.rmia)
    arrays = (signals.logits, signals.labels, member, valid, partners)
    return map_examples(kernel, arrays, (1, 0, 1, None, None), block_width(num_models * queries * classes))


ATTACKS = online_and_offline(
    "base",
    "BASE",
    _family_scores,
    source="Lassila et al. 2025 (arXiv 2505.24089)",
    cost="shadow models, even few; one pass over their logits for all targets",
    log_likelihood_ratio=True,
)
