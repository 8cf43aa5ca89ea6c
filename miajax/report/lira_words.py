"""What LiRA's numbers say, as sentences. Every claim is computed, and so is its opposite."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from miajax.metrics.roc import ppv
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.attack_table import AttackFigures, reported_fprs
from miajax.report.numbers import Estimate

Level = Literal["chance", "slightly", "clearly"]
_PREFERRED_FPRS = (1e-3, 1e-2, 1e-1)


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where an attack stands at one false-positive rate.

    Attributes:
      label: the attack's name.
      fpr: false-positive rate.
      tpr: the rate it reaches; its value is never None.
      attainable: what an attack without power shows there on average, which exceeds the false-positive rate where
        non-members are few; None for the false-positive rate itself.
    """

    label: str
    fpr: float
    tpr: Estimate
    attainable: float | None = None

    @property
    def chance(self) -> float:
        """The true-positive rate of an attack without power."""
        return self.fpr if self.attainable is None else self.attainable

    @property
    def rate(self) -> float:
        """The true-positive rate, a fraction."""
        return self.tpr.value or 0.0

    @property
    def ratio(self) -> float:
        """True-positive rate over that of chance."""
        return self.rate / self.chance

    @property
    def level(self) -> Level:
        """``chance`` unless the interval lies above chance; ``clearly`` from twice chance on."""
        low = self.tpr.interval[0] if self.tpr.interval else self.rate / 1.5
        if low <= self.chance:
            return "chance"
        return "clearly" if self.ratio >= 2 else "slightly"


def standing(figures: AttackFigures, fpr: float | None) -> Standing | None:
    """The attack's standing, or None where it was not computed or the rate cannot be resolved."""
    estimate = figures.tpr(fpr) if fpr is not None else Estimate(None)
    if fpr is None or estimate.value is None:
        return None
    return Standing(face(figures.attack).inline, fpr, estimate, figures.chance(fpr))


def speaking_fpr(main: AttackFigures) -> float | None:
    """The false-positive rate that the summary speaks of: 0.1 % where it is resolved, else the next larger one."""
    resolved = [fpr for fpr in reported_fprs([main]) if main.tpr(fpr).value is not None]
    return next((fpr for fpr in (*_PREFERRED_FPRS, *resolved) if any(abs(fpr / r - 1) < 1e-9 for r in resolved)), None)


def low_rate_finding(main: Standing | None, baseline: Standing | None) -> str:
    """The finding about low false-alarm rates, the attack set against one threshold for all examples."""
    if main is None:
        return "This run is too small to speak of low false-alarm rates"
    where = "at low false-alarm rates"
    if baseline is None:
        return {
            "chance": f"{main.label} does not measurably beat chance {where}",
            "slightly": f"{main.label} picks out members {where} slightly more often than chance",
            "clearly": f"{main.label} picks out members {where}",
        }[main.level]
    one = "one threshold for all examples"
    if main.level == "clearly":
        return f"{main.label} picks out members {where}; " + {
            "chance": f"{one} does not measurably beat chance",
            "slightly": f"{one} stays close to chance",
            "clearly": f"so does {one}{_compared(main, baseline)}",
        }[baseline.level]
    if baseline.level == "clearly":
        return f"{one.capitalize()} picks out members {where}; {main.label} " + {
            "chance": "does not measurably beat chance",
            "slightly": "stays close to chance",
        }[main.level]
    if main.level == "chance" and baseline.level == "chance":
        return f"Neither {main.label} nor {one} measurably beats chance {where}"
    return f"{main.label} and {one} stay close to chance {where}"


def _compared(main: Standing, baseline: Standing) -> str:
    if main.rate >= 1.5 * baseline.rate:
        return f", though {main.label} finds {numbers.times(main.rate / baseline.rate)} as many"
    if baseline.rate >= 1.5 * main.rate:
        return f", and it finds {numbers.times(baseline.rate / main.rate)} as many"
    return ", and about as many"


def rate_sentence(main: Standing | None, non_members: int) -> str:
    """What the true-positive rate means, against chance."""
    if main is None:
        behind = "no scored non-member" if non_members == 0 else numbers.counted(non_members, "non-member")
        return f"With {behind} behind it, this run shows no true-positive rate at a low false-positive rate."
    interval = numbers.percent_interval(main.tpr.interval)
    return (
        f"At {numbers.one_per(main.fpr)} non-members, {main.label} names {numbers.percent(main.rate)} of the members"
        + (f" (95 % interval {interval})" if interval else "")
        + f": {numbers.times(main.ratio)} chance."
    )


def baseline_sentence(baseline: Standing | None) -> str:
    """The same for one threshold; empty where it was not computed."""
    if baseline is None:
        return ""
    return (
        "One threshold on the confidence, the same for all examples, names "
        f"{numbers.percent(baseline.rate)} at the same rate: {numbers.times(baseline.ratio)} chance."
    )


def precision_sentence(main: Standing | None, prior: float = 0.01) -> str:
    """How often the attack would be right if members were rare; empty where no rate is resolved."""
    precision = ppv(main.rate, main.chance, prior) if main else None
    if main is None or precision is None:
        return ""
    return (
        f"If only {numbers.level(prior)} of the records an attacker asks about were members, "
        f"{numbers.percent(precision)} of those that {main.label} names at {numbers.one_per(main.fpr)} would be."
    )


