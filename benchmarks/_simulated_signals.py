"""Scaled logits of campaigns that never trained a model: what models would show, with everything about them known.

    phi[t, i] = level[i] + effect[t] + sd[i] (noise[t, i] + gap[i] member[t, i])

``gap`` is how far apart, in standard deviations, models with and without an example lie. ``KINDS`` names how unlike
examples are.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float

from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS
from miajax.data.splits import membership
from miajax.signals.bundle import Signals

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]

KINDS: Mapping[str, Draw] = {
    # name: (gap, sd) of each example
    "no leak": lambda rng, n: (np.zeros(n), np.ones(n)),
    "alike": lambda rng, n: (np.full(n, 0.7), np.ones(n)),
    "mild": lambda rng, n: (0.7 * np.exp(0.5 * rng.normal(size=n) - 0.125), np.exp(0.3 * rng.normal(size=n))),
    "strong": lambda rng, n: (rng.gamma(0.3, 0.7 / 0.3, size=n), np.exp(0.6 * rng.normal(size=n))),
    "few exposed": lambda rng, n: (np.where(rng.random(n) < 0.05, 3.0, 0.2), np.ones(n)),
}


def campaign(
    kind: str, num_models: int, num_examples: int, seed: int, model_effect: float = 0.1
) -> tuple[Float[np.ndarray, "models examples"], Bool[np.ndarray, "models examples"]]:
    """Returns scaled logits and who is a member, examples drawn anew for every seed.

    Args:
      kind: one of ``KINDS``.
      num_models: every one a target.
      num_examples: half of them members of each model.
      seed: of everything.
      model_effect: standard deviation of what shifts all of a model's signals.
    """
    rng = np.random.default_rng([seed, num_models, num_examples])
    member = membership(seed, num_examples, num_models, "fixed_size")
    gap, sd = KINDS[kind](rng, num_examples)
    noise = rng.normal(size=member.shape)
    phi = 2.0 * rng.normal(size=num_examples) + model_effect * rng.normal(size=(num_models, 1))
    return (phi + sd * (noise + gap * member)).astype(np.float32), member


def attack(
    name: str, phi: Float[np.ndarray, "models examples"], member: Bool[np.ndarray, "models examples"]
) -> Float[np.ndarray, "models examples"]:
    """Scores of an attack of the registry that reads scaled logits only; NaN where models are too few."""
    signals = Signals(scaled_logit=phi[..., None], correct=phi > 0, labels=np.zeros(phi.shape[1], np.int32))
    return np.asarray(ATTACKS[name].score(signals, member, np.ones(len(phi), bool), AttackOptions()))
