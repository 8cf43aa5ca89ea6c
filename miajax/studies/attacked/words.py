"""What LiRA's numbers say, as sentences. Every claim is computed, and so is its opposite."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from miajax.metrics.claims import Lead, against, chance_of_tpr
from miajax.metrics.figures import Figure
from miajax.metrics.roc import ppv
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.attack_table import AttackFigures, reported_fprs
from miajax.report.claims import against_chance
from miajax.report.numbers import Estimate

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
        return chance_of_tpr(self.fpr, self.attainable)

    @property
    def rate(self) -> float:
        """The true-positive rate, a fraction."""
        return self.tpr.value or 0.0

    @property
    def ratio(self) -> float:
        """True-positive rate over that of chance."""
        return self.rate / self.chance


def standing(figures: AttackFigures, fpr: float | None) -> Standing | None:
    """The attack's standing, or None where it was not computed or the rate cannot be resolved."""
    estimate = figures.tpr(fpr) if fpr is not None else Estimate(None)
    if fpr is None or estimate.value is None:
        return None
    return Standing(face(figures.attack).inline, fpr, estimate, figures.chance(fpr))


def among_all(one: Standing, attack: str, lead: Lead | None) -> Standing:
    """The standing with the interval that holds for all attacks at once, where the attack was chosen among them.

    Args:
      one: of the attack, with its own interval.
      attack: its name.
      lead: of ``metrics.claims.strongest``.
    """
    if lead is None or lead.fpr is None or float(lead.fpr) != one.fpr or attack not in lead.intervals:
        return one
    low, high = lead.intervals[attack].interval
    return dataclasses.replace(one, tpr=dataclasses.replace(one.tpr, interval=(low, high)))


def speaking_fpr(main: AttackFigures) -> float | None:
    """The false-positive rate that the summary speaks of: 0.1 % where it is resolved, else the next larger one."""
    resolved = [fpr for fpr in reported_fprs([main]) if main.tpr(fpr).value is not None]
    return next((fpr for fpr in (*_PREFERRED_FPRS, *resolved) if fpr in resolved), None)


def unresolved_sentence(non_members: int) -> str:
    """Why a run speaks of no rate."""
    behind = "no scored non-member" if non_members == 0 else numbers.counted(non_members, "non-member")
    return f"With {behind} behind it, this run shows no true-positive rate at a low false-positive rate."


def baseline_sentence(baseline: Standing | None) -> str:
    """The same for one threshold; empty where it was not computed."""
    if baseline is None:
        return ""
    return (
        "One threshold on the confidence, the same for all examples, names "
        f"{numbers.percent(baseline.rate)} at the same rate: {_to_chance(baseline)}."
    )


def card_detail(one: Standing) -> str:
    """How a rate stands to chance, in the few words of a card."""
    above = against(one.tpr.interval, chance_of_tpr(one.fpr)) == "above"
    return numbers.times(one.ratio, "chance") if above else f"not measurably above chance, {numbers.level(one.fpr)}"


def _to_chance(one: Standing) -> str:
    """How many times chance, or that it is not shown to be more."""
    if against(one.tpr.interval, one.chance) == "above":
        return numbers.times(one.ratio, "chance")
    return against_chance(one.tpr.interval, one.chance)


def precision_sentence(main: Standing | None, prior: float = 0.01) -> str:
    """How often the attack would be right if members were rare; empty where no rate is resolved or nobody named."""
    precision = ppv(main.rate, main.chance, prior) if main else None
    if main is None or not main.rate or precision is None:
        return ""
    return (
        f"If only {numbers.level(prior)} of the records that an attacker tests were members, "
        f"{numbers.percent(precision)} of those that {main.label} names at {numbers.one_per(main.fpr)} would be."
    )


def spread_of_attacks(attacks: Sequence[AttackFigures], fpr: float | None) -> str:
    """From what to what attacks find, at one rate or, where none is resolved, by AUC."""
    found = sorted((each.tpr(fpr).value or 0.0 for each in attacks if each.tpr(fpr).value is not None) if fpr else ())
    if fpr and found:
        low, high = numbers.percent(found[0]), numbers.percent(found[-1])
        return (
            f"At {numbers.one_per(fpr)} the attack names {high} of the members"
            if len(found) == 1
            else f"At {numbers.one_per(fpr)} the {len(found)} attacks name from {low} to {high} of the members"
        )
    aucs = sorted(value for each in attacks if (value := each.auc.value) is not None)
    if not aucs:
        return "No attack could be measured"
    return (
        f"The AUC of the attacks runs from {aucs[0]:.3f} to {aucs[-1]:.3f}"
        if len(aucs) > 1
        else (f"The attack has an AUC of {aucs[0]:.3f}")
    )


def offline_sentence(main: Standing | None, offline: Standing | None) -> str:
    """What an attacker keeps who trains no model on the record; empty where either was not measured."""
    if main is None or offline is None or main.label == offline.label:
        return ""
    return (
        f"{offline.label}, which trains no models on the record itself, names {numbers.percent(offline.rate)} at this "
        f"rate: {_to_chance(offline)}."
    )


def auc_sentence(figures: AttackFigures) -> str:
    """The area under the ROC in words, and whether its interval holds chance."""
    auc = figures.auc
    if auc.value is None:
        return f"No AUC of {face(figures.attack).inline} could be computed."
    sentence = (
        f"Over all false-alarm rates together, {face(figures.attack).inline} ranks a member above a non-member in "
        f"{numbers.percent(auc.value)} of pairs (AUC {auc}; chance 0.5)"
    )
    if against(auc.interval, 0.5) != "not shown":
        return sentence + "."
    if auc.interval is None:
        return sentence + ", without an interval that could set it against chance."
    return sentence + f", not measurably more than chance; an AUC of up to {auc.interval[1]:.3f} would go unseen."


def gap_finding(train: Figure, test: Figure, gap: Figure, subject: str = "The models are") -> str:
    """The generalisation gap as a sentence.

    Args:
      train, test: accuracy on members and on non-members.
      gap: their difference.
      subject: of the sentence.
    """
    fit = f"{subject} right on {numbers.percent(train.value)} of members and {numbers.percent(test.value)} of the rest"
    told = f"{fit}: a gap of {numbers.points(train.value - test.value, gap.interval)}"
    return told + (", not measurably different from none" if against(gap.interval, 0) == "not shown" else "")


def gap_spread_sentence(gaps: Float[np.ndarray, " models"]) -> str:
    """How the gap varies from model to model; empty for fewer than two."""
    known = gaps[np.isfinite(gaps)]
    if len(known) < 2:
        return ""
    return f"From model to model the gap runs from {numbers.points(known.min())} to {numbers.points(known.max())}."


def exposed_finding(exposed: int, examples: int, threshold: float) -> str:
    """How many examples are more exposed than the luckiest harmless one would look."""
    total = numbers.counted(examples, "example")
    if examples == 0:
        return "No example was looked at"
    if exposed == 0 and threshold >= 1:
        return f"So few models let no single example stand out, whatever it leaks: {total} looked at"
    if exposed == 0:
        none = "The one example does not stand out" if examples == 1 else f"None of {total} stands out"
        return f"{none}; with these models one would have to pass an AUC of {threshold:.2f}"
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
