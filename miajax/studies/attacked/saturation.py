"""``saturation`` of ``results.json``: how much the figures rest on where answers of 0 and 1 are clipped."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS
from miajax.campaign.run import Campaign
from miajax.campaign.saturated import clip_of_run, shares_at_clip, signals_at
from miajax.metrics.roc import auc, roc_curve
from miajax.report import numbers
from miajax.signals.bundle import Signals
from miajax.studies.attacked.entries import run_families
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
) -> tuple[dict[str, Any], list[str]]:
    """The entry, by the name ``saturation``, and its note; nothing for networks.

    Args:
      campaign: finished.
      signals: what the attacks read.
      scores: of every attack that ran; those that read probabilities and follow from them at once run again.
      settings: of the attacks.
      targets: the models whose scores count; all valid ones if None.

    Returns:
      ``{saturation: {kind, clip, rule, votes, share_low, share_high, auc, moves_most}}``. ``share_low`` and
      ``share_high`` are shares of the cells (model, example) whose label has a probability of at most the clip, or of
      at least one less it: they are ties. ``auc`` is a list of ``{clip, attacks: {attack: AUC}}`` at twice the clip,
      at the clip and at a fifth of it, without clips of 1/2 and more, which leave nothing, each over the cells that
      have a score at all of them; None where no cell saturates. ``moves_most`` is ``{attack, clip, auc, other_clip,
      other_auc}``.
    """
    rule = clip_of_run(campaign.folder)
    if rule is None:
        return {}, []
    entry: dict[str, Any] = {
        "kind": campaign.folder.manifest["answers"]["kind"],
        "clip": rule.clip, "rule": rule.rule, "votes": rule.votes,
        "share_low": 0.0, "share_high": 0.0, "auc": None, "moves_most": None,
    }  # fmt: skip
    if rule.clip is None:
        return {"saturation": entry}, []
    shares = shares_at_clip(campaign, rule.clip)
    entry |= {"share_low": shares.low, "share_high": shares.high}
    if not shares.ties:
        return {"saturation": entry}, []
    names = [name for name in scores if ATTACKS[name].pure and _READ.intersection(ATTACKS[name].needs)]
    by_clip: dict[float, Scores] = {}
    for clip in (times * rule.clip for times in _TIMES):
        if clip < 0.5:
            by_clip[clip] = scores if clip == rule.clip else run_families(
                names, signals_at(campaign, signals, clip), campaign.member, campaign.valid, settings
            ).scores  # fmt: skip
    rows = campaign.valid if targets is None else campaign.valid & np.isin(np.arange(len(campaign.valid)), targets)
    at: list[dict[str, Any]] = [{"clip": clip, "attacks": {}} for clip in by_clip]
    for name in names:
        arrays = [found[name] for found in by_clip.values() if name in found]
        if len(arrays) == len(by_clip):
            # Where all shadow models agree there is no score, and a clip decides where they do: the cells are the same.
            known = np.isfinite(arrays).all(0) & rows[:, None]
            for each, array in zip(at, arrays, strict=True):
                each["attacks"][name] = _auc(array[known], campaign.member[known])
    entry |= {"auc": at, "moves_most": _moves_most(at, rule.clip)}
    return {"saturation": entry}, [_note(entry)]


def _auc(scores: np.ndarray, member: np.ndarray) -> float | None:
    return auc(roc_curve(scores, member)) if member.any() and not member.all() else None


def _moves_most(at: Sequence[dict[str, Any]], clip: float) -> dict[str, Any] | None:
    here = next(each["attacks"] for each in at if each["clip"] == clip)
    moves = [
        (abs(other["attacks"][name] - value), name, other)
        for name, value in here.items()
        for other in at
        if value is not None and other["clip"] != clip and other["attacks"].get(name) is not None
    ]
    if not moves:
        return None
    _, name, other = max(moves, key=lambda move: move[0])
    return {
        "attack": name, "clip": clip, "auc": here[name],
        "other_clip": other["clip"], "other_auc": other["attacks"][name],
    }  # fmt: skip


def _note(entry: dict[str, Any]) -> str:
    clip, most = entry["clip"], entry["moves_most"]
    why = _RULES[entry["rule"]].format(votes=entry["votes"])
    text = (
        f"Answers saturate: {numbers.percent(entry['share_high'])} of the answers give the label a probability of at "
        f"least {1 - clip:.6g} and {numbers.percent(entry['share_low'])} one of at most {clip:.3g}. Probabilities are "
        f"clipped there ({why}); equal answers stay ties."
    )
    if most is None:
        return text
    return (
        f"{text} The clip moves {most['attack']} most: over the cells that have a score at every clip its AUC is "
        f"{most['auc']:.3f}, and {most['other_auc']:.3f} at a clip of {most['other_clip']:.3g}."
    )
