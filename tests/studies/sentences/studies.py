"""What single studies say."""

import dataclasses
import itertools
from typing import Any

from miajax.metrics.claims import against
from miajax.metrics.groups import JOINS
from miajax.metrics.json_form import to_json
from miajax.report import (
    numbers,
)
from miajax.report.numbers import Estimate
from miajax.studies.audit_report import words as audit_report
from miajax.studies.audit_report.found import AttackFound, Named, SliceFound
from miajax.studies.audit_report.options import STATED, AuditReportOptions
from miajax.studies.compare import words as compare
from miajax.studies.compare.results import Comparison
from miajax.studies.defenses import words as defenses
from miajax.studies.defenses.results import Defenses, Onion, Row
from miajax.studies.dpsgd import page as dpsgd
from miajax.studies.dpsgd.figures import Dpsgd
from miajax.studies.low_budget import page as low_budget
from miajax.studies.low_budget.figures import Compared
from miajax.studies.outliers import words as outliers
from miajax.studies.outliers.figures import Outliers
from miajax.studies.overfitting import words as overfitting
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.saliency import page as saliency
from miajax.studies.saliency.results import Saliency
from miajax.studies.stability import words as stability
from miajax.studies.stability.figures import Stability
from tests.studies.made import made
from tests.studies.sentences.evidence import evidence_of
from tests.studies.sentences.figures import ATTACKS, CHANGES, COUNTS, RATES, SECONDS, Said, figure, leads, mixed, told


def of_audit_reports() -> Said:
    for count, kind, named, seconds in itertools.product(COUNTS, ("run", "import", "target"), (True, False), SECONDS):
        results = {
            "num_valid": count, "dataset": "digits", "num_examples": count,
            "target": "t" if named or kind == "target" else None,
            "model": "mlp", "made": {"by": "miajax", "train_s": seconds, "models_timed": count, "devices": ["cpu"]},
            "answers": {"kind": "labels"}, "attacks": {}, "groups": {"name": "patient"} if named else None,
        }  # fmt: skip
        evidence = evidence_of(results, kind)
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
        yield from told(audit_report.gap_sentence, evidence_of(gap))
    for lead in leads():
        attacks = (AttackFound("lira_online", Estimate(0.5), {}),) * (1 if lead is None else len(lead.intervals))
        found = evidence_of({"strongest": None if lead is None else to_json(lead)})
        of = dataclasses.replace(found, attacks=attacks)
        yield from told(audit_report.means_finding, of)
        yield from told(audit_report.residual_sentence, of)
    for rate, count in itertools.product(RATES, (1, 2)):
        yield from told(
            audit_report.slices_finding, (SliceFound("class", "7", numbers.shown(figure(rate), 3), 1),) * count
        )
    yield from told(audit_report.slices_finding, ())
    for field in STATED:
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
    bare = made(Comparison, {})
    for lead, ago in itertools.product(leads()[:20], (True, False)):
        after = dataclasses.replace(bare.after, strongest=lead)
        before = after if ago else dataclasses.replace(after, strongest=None)
        yield from told(compare.strongest_after, dataclasses.replace(bare, before=before, after=after))


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
                yield from told(low_budget._sentence, Compared(0.001, (2,), {}, {}, recommended, ()))
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
    for rate, chance, count, unit, top in mixed(RATES, RATES, (2, 10**6), ("example", "group"), (None, 2, 10**6)):
        shares = {
            name: value
            for figure in (
                "tpr", "fpr", "jaccard", "found_by_any", "found_by_all", "false_by_any", "false_by_all", "flips",
            )
            for name, value in (
                (figure, rate[0]), (f"{figure}_ci", list(rate[1:])), (f"chance_{figure}", chance[0]),
            )
        }  # fmt: skip
        same = {"num_sets": 2, "shared_top": rate[0], "shared_top_ci": list(rate[1:]), "chance_shared_top": chance[0]}
        one = {"sub_ensembles": shares, "curve": {count: same} if top else {},
               "models_until_same": {"0.5": top, "0.9": top}}  # fmt: skip
        found = made(Stability, {
            "main_attack": "gap", "attacks": {"gap": one, "rmia": one}, "fpr": 0.01, "top": 0.01,
            "num_attackers": count, "models_per_attacker": count, "across_attacks": shares if top else None,
        })  # fmt: skip
        head = dataclasses.replace(found.head, unit=unit) if unit == "group" else found.head
        yield from of_attackers(dataclasses.replace(found, head=head))
    nothing = {"sub_ensembles": {}, "curve": {}, "models_until_same": {"0.5": None, "0.9": None}}
    yield from of_attackers(made(Stability, {"main_attack": "gap", "attacks": {"gap": nothing}}))


def of_attackers(found: Stability) -> Said:
    for function in (stability.attackers_sentence, stability.jaccard_sentence, stability.flips_sentence,
                     stability.top_sentence, stability.attacks_sentence, stability.overlap_sentence):  # fmt: skip
        yield from told(function, found)
