"""What a change of execution plan does to signals and to an attack, measured instead of assumed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from miajax.attacks.registry import run_attack, why_not
from miajax.campaign.programs import Programs
from miajax.metrics.roc import roc_curve, tpr_at_fpr
from miajax.runs.folder import RunFolder
from miajax.signals.bundle import Signals
from miajax.signals.passes import go_on
from miajax.training.parallel import CALL_SECONDS

_FPR = 0.01
_ATTACKS = ("lira_online", "global_threshold")  # the second where too few models are trained again


def effect_of_plan(
    programs: Programs,
    folder: RunFolder,
    models: range,
    member: np.ndarray,
    between: Callable[[], None] = go_on,
) -> dict[str, Any]:
    """Trains finished models again and compares their scaled logits with the stored ones.

    Args:
      programs: of the new plan.
      folder: the run.
      models: finished models, the first of a stored group.
      member: ``bool[M, N]``.
      between: called between two calls of a program, each of about a second; what it raises ends the training.

    Returns:
      JSON: ``models`` (how many), ``max_difference`` of a scaled logit, ``rank_correlation`` (Spearman) over all cells,
      and ``on_scores``: see ``effect_on_scores``.
    """
    ids = np.arange(models.start, models.stop)
    group = programs.ensemble.start(ids, member[ids], programs.width)
    for _ in programs.ensemble.calls(group, CALL_SECONDS):
        between()
    return effect_of_signals(programs.finish(group, between).pool.scaled_logit, folder, models, member)


def effect_of_signals(
    now: Float[np.ndarray, "models examples queries"], folder: RunFolder, models: range, member: np.ndarray
) -> dict[str, Any]:
    """What `effect_of_plan` returns, from the scaled logits ``now`` of models that were trained again."""
    before = folder.gather("signals", models.stop)[models.start :]
    known = np.isfinite(now) & np.isfinite(before)
    return {
        "models": len(models),
        "max_difference": float(np.abs(now - before)[known].max()),
        "rank_correlation": _spearman(now[known], before[known]),
        "on_scores": effect_on_scores(before, now, member[models.start : models.stop]),
    }


def notes_on_effect(effect: dict[str, Any]) -> list[str]:
    """What `effect_of_plan` returned, in sentences."""
    notes = [
        f"Effect of the changed plan on {effect['models']} models trained again: scaled logits move by at most "
        f"{effect['max_difference']:.3g}, rank correlation {effect['rank_correlation']:.6f}."
    ]
    if scores := effect.get("on_scores"):
        before, now = scores["tpr_before"], scores["tpr_now"]
        moved = "" if before is None else f", TPR at FPR {scores['fpr']:g} from {before:.4f} to {now:.4f}"
        notes.append(
            f"The same models under {scores['attack']}: scores' rank correlation "
            f"{scores['rank_correlation']:.6f}{moved}."
        )
    return notes


def effect_on_scores(
    before: Float[np.ndarray, "models examples queries"],
    now: Float[np.ndarray, "models examples queries"],
    member: Bool[np.ndarray, "models examples"],
) -> dict[str, Any] | None:
    """What moves when the same attack reads the same models' scaled logits under two plans.

    Returns:
      JSON: ``attack``, ``rank_correlation`` (Spearman) of its scores, ``fpr``, and at it ``tpr_before`` and ``tpr_now``
      over all models as targets (None where so few non-members can't resolve it). None where no model is finite.
    """
    valid = np.asarray(np.isfinite(before).all((1, 2)) & np.isfinite(now).all((1, 2)))
    if not valid.any():
        return None
    unread = np.zeros(member.shape, bool), np.zeros(member.shape[1], np.int32)
    first, second = (Signals(signals, *unread) for signals in (before, now))
    attack = next(name for name in _ATTACKS if why_not(name, first, member, valid) is None)
    scores = [run_attack(attack, signals, member, valid)[0] for signals in (first, second)]
    known = np.isfinite(scores).all(0)
    rates = [tpr_at_fpr(roc_curve(array[known], member[known]), _FPR) for array in scores]
    return {
        "attack": attack,
        "rank_correlation": _spearman(*(array[known] for array in scores)),
        "fpr": _FPR,
        "tpr_before": rates[0],
        "tpr_now": rates[1],
    }


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr  # a third of a second, for a rare measurement

    found: Any = spearmanr(a, b)
    return float(found.statistic)
