"""``saturation`` of ``results.json``: how much the figures rest on where answers of 0 and 1 are clipped."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS
from miajax.campaign.run import Campaign
from miajax.campaign.saturated import clip_of_run, shares_at_clip, signals_at
from miajax.metrics.roc import auc, roc_curve
from miajax.report import numbers
from miajax.signals.bundle import Signals
from miajax.studies.attacked.entries import run_families
from miajax.studies.attacked.results import AtClip, Move, Saturation
from miajax.studies.common import Scores

_TIMES = (2.0, 1.0, 0.2)  # the clip, as a multiple of 1/(2T): 1/T, 1/(2T), 1/(10T)
_READ = {"scaled_logit", "logits"}
_RULES = {
    "votes": "answers are means of {votes} votes, so that nothing lies between 0 and 1/{votes}",
    "grid": "answers are multiples of 1/{votes}",
    "smallest": "half the smallest distance from 0 and 1 that an answer of the first model has",
    "precision": "no answer of the first model is 0 or 1, so that the precision of its numbers is the limit",
    "none": "answers are scores without bounds",
}


def saturation(
    campaign: Campaign,
    signals: Signals,
    scores: Scores,
    settings: AttackOptions,
    targets: Sequence[int] | None = None,
) -> tuple[Saturation | None, list[str]]:
    """What is said of saturation, and its note; nothing for networks.

    Args:
      campaign: finished.
      signals: what the attacks read.
      scores: of every attack that ran; those that read probabilities and follow from them at once run again.
      settings: of the attacks.
      targets: the models whose scores count; all valid ones if None.
    """
    rule = clip_of_run(campaign.folder)
    if rule is None:
        return None, []
    kind = campaign.folder.manifest["answers"]["kind"]
    entry = Saturation(kind=kind, clip=rule.clip, rule=rule.rule, votes=rule.votes)
    if rule.clip is None:
        return entry, []
    shares = shares_at_clip(campaign, rule.clip)
    entry = dataclasses.replace(entry, share_low=shares.low, share_high=shares.high)
    if not shares.ties:
        return entry, []
    names = [name for name in scores if ATTACKS[name].pure and _READ.intersection(ATTACKS[name].needs)]
    by_clip: dict[float, Scores] = {}
    for clip in (times * rule.clip for times in _TIMES):
        if clip < 0.5:
            by_clip[clip] = scores if clip == rule.clip else run_families(
                names, signals_at(campaign, signals, clip), campaign.member, campaign.valid, settings
            ).scores  # fmt: skip
    rows = campaign.valid if targets is None else campaign.valid & np.isin(np.arange(len(campaign.valid)), targets)
    at: dict[float, dict[str, float | None]] = {clip: {} for clip in by_clip}
    for name in names:
        arrays = [found[name] for found in by_clip.values() if name in found]
        if len(arrays) == len(by_clip):
            # Where all shadow models agree there is no score, and a clip decides where they do: the cells are the same.
            known = np.isfinite(arrays).all(0) & rows[:, None]
            for each, array in zip(at.values(), arrays, strict=True):
                each[name] = _auc(array[known], campaign.member[known])
    aucs = tuple(AtClip(clip, each) for clip, each in at.items())
    moved = _moves_most(at, rule.clip)
    entry = dataclasses.replace(entry, auc=aucs, moves_most=moved)
    return entry, [_note(entry, rule.clip)]


def _auc(scores: np.ndarray, member: np.ndarray) -> float | None:
    return auc(roc_curve(scores, member)) if member.any() and not member.all() else None


def _moves_most(at: Mapping[float, Mapping[str, float | None]], clip: float) -> Move | None:
    moves = [
        Move(name, clip, value, elsewhere, other)
        for name, value in at[clip].items()
        for elsewhere, each in at.items()
        if value is not None and elsewhere != clip and (other := each.get(name)) is not None
    ]
    return max(moves, key=lambda move: abs(move.other_auc - move.auc), default=None)


def _note(entry: Saturation, clip: float) -> str:
    most, why = entry.moves_most, _RULES[entry.rule].format(votes=entry.votes)
    text = (
        f"Answers saturate: {numbers.percent(entry.share_high)} of the answers give the label a probability of at "
        f"least {1 - clip:.6g} and {numbers.percent(entry.share_low)} one of at most {clip:.3g}. Probabilities are "
        f"clipped there ({why}); equal answers stay ties."
    )
    if most is None:
        return text
    return (
        f"{text} The clip moves {most.attack} most: over the cells that have a score at every clip its AUC is "
        f"{most.auc:.3f}, and {most.other_auc:.3f} at a clip of {most.other_clip:.3g}."
    )
