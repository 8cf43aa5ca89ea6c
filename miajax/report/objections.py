"""What a run says to objections that its figures are sure to meet: the figure that speaks to each, or how to get it."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from miajax.attacks.registry import BASELINE
from miajax.metrics.claims import Lead, against
from miajax.metrics.figures import Estimate, Figure, fpr_key
from miajax.metrics.new_data import NewDataMeans
from miajax.metrics.objections import ASKED, Objection, Raised
from miajax.metrics.per_record import PerRecords
from miajax.metrics.roc import ppv
from miajax.metrics.without_models import Checks
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.page import Cell, Column, Prose, Section, Table
from miajax.report.record_words import records_finding

PRIOR = 0.01
_HOW: dict[Raised, str] = {
    "pooled_fpr": "miajax lira or miajax attacks on this run gives the records' own false-positive rates.",
    "chosen_threshold": "miajax attacks on this run gives what thresholds reach that were set on other models.",
    "chosen_attack": "miajax attacks on this run gives intervals that hold for all attacks at once.",
    "prior": "miajax attacks on this run gives precision where 1 %, 10 % and 50 % of the tested records are members.",
    "weak_baseline": "miajax attacks on this run sets all attacks beside one threshold for everybody.",
    "comparable_shadows": "miajax audit_target attacks a model trained elsewhere and says how like its shadows it is.",
    "distribution_shift": "Train a classifier on features alone to tell members from others, as miajax lira does.",
    "one_pool": "64 models and more of miajax lira tell the share of the data in the variance between models.",
    "instability": "miajax stability on this run gives how far disjoint sets of models name the same records.",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speaking:
    """What of a run speaks to objections; None and empty where it has no such figure.

    Attributes:
      lead: the strongest attack and how it was chosen.
      contest: attacks that were compared, where there is no ``lead``.
      not_run: attacks that could not run.
      baseline: AUC of one threshold for everybody, and of the strongest attack.
      checks: whether members differ from others without any model.
      records: false alarms of single records.
      reached: aimed FPR, TPR and FPR of the strongest attack's thresholds that were set on other models.
      rank_stability: of the strongest attack between halves of the models.
      overlap: a sentence on how far disjoint sets of models name the same records.
      new_data: what per-record AUCs are on data drawn anew.
      elsewhere: whether the target was trained elsewhere, and why it is not comparable with its shadow models, if so.
    """

    lead: Lead | None = None
    contest: Collection[str] = ()
    not_run: Collection[str] = ()
    baseline: tuple[Figure, Figure] | None = None
    checks: Checks | None = None
    records: PerRecords | None = None
    reached: tuple[float, Estimate, Estimate] | None = None
    rank_stability: Estimate | None = None
    overlap: str = ""
    new_data: NewDataMeans | None = None
    elsewhere: Sequence[str] | None = None


class _WithAuc(Protocol):
    @property
    def auc(self) -> Figure: ...


def beside_baseline(lead: Lead | None, found: Mapping[str, _WithAuc]) -> tuple[Figure, Figure] | None:
    """AUC of one threshold for everybody and of the strongest attack; None where either is missing."""
    if lead is None or not {BASELINE, lead.attack} <= found.keys():
        return None
    return found[BASELINE].auc, found[lead.attack].auc


def objections(of: Speaking) -> tuple[Objection, ...]:
    """Every known objection with the figure that speaks to it, or with how to get it."""
    told: Mapping[Raised, tuple[str, tuple[str, ...]]] = {
        "pooled_fpr": _pooled(of),
        "chosen_threshold": _threshold(of),
        "chosen_attack": _chosen(of),
        "prior": _prior(of),
        "weak_baseline": _baseline(of),
        "comparable_shadows": _comparable(of),
        "distribution_shift": _shift(of),
        "one_pool": _pool(of),
        "instability": _instability(of),
    }
    return tuple(
        Objection(name, bool(answer), answer or _HOW[name], keys if answer else ())
        for name, (answer, keys) in told.items()
    )


def objection_sections(found: Sequence[Objection] | None) -> list[Section]:
    """The table of objections and answers; nothing where a report answers none."""
    if not found:
        return []
    measured = sum(each.measured for each in found)
    rows: list[list[Cell]] = [
        [ASKED[each.objection], each.answer if each.measured else f"Not measured. {each.answer}"] for each in found
    ]
    finding = f"Of {numbers.counted(len(found), 'known objection')} this run has a figure for {measured}"
    text = "No figure here refutes an objection once and for all: it says how large the effect is in this run."
    table = Table([Column("What may be objected"), Column("What this run says")], rows)
    return [Section("Objections", finding, [table, Prose([text])])]


_NOTHING: tuple[str, tuple[str, ...]] = ("", ())


def _pooled(of: Speaking) -> tuple[str, tuple[str, ...]]:
    records = of.records
    if records is None:
        return _NOTHING
    lead = None if of.lead is None else of.lead.attack
    main = records.attacks.get(lead or "", records.signal)
    told = f"{records_finding(main, records.fpr)}."
    own = records.signal.standardised
    keys = [f"per_record.attacks.{lead}" if main is not records.signal else "per_record.signal"]
    for fpr, tpr in () if own is None else own.tpr_at_fpr.items():
        if tpr.value is not None and fpr == records.fpr:
            told += (
                f" With the scaled logit set against each record's own non-members, {numbers.percent(tpr.value)} "
                f"({numbers.percent_interval(tpr.interval)}) of the members are named at {numbers.level(fpr)}."
            )
            keys.append("per_record.signal.standardised.tpr_at_fpr")
    return told, tuple(keys)


def _threshold(of: Speaking) -> tuple[str, tuple[str, ...]]:
    if of.reached is None or of.lead is None:
        return _NOTHING
    aim, tpr, fpr = of.reached
    if tpr.value is None or fpr.value is None:
        return _NOTHING
    return (
        f"Thresholds of {face(of.lead.attack).inline} that were set on the other models for a false-positive rate of "
        f"{numbers.level(aim)} reach {numbers.percent(fpr.value)} and name {numbers.percent(tpr.value)} of members.",
        (f"attacks.{of.lead.attack}.shadow_calibrated.{fpr_key(aim)}",),
    )


def _chosen(of: Speaking) -> tuple[str, tuple[str, ...]]:
    if of.lead is None:
        return _NOTHING
    count = len(of.lead.intervals)
    low, high = of.lead.ci
    ends = f"{low:.3f} to {high:.3f}" if of.lead.fpr is None else numbers.percent_interval((low, high))
    if count == 1:
        return f"One attack was measured, so that none was chosen; its interval is {ends}.", ("strongest",)
    return f"The interval of the strongest, {ends}, holds for all {count} attacks at once.", ("strongest",)


def _prior(of: Speaking) -> tuple[str, tuple[str, ...]]:
    lead = of.lead
    if lead is None or lead.fpr is None or not lead.value:
        return _NOTHING
    precision = ppv(lead.value, max(lead.chance, float(lead.fpr)), PRIOR)
    if precision is None:
        return _NOTHING
    return (
        f"Where {numbers.level(PRIOR)} of the tested records are members, {numbers.percent(precision)} of those that "
        f"{face(lead.attack).inline} names at {numbers.level(float(lead.fpr))} false alarms are members.",
        ("strongest",),
    )


def _baseline(of: Speaking) -> tuple[str, tuple[str, ...]]:
    names = list(of.contest) or ([] if of.lead is None else list(of.lead.intervals))
    if not names:
        return _NOTHING
    left_out = f" {numbers.counted(len(of.not_run), 'attack')} could not run; Limits says why." if of.not_run else ""
    compared = f"{numbers.counted(len(names), 'attack')} met on the same models."
    if of.baseline is None or of.lead is None or of.lead.attack == BASELINE:
        return compared + left_out, ("attacks", "attacks_not_run")
    plain, strong = of.baseline
    return (
        f"{compared} One threshold for everybody has an AUC of {numbers.shown(plain, 3)}, "
        f"{face(of.lead.attack).inline} one of {numbers.shown(strong, 3)}.{left_out}",
        (f"attacks.{BASELINE}.auc", f"attacks.{of.lead.attack}.auc", "attacks_not_run"),
    )


def _comparable(of: Speaking) -> tuple[str, tuple[str, ...]]:
    if of.elsewhere is None:
        return _NOTHING
    keys = ("comparable", "not_comparable", "comparison")
    if of.elsewhere:
        return f"The target is not like its shadow models: {' '.join(of.elsewhere)}", keys
    return "The target was trained elsewhere; by accuracies and confidences it is like its shadow models.", keys


def _shift(of: Speaking) -> tuple[str, tuple[str, ...]]:
    blind = None if of.checks is None else of.checks.blind
    if blind is None or not blind.classifiers:
        return _NOTHING
    name, best = max(blind.classifiers.items(), key=lambda each: abs(each[1].auc.value - 0.5))
    standing = against(best.auc.interval, 0.5)
    told = "its interval holds one half" if standing == "not shown" else "its interval leaves one half"
    return (
        f"Without any model a classifier ({name.replace('_', ' ')}) tells members from others with an AUC of "
        f"{numbers.shown(best.auc, 3)}; {told}.",
        ("blind", "near_duplicates"),
    )


def _pool(of: Speaking) -> tuple[str, tuple[str, ...]]:
    means = of.new_data
    if means is None or means.mean_auc_new_data.value is None:
        return _NOTHING
    return (
        f"Per-record AUCs of the scaled logit average {means.mean_auc:.3f} in this pool and "
        f"{means.mean_auc_new_data.value:.3f} on data drawn anew.",
        ("new_data",),
    )


def _instability(of: Speaking) -> tuple[str, tuple[str, ...]]:
    if of.overlap:
        return of.overlap, ("curve", "sub_ensembles")
    if of.rank_stability is None or of.rank_stability.value is None or of.lead is None:
        return _NOTHING
    correlation = numbers.fixed(of.rank_stability.value, 2)
    return (
        f"Between two halves of the models, the order in which {face(of.lead.attack).inline} exposes records has a "
        f"rank correlation of {correlation}. miajax stability looks at the most exposed.",
        (f"attacks.{of.lead.attack}.per_example.rank_stability",),
    )
