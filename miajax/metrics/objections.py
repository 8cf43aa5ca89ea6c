"""Objections that are known to be raised against figures of membership inference, and what a run says to each."""

import dataclasses
from typing import Literal

Raised = Literal[
    "pooled_fpr",
    "chosen_threshold",
    "chosen_attack",
    "prior",
    "weak_baseline",
    "comparable_shadows",
    "distribution_shift",
    "one_pool",
    "instability",
]
"""What is objected: ``ASKED`` has each as a sentence."""

ASKED: dict[Raised, str] = {
    "pooled_fpr": "One threshold for all records gives some of them many false alarms and others none.",
    "chosen_threshold": "The threshold was chosen on the very scores that it is counted on.",
    "chosen_attack": "The best of several attacks looks good by luck.",
    "prior": "Half of those asked about are members here; elsewhere few are.",
    "weak_baseline": "A stronger or cheaper attack was left out, or a weak one makes the leak look special.",
    "comparable_shadows": "The attacker's shadow models are like the target only because both were made alike.",
    "distribution_shift": "Members and others may differ by themselves, without any model.",
    "one_pool": "Shadow models and target draw from one pool, which makes records look more exposed than on new data.",
    "instability": "Another set of shadow models, or another seed, would name other records.",
}
"""Why a figure of membership inference may mean less than it says, as a critic would put it."""


@dataclasses.dataclass(frozen=True)
class Objection:
    """One objection, and the figures of a run that speak to it.

    Attributes:
      objection: which one.
      measured: whether a figure of this run speaks to it.
      answer: that figure in a sentence; where there is none, how to measure it.
      keys: where in ``results.json`` the figure stands; none where there is none.
    """

    objection: Raised
    measured: bool
    answer: str
    keys: tuple[str, ...] = ()