def ranking_finding(attacks: Sequence[AttackFigures], fpr: float | None) -> str:
    """Which attacks find most, at one rate or, where none is resolved, by AUC."""
    found = [each for each in (standing(figures, fpr) for figures in attacks) if each is not None]
    if len(found) > 1 and fpr is not None:
        best, *others = sorted(found, key=lambda each: -each.rate)
        rivals = [each for each in others if not _clearly_above(best.tpr, each.tpr)]
        share = f"{numbers.percent(best.rate)} of members at {numbers.one_per(fpr)}"
        if not rivals:
            return f"Of {len(found)} attacks {best.label} finds the most, {share}"
        if len(rivals) == 1:
            return f"Of {len(found)} attacks {best.label} finds the most, {share}, with {rivals[0].label} close behind"
        return f"{best.label} finds {share}; {len(rivals)} other attacks cannot be told from it"
    aucs = [(each.scalar("auc").value, face(each.attack).label) for each in attacks]
    known = [(value, label) for value, label in aucs if value is not None]
    if not known:
        return "No attack could be measured"
    value, label = max(known)
    return f"{label} reaches an AUC of {value:.3f}" + (", the highest" if len(known) > 1 else "")


def offline_sentence(main: Standing | None, offline: Standing | None) -> str:
    """What an attacker keeps who trains no model on the record; empty where either was not measured."""
    if main is None or offline is None or main.label == offline.label:
        return ""
    return (
        f"{offline.label}, which trains no models on the record itself, names {numbers.percent(offline.rate)} at this "
        f"rate: {numbers.times(offline.ratio)} chance."
    )


def auc_sentence(figures: AttackFigures) -> str:
    """The area under the ROC in words, and whether its interval holds chance."""
    auc = figures.scalar("auc")
    if auc.value is None:
        return f"No AUC of {face(figures.attack).inline} could be computed."
    sentence = (
        f"Over all false-alarm rates together, {face(figures.attack).inline} ranks a member above a non-member in "
        f"{numbers.percent(auc.value)} of pairs (AUC {auc}; chance 0.5)"
    )
    if auc.interval and auc.interval[0] <= 0.5 <= auc.interval[1]:
        return sentence + ", which cannot be told from chance."
    return sentence + "."


def gap_finding(train: float | None, test: float | None, *, subject: str = "The models are") -> str:
    """The generalisation gap as a sentence."""
    if train is None or test is None:
        return "No accuracy was recorded"
    gap = train - test
    fit = f"{subject} right on {numbers.percent(train)} of members and {numbers.percent(test)} of the rest"
    if abs(gap) < 0.005:
        return f"{fit}: there is hardly a gap"
    return f"{fit}: a gap of {numbers.points(gap)}"


def gap_spread_sentence(gaps: Float[np.ndarray, " models"]) -> str:
    """How the gap varies from model to model; empty for fewer than two."""
    known = gaps[np.isfinite(gaps)]
    if len(known) < 2:
        return ""
    return f"From model to model the gap runs from {numbers.points(known.min())} to {numbers.points(known.max())}."


def beyond_gap_sentence(main: AttackFigures, gap: AttackFigures) -> str:
    """Whether the attack finds more than right-or-wrong does; empty where either AUC is missing."""
    ours, theirs = main.scalar("auc"), gap.scalar("auc")
    if ours.value is None or theirs.value is None or main.attack == gap.attack:
        return ""
    lead = f"An attacker who only sees whether a prediction is right reaches an AUC of {theirs}; "
    label = face(main.attack).inline
    if _clearly_above(ours, theirs):
        return lead + f"{label} reaches {ours}, so the gap in accuracy does not account for all of the leakage."
    if _clearly_above(theirs, ours):
        return lead + f"{label} reaches only {ours}: the gap in accuracy is the better signal here."
    return lead + f"{label} reaches {ours}: the gap in accuracy may account for all that it finds."


def _clearly_above(one: Estimate, other: Estimate) -> bool:
    low = one.interval[0] if one.interval else one.value
    high = other.interval[1] if other.interval else other.value
    return low is not None and high is not None and low > high


def exposed_finding(exposed: int, examples: int, threshold: float) -> str:
    """How many examples are more exposed than the luckiest harmless one would look."""
    total = numbers.counted(examples, "example")
    if exposed == 0:
        return f"None of {total} stands out: each is within what luck alone would show"
    stand = "stands" if exposed == 1 else "stand"
    return (
        f"{numbers.count(exposed)} of {total} {stand} out: their per-example AUC exceeds {threshold:.2f}, "
        "which luck alone would reach about once"
    )


def spread_finding(aucs: Sequence[float]) -> str:
    """How the attack's AUC varies from target to target."""
    if len(aucs) == 0:
        return "No target has enough scores for an AUC of its own"
    if len(aucs) == 1:
        return f"The one target has an AUC of {numbers.rate(aucs[0])}"
    low, high, mean = min(aucs), max(aucs), sum(aucs) / len(aucs)
    return f"From target to target the AUC runs from {low:.3f} to {high:.3f}, with a mean of {mean:.3f}"
