"""Every function that makes sentences of a report, called with small, empty, single, huge and negative figures.

``said()`` yields ``(function, sentence)``. Figures come from ``RATES``, ``CHANGES``, ``COUNTS``, never from a run: what
matters is how a figure reads, not whether a run could have it.
"""

import dataclasses
import functools
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from miajax.metrics.claims import Lead, Ranking, against
from miajax.metrics.figures import Estimate as Figured
from miajax.metrics.figures import Figure, Figures, unresolved
from miajax.metrics.groups import JOINS
from miajax.metrics.overlap import Agreement
from miajax.metrics.people import People
from miajax.metrics.per_record import FprOfRecords, PerRecord, Share
from miajax.metrics.spread import Spread
from miajax.metrics.summary import AttackSummary
from miajax.metrics.without_models import Blind, Copies
from miajax.report import (
    attack_table,
    blind_words,
    claims,
    group_words,
    numbers,
    privacy_words,
    provenance,
    record_words,
)
from miajax.report.attack_table import AttackFigures
from miajax.report.numbers import Estimate
from miajax.runs.made import Made
from miajax.studies.attacked import words as lira
from miajax.studies.audit.study import verdict
from miajax.studies.audit_report import words as audit_report
from miajax.studies.audit_report.evidence import Evidence
from miajax.studies.audit_report.found import AttackFound, Named, SliceFound
from miajax.studies.audit_report.options import AuditReportOptions
from miajax.studies.compare import words as compare
from miajax.studies.compare.results import Comparison
from miajax.studies.defenses import words as defenses
from miajax.studies.defenses.results import Defenses, Onion, Row
from miajax.studies.dpsgd import page as dpsgd
from miajax.studies.dpsgd.figures import Dpsgd
from miajax.studies.low_budget import page as low_budget
from miajax.studies.outliers import words as outliers
from miajax.studies.outliers.figures import Outliers
from miajax.studies.overfitting import words as overfitting
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.saliency import page as saliency
from miajax.studies.saliency.results import Saliency
from miajax.studies.stability import words as stability
from miajax.studies.stability.figures import AtSize, Measured, OfAttack, Stability
from tests.studies.made import made

Said = Iterator[tuple[str, str]]
RATES = [
    (0.0, 0.0, 0.0), (0.0, 0.0, 3e-12), (1e-12, 0.0, 1e-9), (0.0, 0.0, 1.0), (0.001, 0.0005, 0.0015),
    (0.0011, 0.00101, 0.0012), (0.027, 0.02, 0.035), (0.5, 0.4, 0.6), (0.5, 0.5, 0.5), (0.6, 0.55, 0.65),
    (0.9, 0.5, 1.0), (0.9996, 0.99, 0.99996), (1 - 1e-12, 1 - 1e-9, 1.0), (1.0, 1.0, 1.0),
]  # fmt: skip
"""Value, lower and upper end of a share or an AUC."""
CHANGES = [
    (0.0, 0.0, 0.0), (0.0, -1.0, 1.0), (1e-12, -1e-9, 1e-9), (-1e-12, -2e-12, -1e-13), (-1e-5, -2e-5, 0.0),
    (0.05, 0.04, 0.06), (-0.05, -0.06, -0.04), (0.5, -0.1, 1.0), (1.0, 1.0, 1.0), (-1.0, -1.0, -1.0),
]  # fmt: skip
"""Value, lower and upper end of a difference."""
COUNTS = (0, 1, 2, 1_000, 10**12)
SECONDS = (0.0, 1e-12, 1.0, 59.99, 3599.9, 1e12)
ATTACKS = ("lira_online", "gap", "global_threshold", "rmia", "attack_p", "lira_offline", "loss_trajectory", "own_one")


def figure(of: tuple[float, float, float]) -> Figure:
    """A figure with its interval."""
    return Figure(of[0], of[1:])


