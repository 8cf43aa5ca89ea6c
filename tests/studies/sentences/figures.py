"""Figures to speak of: small, empty, single, huge and negative ones."""

import dataclasses
import functools
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from miajax.metrics.claims import Lead, Ranking, against
from miajax.metrics.figures import Figure
from tests.studies.made import made

Said = Iterator[tuple[str, str]]
RATES = [
    (0.0, 0.0, 0.0), (0.0, 0.0, 3e-12), (1e-12, 0.0, 1e-9), (0.0, 0.0, 1.0), (0.001, 0.0005, 0.0015),
    (0.0011, 0.00101, 0.0012), (0.027, 0.02, 0.035), (0.5, 0.4, 0.6), (0.5, 0.5, 0.5), (0.6, 0.55, 0.65),
    (0.9, 0.5, 1.0), (0.9996, 0.99, 0.99996), (1 - 1e-12, 1 - 1e-9, 1.0), (1.0, 1.0, 1.0),
]  # fmt: skip
"""Value, lower and upper end of a share or an AUC."""
CHANGES = [
    (0.0, 0.0, 0.0), (0.0, -1.0, 1.0), (1e-12, -1e-9, 1e-9), (-1e-12, -2e-12, -1e-13), (-1e-5, -2e-5, 0.0),
    (0.05, 0.04, 0.06), (-0.05, -0.06, -0.04), (0.5, -0.1, 1.0), (1.0, 1.0, 1.0), (-1.0, -1.0, -1.0),
]  # fmt: skip
"""Value, lower and upper end of a difference."""
COUNTS = (0, 1, 2, 1_000, 10**12)
SECONDS = (0.0, 1e-12, 1.0, 59.99, 3599.9, 1e12)
ATTACKS = ("lira_online", "gap", "global_threshold", "rmia", "attack_p", "lira_offline", "loss_trajectory", "own_one")


def figure(of: tuple[float, float, float]) -> Figure:
    """A figure with its interval."""
    return Figure(of[0], of[1:])


def mixed(*kinds: Sequence[Any], rounds: int = 2) -> Iterator[tuple[Any, ...]]:
    """Every value of every kind, ``rounds`` times or more, each time beside others: all combinations take too long."""
    rng = random.Random(0)
    drawn = []
    for kind in kinds:
        values = [*kind] * -(-rounds * max(map(len, kinds)) // len(kind))
        rng.shuffle(values)
        drawn.append(values)
    yield from zip(*drawn, strict=False)


def told(function: Callable[..., Any], *args: Any, **named: Any) -> Said:
    """What one call says; nothing where it says nothing."""
    found = function(*args, **named)
    for text in [found] if isinstance(found, str) else found:
        if text:
            yield f"{function.__module__.removeprefix('miajax.')}.{function.__name__}", text


@functools.cache
def leads() -> tuple[Lead | None, ...]:
    """Strongest attacks, and none."""
    return (None, *_leads())


def _leads() -> Iterator[Lead]:
    """Strongest attacks: one or several, by a rate or by the AUC, told from the others or not."""
    for rate, count, by in itertools.product(RATES, (1, 2, 8), ("tpr_at_fpr", "auc")):
        chance = 0.5 if by == "auc" else 0.001
        names, value, ci = ATTACKS[:count], rate[0], list(rate[1:])
        differences = {
            name: {"value": change[0], "ci": list(change[1:]), "auc": change[0], "auc_ci": list(change[1:])}
            for name, change in zip(names[1:], CHANGES[3:], strict=False)
        }
        standing = against(ci, chance)
        lead = made(Lead, {
            "attack": names[0], "by": by, "fpr": None if by == "auc" else "0.001", "chance": chance, "value": value,
            "ci": ci, "standing": standing, "confidence": 1 - 0.05 / count, "differences": differences,
            "intervals": {name: {"value": value, "ci": ci} for name in names},
            "not_told_apart": list(names[1:]) if rate[0] == 0.5 else [],
        })  # fmt: skip
        yield lead
        if by == "tpr_at_fpr" and standing != "above":
            for auc in ((0.7, 0.65, 0.75), (0.5, 0.4, 0.6)):
                ranking = Ranking(names[-1], auc[0], auc[1:], against(auc[1:], 0.5))
                yield dataclasses.replace(lead, by_auc=ranking, unresolved={"gap": 1, "rmia": 0})
