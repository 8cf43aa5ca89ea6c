"""A finished campaign: what all its groups hold, put together, and what a reader of its results should know."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from miajax.campaign.config import Setup
from miajax.runs.content_notes import note_on_answers
from miajax.runs.folder import RunFolder
from miajax.training.plan import ExecutionPlan

EXAMPLES_TO_JUDGE = 1000  # whose answers tell logits from probabilities


@dataclasses.dataclass
class Timing:
    """Seconds spent, by what they were spent on."""

    compile_s: float = 0.0
    train_s: float = 0.0
    query_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class Campaign:
    """A finished campaign.

    Attributes:
      setup: its configuration and data.
      folder: where it lies.
      plan: how its models were executed.
      member: ``bool[M, N]``.
      valid: ``bool[M]``, false for diverged models.
      signals: ``float32[M, N, Q]`` scaled logits, read-only from disk; NaN rows for diverged models.
      correct: ``bool[M, N]``.
      train_accuracy, test_accuracy: ``float64[M]`` on each model's members and non-members.
      official_test_accuracy: ``float64[M]`` on the data set's own test split, or None.
      private_steps: ``int32[M]``, private steps that each model ran, or None where training is not private.
      timing: of this process.
      trained: how many models this process trained; the others were there.
      notes: what a reader of the results should know.

    Example:
      >>> from miajax import run_campaign
      >>> run = run_campaign("digits", num_shadows=8, epochs=1, max_examples=200, batch_size=32, out="runs/doc")
      >>> campaign = run.campaign
      >>> campaign.signals.shape, campaign.train_accuracy.shape  # [M, N, Q], [M]
      ((8, 200, 1), (8,))
    """

    setup: Setup
    folder: RunFolder
    plan: ExecutionPlan
    member: np.ndarray
    valid: np.ndarray
    signals: np.ndarray
    correct: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    official_test_accuracy: np.ndarray | None
    private_steps: np.ndarray | None
    timing: Timing
    trained: int
    notes: tuple[str, ...]


def gathered(
    setup: Setup,
    folder: RunFolder,
    plan: ExecutionPlan,
    member: np.ndarray,
    notes: Sequence[str],
    timing: Timing,
    trained: int,
    no_logits: Sequence[str] | None,
    failed_are: str,
) -> Campaign:
    """The campaign whose models all lie in the run folder, one of them sound at least.

    Args:
      setup, folder, plan, member, timing, trained: as ``Campaign`` holds them.
      notes: what is known of it already.
      no_logits: notes on answers that are no logits; None where nobody has looked at them.
      failed_are: what models without answers are called, "Diverged" for example.
    """
    num_models, told = len(member), [*notes]
    signals = folder.assemble("signals", num_models)
    correct, valid = folder.gather("correct", num_models), folder.gather("valid", num_models)
    if failed := [int(i) for i in np.flatnonzero(~valid)]:
        told.append(
            f"{failed_are} models, left out of every figure: {', '.join(map(str, failed[:20]))}"
            f"{' and more' if len(failed) > 20 else ''} ({len(failed)} of {num_models})."
        )
    stored = sum(map(len, folder.done()))
    if stored > num_models:
        told.append(f"The run folder holds {stored} models; these figures rest on the first {num_models}.")
    told += _on_kept_answers(folder, valid) if no_logits is None else no_logits
    inside = np.where(member, correct, False).sum(1) / member.sum(1)
    outside = np.where(member, False, correct).sum(1) / (~member).sum(1)
    chance = 1.5 / setup.dataset.num_classes
    if idle := [int(i) for i in np.flatnonzero(valid & (inside <= chance))]:
        told.append(f"Models at chance accuracy on their own members: {', '.join(map(str, idle[:20]))}.")
    asked = setup.dataset.test_labels is not None
    return Campaign(
        setup=setup,
        folder=folder,
        plan=plan,
        member=member,
        valid=valid,
        signals=signals,
        correct=correct,
        train_accuracy=np.where(valid, inside, np.nan),
        test_accuracy=np.where(valid, outside, np.nan),
        official_test_accuracy=folder.gather("official_test_accuracy", num_models) if asked else None,
        private_steps=folder.gather("private_steps", num_models) if setup.mechanisms else None,
        timing=timing,
        trained=trained,
        notes=tuple(told),
    )


def _on_kept_answers(folder: RunFolder, valid: np.ndarray) -> Sequence[str]:
    """Notes on the first sound model of those whose answers are kept."""
    models, logits = next(folder.kept("logits", len(valid)), (range(0), None))
    sound = np.flatnonzero(valid[models.start : models.stop])
    return note_on_answers(logits[sound[0], :EXAMPLES_TO_JUDGE]) if logits is not None and len(sound) else ()
