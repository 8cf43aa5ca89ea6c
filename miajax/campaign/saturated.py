"""Answers that saturate, of a finished campaign: where they are clipped, how many are, and the same answers clipped
elsewhere."""

import dataclasses

import numpy as np
from jaxtyping import Float

from miajax.campaign.gathered import Campaign
from miajax.estimators.answers import Clip, bound, clipped
from miajax.runs.folder import RunFolder
from miajax.signals.bundle import Signals


def clip_of_run(folder: RunFolder) -> Clip | None:
    """How a run's answers are clipped; None for networks, whose logits are finite."""
    known = folder.manifest.get("answers")
    return None if known is None else Clip(known["clip"], known["rule"], known["votes"])


def clipped_logits(
    logits: Float[np.ndarray, "*cells classes"], clip: float | None
) -> Float[np.ndarray, "*cells classes"]:
    """Log-probabilities, none below ``clip / (C - 1)``: a model that is sure leaves ``clip`` for all other classes."""
    if clip is None:
        return logits
    return np.maximum(logits, np.float32(np.log(clip / (logits.shape[-1] - 1))))


def signals_at(campaign: Campaign, signals: Signals, clip: float) -> Signals:
    """The signals as another clip would give them.

    Args:
      campaign: of estimators that answer with probabilities.
      signals: with ``scaled_logit``, and ``logits`` or none.
      clip: the least probability that is told from 0.
    """
    raw = campaign.folder.gather("unclipped_signals", len(campaign.valid))
    logits = signals.logits
    if logits is not None:
        stored = campaign.folder.gather("logits", len(campaign.valid))
        logits = clipped_logits(stored, clip)
    return signals._replace(scaled_logit=clipped(raw, clip)[:, :, None], logits=logits)


@dataclasses.dataclass(frozen=True)
class Shares:
    """Shares of the cells (valid model, example).

    Attributes:
      low, high: whose label has a probability of at most the clip, or at least one less the clip.
      ties: that lie at either end and so cannot be told from each other there.
    """

    low: float
    high: float

    @property
    def ties(self) -> float:
        return self.low + self.high


def shares_at_clip(campaign: Campaign, clip: float) -> Shares:
    """How many answers of the valid models lie at the clip or beyond it."""
    raw = campaign.folder.gather("unclipped_signals", len(campaign.valid))[campaign.valid]
    limit = np.float32(bound(clip)) * (1 - 1e-6)
    return Shares(float((raw <= -limit).mean()), float((raw >= limit).mean()))