def mixed(*kinds: Sequence[Any], rounds: int = 2) -> Iterator[tuple[Any, ...]]:
    """Every value of every kind, ``rounds`` times or more, each time beside others: all combinations take too long."""
    rng = random.Random(0)
    drawn = []
    for kind in kinds:
        values = [*kind] * -(-rounds * max(map(len, kinds)) // len(kind))
        rng.shuffle(values)
        drawn.append(values)
    yield from zip(*drawn, strict=False)


def told(function: Callable[..., Any], *args: Any, **named: Any) -> Said:
    """What one call says; nothing where it says nothing."""
    found = function(*args, **named)
    for text in [found] if isinstance(found, str) else found:
        if text:
            yield f"{function.__module__.removeprefix('miajax.')}.{function.__name__}", text


@functools.cache
def leads() -> tuple[Lead | None, ...]:
    """Strongest attacks, and none."""
    return (None, *_leads())


def _leads() -> Iterator[Lead]:
    """Strongest attacks: one or several, by a rate or by the AUC, told from the others or not."""
    for rate, count, by in itertools.product(RATES, (1, 2, 8), ("tpr_at_fpr", "auc")):
        chance = 0.5 if by == "auc" else 0.001
        names, value, ci = ATTACKS[:count], rate[0], list(rate[1:])
        differences = {
            name: {"value": change[0], "ci": list(change[1:]), "auc": change[0], "auc_ci": list(change[1:])}
            for name, change in zip(names[1:], CHANGES[3:], strict=False)
        }
        standing = against(ci, chance)
        lead = made(Lead, {
            "attack": names[0], "by": by, "fpr": None if by == "auc" else "0.001", "chance": chance, "value": value,
            "ci": ci, "standing": standing, "confidence": 1 - 0.05 / count, "differences": differences,
            "intervals": {name: {"value": value, "ci": ci} for name in names},
            "not_told_apart": list(names[1:]) if rate[0] == 0.5 else [],
        })  # fmt: skip
        yield lead
        if by == "tpr_at_fpr" and standing != "above":
            for auc in ((0.7, 0.65, 0.75), (0.5, 0.4, 0.6)):
                ranking = Ranking(names[-1], auc[0], auc[1:], against(auc[1:], 0.5))
                yield dataclasses.replace(lead, by_auc=ranking, unresolved={"gap": 1, "rmia": 0})


def of_claims() -> Said:
    for rate in RATES:
        yield from told(claims.unseen, rate[1:])
        for chance in (1e-12, 0.001, 0.5, 1.0):
            yield from told(claims.against_chance, rate[1:], chance)
    yield from told(claims.unseen, None)
    yield from told(claims.against_chance, None, 0.5)
    for lead in leads():
        for function in (claims.lead_finding, claims.lead_sentence, claims.equals_sentence, claims.lead_rule):
            yield from told(function, lead)
        for auc in (Estimate(0.9, (0.8, 1.0)), Estimate(None)):
            yield from told(claims.beyond_sentence, lead, "gap", auc, Estimate(0.5, (0.0, 1.0)), "An attacker")


def attack(auc: Any, tpr: Any = None, name: str = "lira_online") -> AttackFigures:
    """One attack's figures."""
    found = unresolved(0.001, 1) if tpr is None else Figure(tpr[0], tpr[1:], chance=0.002)
    none = Figure(0.0, (0.0, 0.1))
    return AttackFigures(name, Figures(figure(auc), none, Estimate(0.0), {0.001: found}, none))


def of_attacked() -> Said:
    for count in COUNTS:
        yield from told(lira.unresolved_sentence, count)
        for exposed, threshold in itertools.product(COUNTS, (0.5, 0.9996, 1.0, 1.5)):
            if exposed <= count:
                yield from told(lira.exposed_finding, exposed, count, threshold)
    for rate, fpr in itertools.product(RATES, (1e-5, 1e-3, 0.1)):
        for attainable in (None, 2 * fpr):
            one = lira.Standing("LiRA", fpr, numbers.shown(figure(rate)), attainable)
            for function in (lira.baseline_sentence, lira.card_detail, lira.precision_sentence):
                yield from told(function, one)
            yield from told(lira.offline_sentence, one, dataclasses.replace(one, label="offline LiRA"))
            yield from told(lira.precision_sentence, one, 1e-6)
        yield from told(lira.baseline_sentence, lira.Standing("LiRA", fpr, Estimate(rate[0])))
    for function in (lira.baseline_sentence, lira.precision_sentence):
        yield from told(function, None)
    yield from told(lira.offline_sentence, None, None)
    for rate in RATES:
        yield from told(lira.auc_sentence, attack(rate))
        for attacks in ([attack(rate, rate)], [attack(rate)], [attack(rate, rate), attack((0.5, 0.4, 0.6), rate)], []):
            yield from told(lira.spread_of_attacks, attacks, 0.001)
            yield from told(lira.spread_of_attacks, attacks, None)
            yield from told(attack_table.chance_remark, attacks)
        yield from told(lira.spread_finding, [rate[0]])
        yield from told(lira.spread_finding, [rate[0], rate[2]])
    yield from told(lira.spread_finding, [])
    for change in CHANGES:
        yield from told(lira.gap_finding, figure(RATES[0]), figure(RATES[-1]), figure(change))
        yield from told(lira.gap_finding, figure(RATES[-2]), figure(RATES[-1]), figure(change), "This model is")
        yield from told(lira.gap_spread_sentence, np.array(change))
    yield from told(lira.gap_spread_sentence, np.array([np.nan, 0.1]))


def of_groups() -> Said:
    for lead, count in mixed(leads(), COUNTS, rounds=1):
        for rate in (RATES[0], RATES[6], RATES[-1]) if lead is None else [(lead.value, *lead.ci)]:
            same = figure(rate)
            of = Figures(same, same, Estimate(rate[0]), {0.001: same}, same)
            summary = AttackSummary(**vars(of), num_targets=1, num_members=1, num_non_members=1, num_scores_missing=0,
                                    per_target=None, notes=())  # fmt: skip
            each = dataclasses.replace(summary, per_group=SimpleNamespace(figures=summary, num_groups=count))
            exposed = {"group": "P1", "attack": "gap", "pooled_fpr": 0.001, "tpr": rate[0], "tpr_ci": list(rate[1:]),
                       "models": count, "num_groups": count, "named_in_half": count}  # fmt: skip
            people = made(People, {
                "name": "patient", "num_groups": count, "fewest_rows": 1, "most_rows": max(1, count),
                "most_exposed": exposed if count else None, "alike_keys": {"count": count, "pairs": [["P1", "p1"]]},
                "near_copies": {"count": count, "pairs": [["P1", "P2", 1, 1]]} if count != 1 else None,
            })  # fmt: skip
            people = dataclasses.replace(people, strongest=lead)
            attacks = dict.fromkeys(ATTACKS, each)
            yield from told(group_words.group_finding, people, attacks)
            for private in (group_words._exposed, group_words._copies, group_words._keys):
                yield from told(private, people)
    yield from told(group_words.how, "patient")
    yield from told(group_words._joins, "patient")
    yield from told(group_words.group_finding, None, {})
    for one, other, few in mixed(RATES, RATES[::-1], (False, True)):
        parts = {
            name: {"num_rows": 1, "num_groups": 1, "few_groups": few, "tpr": rate[0], "tpr_ci": list(rate[1:])}
            for name, rate in (("a", one), ("b", other))
        }
        yield from told(group_words._uneven, made(Spread, {"column": "site", "fpr": "0.001", "slices": parts}))


def of_checks() -> Said:
    for rate, count in itertools.product(RATES, COUNTS):
        entry = {"auc": rate[0], "auc_ci": list(rate[1:])}
        for leaves in (True, False):
            blind = made(Blind, {"classifiers": {"linear": entry, "trees": entry}, "leaves_half": leaves, "folds": 2,
                                 "num_members": count, "num_non_members": count})  # fmt: skip
            copies = made(Copies, {"non_members": {"count": max(1, count), "near": count, "exact": 0, "closest": []},
                                   "near_below": rate[0]})  # fmt: skip
            yield from told(blind_words.blind_banner, blind)
            yield from told(blind_words.copies_banner, copies)
            section = blind_words.blind_section(blind, copies)
            yield "report.blind_words.blind_section", section.finding
            yield from (("report.blind_words.blind_section", text) for text in section.limits)


def of_private_training() -> Said:
    shared = {"unit": "row", "adjacency": "add or remove one record"}
    for epsilon, delta, unit in itertools.product((None, 0.0, 1e-12, 1.0, 8.0, 49.0, 800.0, 1e12), (1e-12, 1e-5),
                                                  ("row", "group")):  # fmt: skip
        for noise, release in ((0.0, "secret noise"), (1.0, "fixed seeds")):
            privacy = shared | {"epsilon": epsilon, "delta": delta, "unit": unit, "noise_multiplier": noise,
                                "release": release}  # fmt: skip
            for private in (privacy_words._finding, privacy_words._rate_bound, privacy_words._adjacency,
                            privacy_words._rows_only):  # fmt: skip
                yield from told(private, privacy)
            yield from told(privacy_words.sentences, ["one phrase"])
            for known in (True, False):
                evidence = SimpleNamespace(privacy_known=known, privacy=privacy if known else None)
                yield from told(audit_report.privacy_finding, evidence)
        yield from told(audit_report.odds_sentence, epsilon)
        for lower in (0.0, 1e-12, 1.0, 1e12):
            yield from told(verdict, epsilon, lower, 0.95, lower)
            yield from told(verdict, epsilon, lower, 0.95, 2 * lower)


def of_provenance() -> Said:
    for models, here, missing, seconds in mixed(COUNTS, COUNTS, COUNTS, (None, *SECONDS), rounds=20):
        for by in ("miajax", "elsewhere", "estimator"):
            one = Made(
                by=by, models=models, models_here=min(models, here), models_timed=models, compile_s=seconds,
                train_s=seconds, query_s=seconds, groups=1, groups_without_record=missing, first="a", last="b",
                devices=("one",), versions=({"jax": "1"},), other_bits=bool(missing), device_here="two",
            )  # fmt: skip
            yield from told(provenance.made_finding, one, seconds)
            yield from told(provenance.made_sentences, one)
            for privacy in (None, {"release": "secret noise"}):
                yield from told(provenance._again, privacy, one, {})


def of_audit_reports() -> Said:
    for count, kind, named, seconds in itertools.product(COUNTS, ("run", "import", "target"), (True, False), SECONDS):
        results = {
            "num_valid": count, "dataset": "digits", "num_examples": count,
            "target": "t" if named or kind == "target" else None,
            "model": "mlp", "made": {"by": "miajax", "train_s": seconds, "models_timed": count, "devices": ["cpu"]},
            "answers": {"kind": "labels"}, "attacks": {}, "groups": {"name": "patient"} if named else None,
        }  # fmt: skip
        evidence = Evidence(Path(), kind, results, (), (), (), "No record was looked at.", {}, (), (), {}, {})
        for function in (audit_report.subject_sentence, audit_report.cost_sentence, audit_report.answers_sentence,
                         audit_report.about_recipe, audit_report.worst_finding, audit_report.worst_sentences,
                         audit_report.means_finding, audit_report.gap_sentence, audit_report.residual_sentence,
                         audit_report.model_name):  # fmt: skip
            yield from told(function, evidence)
        if seconds or kind != "run":
            continue
        for rate, both, inside in itertools.product(RATES, (1, 2, 10**6), (0, 1)):
            one = Named(name="7", named_in=both * inside, num_in=both, named_out=0, num_out=both,
                        named_in_ci=rate[1:], named_out_ci=(0.0, 0.3))  # fmt: skip
            for exposed in ((one,), (one, one)):
                of = dataclasses.replace(evidence, exposed=exposed)
                yield from told(audit_report.worst_finding, of)
                yield from told(audit_report.worst_sentences, of)
            yield from told(audit_report.named_clause, one)
    for change in CHANGES:
        gap = {"generalization_gap": change[0], "generalization_gap_ci": list(change[1:]), "train_accuracy": 1.0,
               "test_accuracy": 0.0}  # fmt: skip
        yield from told(audit_report.gap_sentence, SimpleNamespace(results=gap))
    for lead in leads():
        attacks = (AttackFound("lira_online", Estimate(0.5), {}),) * (1 if lead is None else len(lead.intervals))
        of = SimpleNamespace(lead=lead, attacks=attacks)
        yield from told(audit_report.means_finding, of)
        yield from told(audit_report.residual_sentence, of)
    for rate, count in itertools.product(RATES, (1, 2)):
        yield from told(
            audit_report.slices_finding, (SliceFound("class", "7", numbers.shown(figure(rate), 3), 1),) * count
        )
    yield from told(audit_report.slices_finding, ())
    for field in ("purpose", "model_name"):
        if field in {each.name for each in dataclasses.fields(AuditReportOptions)}:
            yield from told(audit_report.stated_or_not, AuditReportOptions(), field)


def of_comparisons() -> Said:
    changed = ((None, 0, 0), ("0.001", 1, 0), ("0.001", 10**12, 1))
    for change, rate, count, unit, how in mixed(CHANGES, RATES, (1, 2, 3), ("row", "group"), changed):
        fpr, gained, lost = how
        entry = {"before": rate[0], "before_ci": list(rate[1:]), "after": rate[0], "after_ci": list(rate[1:]),
                 "change": change[0], "change_ci": list(change[1:]), "change_ci_of_all": list(change[1:]),
                 "standing": against(change[1:], 0.0)}  # fmt: skip
        exposure = {"gained_protection": gained, "lost_protection": lost, "tested": gained + lost,
                    "median_models": 1.0 if gained else None, "models_to_see_one": 12}  # fmt: skip
        of_unit = {"auc": entry, "tpr_at_fpr": {"0.001": entry}, "exposure": exposure}
        grouped = {"headline": "mean", "num_groups": 2, **of_unit,
                   **{join: {"auc": entry, "tpr_at_fpr": {"0.001": entry}} for join in JOINS}}  # fmt: skip
        found = made(Comparison, {
            "dataset": "digits", "unit": unit, "exposure_fpr": 0.001, "false_discoveries": 0.05,
            "paired": bool(gained), "lead": {"attack": ATTACKS[0], "fpr": fpr, "by": "auc" if fpr is None else
                                             "tpr_at_fpr"},
            "attacks": {name: {**of_unit, "per_group": grouped if unit == "group" else None}
                        for name in ATTACKS[:count]},
            "accuracy": None if gained == 1 else {
                name: {"before": rate[0], "after": rate[0], "change": change[0], "change_ci": list(change[1:]),
                       "standing": against(change[1:], 0.0)}
                for name in ("train_accuracy", "test_accuracy", "generalization_gap")},
        })  # fmt: skip
        for function in (compare.headline, compare.headline_sentence, compare.attacks_finding,
                         compare.accuracy_finding, compare.exposure_finding, compare.exposure_rule,
                         compare.strongest_after):  # fmt: skip
            yield from told(function, found)
    for lead, ago in itertools.product(leads()[:20], (True, False)):
        side = SimpleNamespace(strongest=lead)
        yield from told(
            compare.strongest_after,
            SimpleNamespace(before=side if ago else SimpleNamespace(strongest=None), after=side),
        )


def row(name: str, change: Any, rate: Any, seconds: float | None, cost: float) -> Row:
    """A defence."""
    moved = {"named": {"0.01": change[0]}, "named_ci_of_all": {"0.01": list(change[1:])}}
    gain = {"auc": change[0], "auc_ci": list(change[1:]), "auc_ci_of_all": list(change[1:])}
    return made(Row, {
        "defense": name, "title": name, "control": False, "stage": "none" if name == "Original" else "training",
        "runtime_s": seconds, "threshold_auc": rate[0], "lira_naive": {"auc": rate[0]},
        "accuracy_change": {"test": -cost, "test_ci": [-cost, -cost]},
        "unflagged": {"num_flagged": 1, "change": gain},
        "lira_adaptive": {
            "auc": rate[0], "auc_ci": list(rate[1:]),
            "top_1pct": {"named": {"0.01": rate[0]}, "named_ci": {"0.01": list(rate[1:])}},
            "top_1pct_change": moved, "now_most_vulnerable": None, "over_naive": gain, "over_threshold": gain,
        },
    })  # fmt: skip


def of_defences() -> Said:
    bare = made(Defenses, {"flagged": {"share": 0.01}})
    for change, rate, seconds, cost in mixed(CHANGES, RATES, (None, 1e-12, 1.0, 1.02, 1e12), (0.0, 0.2)):
        original = row("Original", (0.0, 0.0, 0.0), rate, seconds and 1.0, 0.0)
        one, other = row("Mixup", change, rate, seconds, cost), row("RelaxLoss", change, rate, seconds, cost + 0.3)
        for rows in ([original], [original, one], [original, one, other], [original, other, one, one]):
            for function in (defenses.defenses_finding, defenses.lowering_finding, defenses.knowledge_finding,
                             defenses.thresholds_finding, defenses.price_finding):  # fmt: skip
                yield from told(function, rows)
            yield from told(defenses.specific_finding, bare, rows)
        onion = dataclasses.replace(bare, onion=Onion(figure(rate), figure(rate), figure(change)))
        yield from told(defenses.specific_finding, onion, [original, one])
        yield from told(defenses.inline, one)


def of_outliers() -> Said:
    for change, other, rate, count in mixed(CHANGES, CHANGES, RATES, (1, 2, 9)):
        names = ["feature_centroid_distance", "el2n", *(f"metric_{i}" for i in range(9))][:count]
        figures = {"spearman": change[0], "spearman_ci": list(change[1:]), "precision_at_1pct": rate[0],
                   "precision_at_1pct_ci": list(rate[1:]), "auc_top_1pct": rate[0],
                   "auc_top_1pct_ci": list(rate[1:])}  # fmt: skip
        best = {"metric": names[0], "value": change[0], "not_told_apart": names[1:] if rate[0] else []}
        sides = {"easy": change, "hard": other, "all": rate}
        found = made(Outliers, {
            "vulnerability": {"fpr": 0.001, "attack": "lira_online"},
            "metrics": {name: {**figures, "same_models": {"spearman": other[0]}} for name in names},
            "ceiling": figures, "best": {"all": dict.fromkeys(outliers.FIGURES, best)},
            "outliers_by_fit": {"metric": names[0], "share": 0.1, **{
                side: {"num_examples": count, "vulnerable": abs(of[0]),
                       "vulnerable_ci": sorted((abs(of[1]), abs(of[2])))} for side, of in sides.items()}},
        })  # fmt: skip
        for function in (outliers.best_finding, outliers.ranking_finding, outliers.best_sentences,
                         outliers.ceiling_sentence, outliers.paper_sentence, outliers.fit_finding,
                         outliers.fit_sentence, outliers.circular_finding):  # fmt: skip
            yield from told(function, found)
        yield from told(outliers.with_interval, found.ceiling.spearman)
    nothing = made(Outliers, {"outliers_by_fit": {"metric": "el2n", "share": 0.1}, "vulnerability": {"fpr": 0.001}})
    for function in (outliers.ceiling_sentence, outliers.paper_sentence, outliers.fit_finding, outliers.fit_sentence,
                     outliers.circular_finding):  # fmt: skip
        yield from told(function, nothing)
    for name in ("knn_distance", "el2n"):
        yield from told(outliers.label, name)


def of_overfitting() -> Said:
    for change, rate, first in mixed(CHANGES, RATES, (1, 9)):
        moved = {"value": change[0], "ci": list(change[1:])}
        rates = [rate[0]] * 9
        attacks = {"lira_online": {"auc": moved, "tpr_at_fpr": {"0.001": moved}}}
        ends = [list(rate[1:])] * 9
        curve = {"auc": rates, "auc_ci": ends, "advantage": rates, "advantage_ci": ends, "tpr_at_fpr":
                 {"0.001": rates}, "tpr_at_fpr_ci": {"0.001": ends}}  # fmt: skip
        summary = {"auc": rate[0], "auc_ci": list(rate[1:]), "tpr_at_fpr": {"0.001": rate[0]},
                   "tpr_at_fpr_ci": {"0.001": list(rate[1:])}}  # fmt: skip
        stopped = {"epoch_mean": 1.0, "attacks": {"lira_online": summary},
                   "change": {"non_member_accuracy": moved, "attacks": attacks}}  # fmt: skip
        found = made(Overfitting, {
            "main_attack": "lira_online", "fpr": 0.001, "attacks": {"lira_online": curve}, "epochs": list(range(9)),
            "growth": {"from_epoch": first, "to_epoch": 9, "margin": 0.01,
                       "change": {"non_member_accuracy": moved, "attacks": attacks}},
            "early_stopping": {"rules": dict.fromkeys(overfitting.RULES, stopped)},
            "loss": {"rise": {"epoch": first, "value": change[0], "ci": list(change[1:])}},
        })  # fmt: skip
        yield from of_epochs(found)
    yield from of_epochs(made(Overfitting, {"main_attack": "gap", "growth": None, "early_stopping": None}))


def of_epochs(found: Overfitting) -> Said:
    for function in (overfitting.growth_finding, overfitting.growth_sentence, overfitting.stopping_finding,
                     overfitting.stopping_sentences, overfitting.loss_clause):  # fmt: skip
        yield from told(function, found)


def of_budgets() -> Said:
    """The studies whose sentences stand on their page: private training, few models, saliency."""
    for change, rate, above, epsilon in mixed(
        CHANGES, RATES, (None, True, False), (None, 0.001, 8.0, 1000.0), rounds=1
    ):
        lost = {"value": change[0], "ci": list(change[1:])}
        point = {
            "epsilon_target": epsilon, "epsilon": epsilon, "above_chance": above, "auc": rate[0],
            "auc_ci": list(rate[1:]), "lira_tpr_at_fpr": {"0.001": rate[0]},
            "lira_tpr_at_fpr_ci": {"0.001": list(rate[1:])}, "test_accuracy": rate[0], "test_accuracy_ci":
            list(rate[1:]), "accuracy_lost": {"to_non_private": lost, "to_clipped": lost if above else None},
            "refuted_by": ["one_run"] if above else [],
        }  # fmt: skip
        plain = {key: value for key, value in point.items() if key not in ("accuracy_lost", "epsilon_target")}
        found = made(Dpsgd, {"points": [point, point], "non_private": {**plain, "same_recipe": above is None}})
        for private in (dpsgd._sentence, dpsgd._finding, dpsgd._banners, dpsgd._cost):
            yield from told(private, found)
    for rate, standing, equal in itertools.product(RATES, ("above", "not shown"), ((), ("gap",), ("gap", "rmia"))):
        for by in ("auc", "tpr_at_fpr"):
            best = low_budget.Recommended("lira_online", by, equal, rate[1:], standing)
            for recommended in ({}, {2: best}, {2: best, 10**6: best}, {2: None}):
                yield from told(low_budget._sentence, SimpleNamespace(recommended=recommended))
    for change, other, count in mixed(CHANGES, CHANGES, (1, 3)):
        yield from of_maps(change, other, count)


def of_maps(change: Any, other: Any, count: int) -> Said:
    means = {f"{side}{end}": value for side in ("vulnerable", "safe", "difference")
             for end, value in (("", change[0]), ("_ci", list(change[1:])))}  # fmt: skip
    left = {**means, "difference": other[0], "difference_ci": list(other[1:])}
    for background in (None, {**means, "excess": left, "share": {"vulnerable": 0.5, "safe": 0.5}}):
        related = {**means, "spearman": change[0], "spearman_ci": list(change[1:]), "num_examples": count}
        found = made(Saliency, {
            "groups": {"vulnerable": list(range(count)), "safe": list(range(count))}, "map_models": count,
            "methods": {f"map_{i}": {"background": background, "deletion": left} for i in range(count)},
            "counterfactual": {f"map_{i}": related for i in range(count)},
            "completeness": {"tolerance": 0.01, "most_steps": count, "share_within": abs(change[0]), "median": 1e-12,
                             "largest": 1e12},
        })  # fmt: skip
        for function in (saliency.relevance_finding, saliency._deletion_finding, saliency._how,
                         saliency._completeness, saliency._counterfactual_finding):  # fmt: skip
            yield from told(function, found)


def of_stability() -> Said:
    """What attackers with other shadow models find, and how single records' false alarms are spread."""
    for rate, other, chance, count, unit in mixed(RATES, RATES, (None, 0.0, 0.3, 1.0), COUNTS, ("row", "group")):
        figures = {name: Figure(each[0], each[1:], chance=chance) for name, each in
                   zip(("tpr", "fpr", "jaccard", "found_by_any", "found_by_all", "flips"), [rate, other] * 3,
                       strict=True)}  # fmt: skip
        for none in ((), ("jaccard",), ("found_by_any", "flips")):
            some = figures | {name: Figured(None, reason="None.") for name in none}
            of = Agreement(**some, false_by_any=figure(rate), false_by_all=figure(other), flips_of_records={})
            for curve in ({}, {4: AtSize(2, figure(rate), 1.0, figure(other))}):
                for enough in (None, 4):
                    attack = OfAttack(of, curve, {0.5: enough, 0.9: enough})
                    attacks = {"lira_online": attack, "gap": attack}
                    for across in (None, of):
                        measured = Measured(0.01, 0.01, 1, 100, max(2, count), count, 1, attacks, (), across, ())
                        found = dataclasses.replace(
                            made(Stability, {"unit": unit}), measured=measured, main_attack="lira_online"
                        )
                        for function in (
                            stability.attackers_sentence, stability.jaccard_sentence, stability.flips_sentence,
                            stability.top_sentence, stability.attacks_sentence, stability.overlap_sentence,
                            stability.records,
                        ):  # fmt: skip
                            yield from told(function, found)
        share = Share(rate[0], other[0])
        for over in ({}, {2: share}, {2: share, 10: share}):
            for spread in (None, FprOfRecords(0.01, {0.5: 0.0}, over)):
                yield from told(record_words.records_finding, PerRecord(spread, None), 0.01)


MAKERS = (
    of_claims, of_attacked, of_groups, of_checks, of_private_training, of_provenance, of_audit_reports,
    of_comparisons, of_defences, of_outliers, of_overfitting, of_budgets,
    of_stability,
)  # fmt: skip
