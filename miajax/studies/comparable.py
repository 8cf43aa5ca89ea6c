"""Is a target like the shadow models that judge it? Its recipe by declaration, its behaviour by measurement."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import stdtrit

from miajax.campaign.config import Setup

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_LEVEL = 0.99  # of the interval that a further shadow model would fall into


def recipe_of(setup: Setup) -> dict[str, Any]:
    """The run's recipe as flat names and values: what a target's owner can compare his own with."""
    identity = setup.identity()
    return {
        "dataset": identity["dataset"],
        "model": identity["model"]["name"],
        **{name: value for name, value in flat(identity["model"]) if name != "name"},
        **dict(flat(identity["recipe"])),
        "query_mode": identity["query_mode"],
        "num_members": setup.trainer.capacity,
    }


def flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names, joined by dots, and values of nested settings."""
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def recipe_differences(recipe: Mapping[str, Any], declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Declared values that differ from the run's: ``[{name, run, target}]``."""
    return [
        {"name": name, "run": _plain(recipe[name]), "target": value}
        for name, value in declared.items()
        if _plain(recipe[name]) != value
    ]


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


@dataclasses.dataclass(frozen=True)
class Check:
    """One figure of the target beside the shadow models' own.

    Attributes:
      name: what is measured, on non-members.
      target: the target's.
      low, high: where shadow models lie: their least and greatest, or, where that is wider, the interval that one more
        model of their kind falls into with probability .99 (Student's t; matters for few models).
      median: of the shadow models.
      inside: whether the target lies in ``[low, high]``.
    """

    name: str
    target: float
    low: float
    high: float
    median: float
    inside: bool


def behaviour(
    correct: Bool[np.ndarray, "models examples"],
    losses: Float[np.ndarray, "models examples"] | None,
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> list[Check]:
    """Accuracy and quantiles of the loss on non-members, of the target (the last row) and of the shadow models.

    A shadow model is measured on those of the target's non-members that it did not train on either: equally hard
    examples, and fewer, so its range is rather too wide than too narrow.

    Args:
      correct: of shadow models and target.
      losses: in nats, or None where only classes are known.
      member: of shadow models and target.
      valid: models that failed are no shadows.

    Returns:
      One check a figure; none with fewer than 2 shadow models that can be measured.
    """
    outside = ~member & ~member[-1]
    usable = np.flatnonzero(valid & outside.any(1))
    if len(usable) < 3 or usable[-1] != len(member) - 1:
        return []
    figures = {"accuracy": [float(correct[m, outside[m]].mean()) for m in usable]}
    if losses is not None:
        values = np.array([np.quantile(losses[m, outside[m]], _QUANTILES) for m in usable])
        figures |= {f"loss, {q:.0%} quantile": list(values[:, k]) for k, q in enumerate(_QUANTILES)}
    return [_check(name, np.asarray(values)) for name, values in figures.items()]


def _check(name: str, values: np.ndarray) -> Check:
    target, shadows = float(values[-1]), values[:-1]
    freedom = len(shadows) - 1
    reach = stdtrit(freedom, (1 + _LEVEL) / 2) * shadows.std(ddof=1) * np.sqrt(1 + 1 / len(shadows))
    low = float(min(shadows.min(), shadows.mean() - reach))
    high = float(max(shadows.max(), shadows.mean() + reach))
    if name == "accuracy":
        low, high = max(low, 0.0), min(high, 1.0)
    else:
        low = max(low, 0.0)
    slack = 1e-6 * max(1.0, abs(target))
    inside = low - slack <= target <= high + slack
    return Check(name, target, low, high, float(np.median(shadows)), bool(inside))


def reasons(checks: list[Check]) -> list[str]:
    """Why a target is not comparable, one sentence a figure; empty if it is."""
    return [
        f"On non-members the target's {check.name} is {check.target:.4g}; shadow models lie in "
        f"{check.low:.4g} to {check.high:.4g}."
        for check in checks
        if not check.inside
    ]
