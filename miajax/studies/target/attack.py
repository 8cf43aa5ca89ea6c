"""One more model in front of a campaign's shadow models: it is no shadow itself, so all of them judge it."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from miajax.attacks.attack import Partners
from miajax.attacks.label_only import label_ratio_scores
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS, run_attack, run_attacks, why_not
from miajax.campaign.run import Campaign
from miajax.data.pairs import complementary_partners
from miajax.errors import UserError
from miajax.metrics.rows import rank_rows
from miajax.metrics.summary import summarise
from miajax.notes import noted
from miajax.signals.bundle import Signals
from miajax.studies.target.channel import Channel
from miajax.studies.target.file import Target
from miajax.studies.target.results import MeanFigures, ShadowFigures

LABEL_RATIO = "label_ratio"
_UNDECIDED = {"lira_online", "lira_online_fullcov", "lira_offline"}  # divide by a variance of their own; 0 is neutral


@dataclasses.dataclass(frozen=True, eq=False)
class WithTarget:
    """Shadow models and, in the last row, the target, on the audited examples, through the target's channel.

    Attributes:
      signals: ``[M + 1, K, ...]``.
      member: ``bool[M + 1, K]``.
      valid: ``bool[M + 1]``; the target is.
      correct: ``bool[M + 1, K]``, also in ``signals``.
      saturates: whether the channel makes unequal answers equal.
      partners: of the shadow models, over the whole pool; the target has none.
    """

    signals: Signals
    member: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    correct: Bool[np.ndarray, "models examples"]

    saturates: bool = False
    partners: Partners = None

    def last(self) -> "WithTarget":
        """The target alone."""
        fields = {name: getattr(self.signals, name) for name in ("scaled_logit", "correct", "logits")}
        cut = {name: None if array is None else array[-1:] for name, array in fields.items()}
        return WithTarget(self.signals._replace(**cut), self.member[-1:], self.valid[-1:], self.correct[-1:])


def put_before(campaign: Campaign, target: Target, channel: Channel) -> WithTarget:
    """The campaign's models as the target's channel shows them, and the target as one model more."""
    ids, labels = target.ids, campaign.setup.dataset.labels[target.ids]
    num_models = len(campaign.member)
    own = channel.target(target, labels)
    queries = 1 if own.scaled_logit is None else own.scaled_logit.shape[-1]
    correct = np.zeros((num_models + 1, len(ids)), bool)
    correct[:-1] = campaign.correct[:, ids]
    correct[-1] = own.correct
    phi = logits = None
    if own.scaled_logit is not None and own.logits is not None:
        phi = np.full((num_models + 1, len(ids), queries), np.nan, np.float32)
        phi[-1] = own.scaled_logit
        if (campaign.folder.path / "logits").is_dir():
            logits = np.full((*phi.shape, own.logits.shape[-1]), np.nan, np.float32)
            logits[-1] = own.logits
            for models, part in campaign.folder.parts("logits", num_models):
                for model, values in zip(models, part, strict=True):
                    if campaign.valid[model]:
                        seen = channel.logits(values[ids, :queries], labels)
                        phi[model], logits[model], correct[model] = seen.scaled_logit, seen.logits, seen.correct
        else:
            phi[:-1] = channel.scaled_logit(campaign.signals[:, ids, :queries])
    features = campaign.setup.dataset.features[ids].reshape(len(ids), -1)
    signals = Signals(phi, correct, labels, logits, features=features)
    member = np.concatenate([campaign.member[:, ids], target.member[None]])
    partners = complementary_partners(campaign.member)
    return WithTarget(
        signals,
        member,
        np.append(campaign.valid, True),
        correct,
        channel.bound is not None,
        None if partners is None else np.append(partners, num_models),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Attacked:
    """What all possible attacks found.

    Attributes:
      scores: ``{attack: float32[K]}`` of the target.
      shadow_scores: ``{attack: float32[M, K]}`` of the shadow models, without the target among their shadows; attacks
        that train something for each target are missing.
      skipped: ``{attack: reason}`` of those that could not be run.
      notes: on what scores are missing.
      unaided: attacks that need no shadow models: without any, they give the target the same scores.
    """

    scores: dict[str, np.ndarray]
    shadow_scores: dict[str, np.ndarray]
    skipped: dict[str, str]
    notes: list[str]
    unaided: tuple[str, ...]


def attack_target(stacked: WithTarget, names: Sequence[str], options: AttackOptions) -> Attacked:
    """Runs those of the named attacks that the signals allow; on classes alone, the label ratio too.

    Shadow models are scored without the target among their own shadows. Attacks that train something for each target
    are run on the one target only, which also spares their training for every shadow model.
    """
    skipped: dict[str, str] = {}
    last = stacked.last()
    without = stacked.valid & (np.arange(len(stacked.valid)) < len(stacked.valid) - 1)  # the target shadows nobody
    groups: list[tuple[WithTarget, list[str]]] = [(stacked, []), (last, [])]
    for name in names:
        attack = ATTACKS[name]
        alone = not attack.pure and attack.min_in == attack.min_out == 0
        data, runnable = groups[alone]
        reason = why_not(name, data.signals, data.member, data.valid, data.partners)
        if reason:
            skipped[name] = reason
        else:
            runnable.append(name)
    signals, member, partners = stacked.signals, stacked.member, stacked.partners

    def scored(some: Sequence[str], valid: np.ndarray) -> dict[str, np.ndarray]:
        return {name: run[0] for name, run in run_attacks(some, signals, member, valid, options, partners).items()}

    found = scored(groups[0][1], stacked.valid)
    others = scored([name for name in groups[0][1] if not why_not(name, signals, member, without, partners)], without)
    if signals.scaled_logit is None and stacked.valid.sum() > 1:
        found[LABEL_RATIO] = np.asarray(label_ratio_scores(stacked.correct, member, stacked.valid, partners))
        others[LABEL_RATIO] = np.asarray(label_ratio_scores(stacked.correct, member, without, partners))
    notes: list[str] = []
    if stacked.saturates:
        for name in _UNDECIDED & set(found):
            undecided = _settle(name, found[name], stacked, stacked.valid)[-1]
            if name in others:
                _settle(name, others[name], stacked, without)
            if undecided.any():
                notes.append(
                    noted(
                        "the shadow models of {} examples all give one and the same rounded answer; such examples "
                        "score 0, no evidence either way.",
                        undecided.sum(), about=[name],
                    )
                )  # fmt: skip
    scores = {name: array[-1] for name, array in found.items()}
    alone = run_attacks(groups[1][1], last.signals, last.member, last.valid, options)
    scores |= {name: run[0][-1] for name, run in alone.items()}
    for name in [n for n, own in scores.items() if not _both_sides(own, member[-1])]:
        del scores[name]
        skipped[name] = "has no score for both members and non-members of the target"
    notes += [
        noted(
            "{} of {} examples have no score (too few shadow models with or without them, or all of those agree to the "
            "last digit); they are left out.",
            missing, len(own), about=[name],
        )
        for name, own in scores.items()
        if (missing := int((~np.isfinite(own)).sum()))
    ]  # fmt: skip
    shadow_scores = {name: array[:-1] for name, array in others.items()}
    return Attacked(scores, shadow_scores, skipped, sorted(notes), _unaided(scores, alone, last, options))


def _unaided(
    scores: dict[str, np.ndarray], alone: Mapping[str, Any], last: WithTarget, options: AttackOptions
) -> tuple[str, ...]:
    """The attacks of ``scores`` that need no shadow models; those of ``alone`` ran without."""
    able = [
        name
        for name in scores
        if name in ATTACKS and name not in alone and not why_not(name, last.signals, last.member, last.valid)
    ]
    same = set(alone)
    for name in able:
        with contextlib.suppress(UserError):  # an attack may find no score without shadow models
            again = run_attack(name, last.signals, last.member, last.valid, options)[0]
            same |= {name} if np.array_equal(again[-1], scores[name], equal_nan=True) else set()
    return tuple(name for name in scores if name in same)


def _settle(name: str, scores: np.ndarray, stacked: WithTarget, valid: np.ndarray) -> np.ndarray:
    """Sets to 0, in place, the scores ``[M, K]`` that fail for want of variance alone, and says which."""
    undecided = np.asarray(ATTACKS[name].scorable(stacked.member, valid, stacked.partners)) & ~np.isfinite(scores)
    scores[undecided] = 0.0
    return undecided


def _both_sides(scores: np.ndarray, member: np.ndarray) -> bool:
    known = np.isfinite(scores)
    return bool((known & member).any() and (known & ~member).any())


def shadow_figures(scores: np.ndarray | None, auc: float, stacked: WithTarget) -> ShadowFigures | None:
    """The shadow models' own figures under an attack, and where the target stands among them."""
    if scores is None:
        return None
    member, valid = stacked.member[:-1], stacked.valid[:-1]
    known = np.isfinite(scores) & valid[:, None]
    usable = (known & member).any(1) & (known & ~member).any(1)
    if usable.sum() < 2:
        return None
    ranked = rank_rows(np.where(known, scores, np.nan)[usable], member[usable])
    aucs = ranked.auc(ranked.opponents_above())
    own = summarise(scores, member, valid).per_target
    assert own is not None
    count = int(usable.sum())
    means = MeanFigures(**vars(own), num_targets=count)
    return ShadowFigures(count, means, (float(aucs.min()), float(aucs.max())), float((aucs < auc).mean()))
