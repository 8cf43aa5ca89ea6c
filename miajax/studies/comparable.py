"""Is a target like the shadow models that judge it? Its recipe by declaration, its behaviour by measurement."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import stdtrit

from miajax.campaign.config import Setup
from miajax.typed import Json

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_LEVEL = 0.99  # at least, of the interval that a further shadow model would fall into
_ODD = 0.06  # how often, at most, a target of the same kind may lie outside somewhere


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


def flat(mapping: Json, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names, joined by dots, and values of nested settings."""
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from flat(cast(Json, value), f"{prefix}{name}.")
        else:
            yield prefix + name, value


@dataclasses.dataclass(frozen=True)
class Difference:
    """A declared value of the target's that differs from the run's."""

    name: str
    run: Any
    target: Any


def recipe_differences(recipe: Json, declared: Json) -> tuple[Difference, ...]:
    """Declared values that differ from the run's."""
    return tuple(
        Difference(name, _plain(recipe[name]), value)
        for name, value in declared.items()
        if _plain(recipe[name]) != value
    )


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


Side = Literal["members", "non-members"]


@dataclasses.dataclass(frozen=True)
class Check:
    """One figure of the target beside the shadow models' own.

    Attributes:
      name: what is measured.
      target: the target's.
      low, high: where shadow models lie: their least and greatest, or, where that is wider, the interval that one more
        model of their kind falls into with probability .99 or more (Student's t; matters for few models). The more
        figures are compared, the wider it is, so that all of them together are outside as rarely as a few are.
      median: of the shadow models.
      inside: whether the target lies in ``[low, high]``.
      side: on which of the target's examples it is measured: members or non-members.
    """

    name: str
    target: float
    low: float
    high: float
    median: float
    inside: bool
    side: Side = "non-members"


def behaviour(
    correct: Bool[np.ndarray, "models examples"],
    losses: Float[np.ndarray, "models examples"] | None,
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> list[Check]:
    """Accuracy and quantiles of the loss, of the target (the last row) and of the shadow models, on both sides.

    A shadow model is measured on those of the target's non-members that it did not train on either, and on those of
    its members that it trained on, too: equally hard examples, and fewer, so its range is rather too wide than too
    narrow.

    Args:
      correct: of shadow models and target.
      losses: in nats, or None where only classes are known.
      member: of shadow models and target.
      valid: models that failed are no shadows.

    Returns:
      One check a figure and side, non-members first; none with fewer than 2 shadow models that can be measured.
    """
    sides: dict[Side, np.ndarray] = {"non-members": ~member & ~member[-1], "members": member & member[-1]}
    found: list[tuple[Side, str, np.ndarray]] = []
    for side, of in sides.items():
        usable = np.flatnonzero(valid & of.any(1))
        if len(usable) < 3 or usable[-1] != len(member) - 1:
            continue
        found.append((side, "accuracy", np.array([correct[m, of[m]].mean() for m in usable])))
        if losses is not None:
            values = np.array([np.quantile(losses[m, of[m]], _QUANTILES) for m in usable])
            for k, q in enumerate(_QUANTILES):
                found.append((side, f"loss, {q:.0%} quantile", values[:, k]))
    level = max(_LEVEL, 1 - _ODD / max(1, len(found)))
    return [_check(name, values, side, level) for side, name, values in found]


def _check(name: str, values: np.ndarray, side: Side, level: float) -> Check:
    target, shadows = float(values[-1]), values[:-1]
    freedom = len(shadows) - 1
    reach = stdtrit(freedom, (1 + level) / 2) * shadows.std(ddof=1) * np.sqrt(1 + 1 / len(shadows))
    low = float(min(shadows.min(), shadows.mean() - reach))
    high = float(max(shadows.max(), shadows.mean() + reach))
    if name == "accuracy":
        low, high = max(low, 0.0), min(high, 1.0)
    else:
        low = max(low, 0.0)
    slack = 1e-6 * max(1.0, abs(target))
    inside = low - slack <= target <= high + slack
    return Check(name, target, low, high, float(np.median(shadows)), bool(inside), side)


def reasons(checks: list[Check]) -> list[str]:
    """Why a target is not comparable, one sentence a figure; empty if it is."""
    return [
        f"On {check.side} the target's {check.name} is {check.target:.4g}; shadow models lie in "
        f"{check.low:.4g} to {check.high:.4g}."
        for check in checks
        if not check.inside
    ]
