"""What an attacker sees of a model: the shadow models looked at through the same pane as the target.

Rounded probabilities saturate: 0.9996 reads 1.000, and its scaled logit, 7.8, would be infinite. Comparing it with the
shadow models' exact ones would show rounding, not membership. So the shadow models' answers are rounded alike, and both
saturate at the same bound: a 0 reads as half a step, a 1 as one less half a step. Probabilities of exactly 0 and 1 are
clipped by the rule of estimators (``estimators.answers.clip_of``) besides. The coarsest of these clips, that of the
shadow models' own answers included, holds for both. Equal answers stay exact ties.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, logit, logsumexp, softmax

from miajax.campaign.saturated import clipped_logits
from miajax.estimators.answers import bound, clip_of
from miajax.signals.scaled_logit import scaled_logit
from miajax.studies.target.file import Target


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """Signals of any number of models on K examples; None where the channel hides them.

    Attributes:
      scaled_logit: ``float32[..., K, Q]``.
      logits: ``float32[..., K, Q, C]``; of probabilities, their logarithms.
      correct: ``bool[..., K]``, whether the label is among the likeliest classes of query 0.
    """

    scaled_logit: Float[np.ndarray, "*models examples queries"] | None
    logits: Float[np.ndarray, "*models examples queries classes"] | None
    correct: Bool[np.ndarray, "*models examples"]


@dataclasses.dataclass(frozen=True)
class Channel:
    """How a target's answers reach the attacker.

    Attributes:
      kind: logits, probabilities or labels.
      decimals: that probabilities are rounded to, or None.
      bound: the largest absolute scaled logit that can be told apart, or None where nothing saturates.
      smallest: the least probability that is told from 0, and its distance from 1; None where nothing saturates.
    """

    kind: str
    decimals: int | None = None
    bound: float | None = None
    smallest: float | None = None

    @classmethod
    def of(cls, target: Target, run_clip: float | None = None) -> "Channel":
        """The channel that a target's answers came through.

        Args:
          target: with its answers.
          run_clip: where the shadow models' own answers are clipped (``campaign.saturated.clip_of_run``), or None.
        """
        if target.kind == "labels":
            return cls(target.kind)
        clips = [] if run_clip is None else [run_clip]
        if target.kind == "probabilities":
            rows = target.answers[:, 0]
            if target.decimals is not None:
                clips.append(0.5 * 10.0**-target.decimals)
            if ((rows <= 0) | (rows >= 1)).any():
                clips.append(clip_of("probabilities", rows, ()).clip or 0.0)
        if not clips:
            return cls(target.kind)
        return cls(target.kind, target.decimals, bound(max(clips)), max(clips))

    def target(self, target: Target, labels: Int[np.ndarray, " examples"]) -> Seen:
        """What the target shows."""
        if self.kind == "labels":
            return Seen(None, None, target.answers == labels)
        if self.kind == "logits":
            return self.logits(target.answers, labels)
        return self._probabilities(target.answers, labels)

    def logits(self, logits: np.ndarray, labels: Int[np.ndarray, " examples"]) -> Seen:
        """What a model with these logits ``[K, Q, C]`` would show through the channel."""
        if self.kind == "labels":
            return Seen(None, None, logits[:, 0].argmax(-1) == labels)
        if self.kind == "logits":
            phi = np.asarray(scaled_logit(jnp.asarray(logits, jnp.float32), jnp.asarray(labels)[:, None]))
            if self.bound is not None:
                normal = logits - logsumexp(logits, axis=-1, keepdims=True)
                logits = clipped_logits(normal, self.smallest)
                phi = np.clip(phi, -np.float32(self.bound), np.float32(self.bound))
            return Seen(phi, logits.astype(np.float32), logits[:, 0].argmax(-1) == labels)
        if self.decimals is None and self.bound is None and self.smallest is None:
            exact = np.asarray(scaled_logit(jnp.asarray(logits, jnp.float32), jnp.asarray(labels)[:, None]))
            normal = logits - logsumexp(logits, axis=-1, keepdims=True)
            return Seen(exact, normal.astype(np.float32), logits[:, 0].argmax(-1) == labels)
        return self._probabilities(softmax(np.asarray(logits, np.float64), axis=-1), labels)

    def scaled_logit(self, phi: Float[np.ndarray, "*models examples queries"]) -> np.ndarray:
        """Scaled logits as the channel shows them, where a run kept nothing else."""
        if self.decimals is not None:
            return self._rounded_logit(expit(np.asarray(phi, np.float64)))
        return np.clip(phi, -self.bound, self.bound) if self.bound is not None else phi

    def _probabilities(self, rows: np.ndarray, labels: np.ndarray) -> Seen:
        if self.decimals is not None:
            rows = np.rint(rows * 10.0**self.decimals) / 10.0**self.decimals
        own: np.ndarray = np.equal(labels[:, None, None], np.arange(rows.shape[-1], dtype=np.int64))
        label = np.where(own, rows, 0).sum(-1)
        if self.decimals is not None:
            phi = self._rounded_logit(label)
        else:  # the others' sum keeps the digits that 1 - p loses
            with np.errstate(divide="ignore"):  # probabilities of 0 and 1 are infinite, and clipped below
                phi = np.log(label) - np.log(np.where(own, 0, rows).sum(-1))
            limit = self.bound if self.bound is not None else np.inf
            phi = np.clip(phi, -limit, limit).astype(np.float32)
        with np.errstate(divide="ignore"):  # an exact 0 is minus infinity
            logs = np.log(np.maximum(rows, self.smallest or 0.0)).astype(np.float32)
        return Seen(phi, logs, label[:, 0] >= rows[:, 0].max(-1))

    def _rounded_logit(self, label: np.ndarray) -> np.ndarray:
        assert self.decimals is not None and self.smallest is not None
        steps = np.rint(label * 10.0**self.decimals) / 10.0**self.decimals
        return logit(np.clip(steps, self.smallest, 1 - self.smallest)).astype(np.float32)

    def saturated(self, phi: Float[np.ndarray, "*cells"]) -> Bool[np.ndarray, "*cells"]:
        """Which cells lie at the bound, where only "at least this much" is known."""
        if self.bound is None:
            return np.zeros(np.shape(phi), bool)
        return np.abs(phi) >= np.float32(self.bound) * (1 - 1e-6)
