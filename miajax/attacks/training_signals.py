"""Attacks that read what only the trainer, or whoever holds the weights, can see.

The range of an example's loss over training ranks a model's *members* by risk: on digits it correlates with their LiRA
vulnerability at .65. As a test of membership it is weak, and below chance (AUC .48 there) where the losses of hard
non-members swing as well.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.attacks.attack import Attack, Member, Names, Partners, Scores, Valid, needed
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.options import AttackOptions
from miajax.attacks.order_statistics import nanquantile
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import jit


@jit
def _interquartile_range(losses: Float[AnyArray, "models epochs examples"]) -> Float[Array, "models examples"]:
    """Over the epochs that a model trained: those after early stopping are NaN."""
    over_epochs = jnp.swapaxes(losses, 0, 1)
    return nanquantile(over_epochs, 0.75) - nanquantile(over_epochs, 0.25)


def _loss_trace_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    num_models, epochs, _ = needed(signals.losses).shape
    width = block_width(num_models * epochs)
    return {"loss_trace_iqr": map_examples(_interquartile_range, (signals.losses,), (2,), width)}


def _gradient_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    return {name: -getattr(signals, name) for name in names}


ATTACKS = (
    Attack(
        "loss_trace_iqr",
        "Loss trace IQR",
        _loss_trace_scores,
        "loss_trace",
        ("losses",),
        0,
        0,
        requires="the loss after every epoch",
        knowledge="the example's loss after every epoch of the target's training",
        source="LT-IQR, Pollock et al. 2024 (arXiv 2411.05743)",
        cost="a forward pass over the pool per epoch",
    ),
    Attack(
        "gradient_norm",
        "Gradient norm",
        _gradient_scores,
        "gradient",
        ("gradient_norm",),
        0,
        0,
        requires="the parameters",
        knowledge="the target's weights",
        source="Nasr et al. 2019 (arXiv 1812.00910), section VI: gradients of members are smaller",
        cost="a backward pass over the pool",
    ),
    Attack(
        "input_gradient_norm",
        "Gradient norm by the input",
        _gradient_scores,
        "gradient",
        ("input_gradient_norm",),
        0,
        0,
        requires="the parameters",
        knowledge="the target's weights",
        source="Shokri et al. 2021 (arXiv 1907.00164): gradients by the input as explanations",
        cost="a backward pass over the pool",
    ),
)
