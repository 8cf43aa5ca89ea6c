"""From an estimator's answers to scaled logits: what it can express, and where probabilities of 0 and 1 are clipped."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from miajax.estimators.worker import LOWEST_LOG, Kind

Rule = Literal["votes", "grid", "smallest", "precision", "none"]
_FINEST_GRID = 1000


@dataclasses.dataclass(frozen=True)
class Clip:
    """How far a probability may be from 0 and 1.

    Attributes:
      clip: the least probability that is told from 0, and its distance from 1; None where answers are logits.
      rule: where it comes from: ``votes``, 1/(2T), T being how many votes the settings say an answer is the mean of,
        as the answers bear out; ``grid``, 1/(2T), T being the least number up to 1000 of which all answers are
        multiples of 1/T; ``smallest``, half the smallest distance from 0 and 1 that an answer has; ``precision``, the
        spacing of floating-point numbers below 1, where no answer is 0 or 1; ``none``, answers are logits.
      votes: T, or None.
    """

    clip: float | None
    rule: Rule
    votes: int | None = None


def clip_of(kind: Kind, answers: Float[np.ndarray, "examples classes"], voters: Sequence[int]) -> Clip:
    """What one model's answers say that the estimator can express.

    Args:
      kind: of the answers.
      answers: of the first model that did not fail, so that the rule is the same however a run is cut.
      voters: numbers of votes that the estimator's settings name.
    """
    if kind == "scores":
        return Clip(None, "none")
    spacing = float(np.finfo(answers.dtype).eps)
    inside = np.unique(answers[(answers > 0) & (answers < 1)])
    if not ((answers <= 0) | (answers >= 1)).any():
        return Clip(spacing, "precision")
    for votes in sorted(voters):
        within = answers[(answers > 0) & (answers < 1)]
        if len(within) and 2 * _on_grid(within, votes).sum() >= len(within):
            return Clip(_half_of(votes), "votes", votes)
    for votes in range(1, _FINEST_GRID + 1):
        if _on_grid(inside, votes).all():
            return Clip(_half_of(votes), "grid", votes)
    smallest = min(float(inside[0]), 1 - float(inside[-1]))
    return Clip(min(0.25, max(spacing, smallest / 2)), "smallest")


def _half_of(votes: int) -> float:
    """1/(2T); a single vote leaves nothing between 0, 1/2 and 1, so that it is clipped at 1/4."""
    return 1 / (2 * max(votes, 2))


def _on_grid(answers: np.ndarray, votes: int) -> np.ndarray:
    scaled = answers.astype(np.float64) * votes
    near = np.abs(scaled - np.round(scaled)) <= 4 * votes * float(np.finfo(np.float32).eps)
    return near & (np.round(scaled) > 0)  # rounding leaves 1 a little below itself, but nothing a little above 0


def unclipped_logit(
    kind: Kind, answers: Float[np.ndarray, "examples classes"], labels: Int[np.ndarray, " examples"]
) -> Float[np.ndarray, " examples"]:
    """The scaled logit ``log(p_y / (1 - p_y))``, ``float64[N]``; infinite where the label's probability is 0 or 1.

    ``1 - p_y`` is the sum over the other classes, with the digits that the subtraction would lose.
    """
    said = answers.astype(np.float64)
    own = np.arange(said.shape[1]) == labels[:, None]
    label, others = said[own], np.where(own, -np.inf if kind == "scores" else 0.0, said)
    if kind == "scores":
        best = others.max(1)
        return label - best - np.log(np.exp(others - best[:, None]).sum(1))
    with np.errstate(divide="ignore"):
        return np.log(label) - np.log(others.sum(1))


def clipped(unclipped: np.ndarray, clip: float | None) -> Float[np.ndarray, "..."]:
    """Scaled logits whose probabilities lie in ``[clip, 1 - clip]``, float32; ties stay ties."""
    if clip is None:
        return unclipped.astype(np.float32)
    return np.clip(unclipped, -bound(clip), bound(clip)).astype(np.float32)


def bound(clip: float) -> float:
    """The scaled logit of the probability ``1 - clip``."""
    return math.log1p(-clip) - math.log(clip)


def logits_of(kind: Kind, answers: np.ndarray) -> Float[np.ndarray, "examples classes"]:
    """Logits whose softmax the answers are, float32 and finite, before any clipping."""
    if kind == "scores":
        return answers.astype(np.float32)
    with np.errstate(divide="ignore"):  # a probability of 0 gets the lowest logarithm that is told apart
        return np.maximum(np.log(answers.astype(np.float64)), LOWEST_LOG).astype(np.float32)
