"""Every study's table at every width: each of its numbers is there, whole."""

import dataclasses
import importlib
import re
from collections import Counter

import pytest

from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.overlap import Agreement
from miajax.studies.attacks.results import Attacks
from miajax.studies.audit.figures import Audit
from miajax.studies.audit_report.found import AuditReportFound
from miajax.studies.compare.results import Comparison
from miajax.studies.defenses.results import Defenses
from miajax.studies.dpsgd.figures import Dpsgd
from miajax.studies.imported.results import Imported
from miajax.studies.lira.results import Lira
from miajax.studies.low_budget.figures import AtBudget, Compared, LowBudget, Recommended
from miajax.studies.outliers.figures import Outliers
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.reproduce.record import Reproduced
from miajax.studies.saliency.results import Saliency
from miajax.studies.stability.figures import AtSize, Measured, OfAttack, Stability
from miajax.studies.target.results import TargetFound
from tests.report.test_terminal import rendered
from tests.studies.made import made

ATTACKS = ("global_threshold", "lira_online", "lira_offline_fixed", "input_gradient_norm")


class Figures:
    """Numbers that are all different, and stay so with two decimals."""

    def __init__(self):
        self.given: list[float] = []

    def one(self) -> float:
        self.given.append(1.01 + 0.01 * len(self.given))
        return self.given[-1]

    def pair(self) -> list[float]:
        return [self.one(), self.one()]


def attack_entry(f: Figures) -> dict:
    auc, balanced, ends = f.one(), f.one(), f.pair()
    return {
        "auc": auc, "auc_ci": f.pair(),
        "advantage": 2 * balanced - 1, "advantage_ci": [2 * end - 1 for end in ends],  # of the balanced accuracy
        "tpr_at_fpr": {"0.001": f.one(), "0.01": f.one()}, "tpr_at_fpr_ci": {"0.001": f.pair(), "0.01": f.pair()},
    }  # fmt: skip


def attack_entries(f: Figures) -> dict:
    return {name: attack_entry(f) for name in ATTACKS}


def lira(f: Figures) -> dict:
    return {
        "dataset": "digits", "model": "mlp", "target": None, "num_valid": 8, "num_shadows": 8, "num_non_members": 413,
        "train_accuracy": f.one(), "test_accuracy": f.one(), "generalization_gap": f.one(),
        "attacks": attack_entries(f), "notes": ["one", "two"],
    }  # fmt: skip


def attacks(f: Figures) -> dict:
    results = lira(f)
    for name, entry in results["attacks"].items():
        reached = None if name == "lira_online" else {"fpr": f.one(), "tpr": f.one()}
        entry["tpr_at_fpr"]["0.0001"] = f.one()
        entry["tpr_at_fpr_ci"]["0.0001"] = None
        entry |= {
            "tpr_at_zero_fp": f.one(), "seconds": f.one(),
            "ppv_at_fpr": {"0.01": {prior: f.one() for prior in ("0.01", "0.1", "0.5")}},
            "shadow_calibrated": {"0.01": reached},
        }  # fmt: skip
    return results


def low_budget(f: Figures) -> LowBudget:
    budgets = [2, 4, 8, 16, 32]
    best = Recommended("lira_online", "tpr_at_fpr", ["gap"], (0.0, 0.0), "above")
    attacks = {
        name: {budget: AtBudget(1, 40, Figure(0.5, (0.0, 1.0)), Estimate(f.one())) for budget in budgets}
        for name in ATTACKS
    }
    compared = Compared(0.001, budgets, attacks, {}, {2: best}, [])
    return dataclasses.replace(made(LowBudget, {}), compared=compared)


def stability(f: Figures) -> Stability:
    def agreement() -> Agreement:
        shown = {name: Figure(f.one(), (f.one(), f.one())) for name in ("tpr", "jaccard", "found_by_any",
                                                                          "found_by_all", "flips")}  # fmt: skip
        none = Estimate(None)
        return Agreement(**shown, fpr=none, false_by_any=none, false_by_all=none, flips_of_records={})

    attacks = {
        name: OfAttack(
            agreement(),
            {size: AtSize(2, Estimate(f.one()), 1.0, Estimate(None)) for size in (4, 8, 16)},
            {0.5: 8, 0.9: None},
        )
        for name in ATTACKS
    }
    measured = Measured(0.01, 0.01, 4, 400, 2, 16, 24, attacks, (), None, ())
    return dataclasses.replace(made(Stability, {}), measured=measured, main_attack="lira_online")


def overfitting(f: Figures) -> dict:
    names = ("global_threshold", "lira_online_fixed")

    def at(shape):
        return [shape() for _ in range(2)]

    def entry():
        return {"auc": at(f.one), "tpr_at_fpr": {"0.01": [None, None]}, "tpr_at_fpr_ci": {"0.01": [None, None]}}

    results = {
        "attacks": {name: entry() for name in names}, "fpr": 0.01, "main_attack": names[1],
        "gap": at(f.one), "gap_ci": at(f.pair),
        "accuracy": {name: at(shape) for side in ("member", "non_member")
                     for name, shape in ((side, f.one), (f"{side}_ci", f.pair))},
        "histograms": {"epochs": [1, 2]}, "notes": [],
        "early_stopping": {"rules": {"validation_loss": {
            "epoch_mean": 1.8, "gap": {"value": f.one(), "ci": f.pair()},
            "accuracy": {side: {"value": f.one(), "ci": f.pair()} for side in ("member", "non_member")},
            "attacks": {
                name: {"auc": f.one(), "tpr_at_fpr": {"0.01": None}, "tpr_at_fpr_ci": {"0.01": None}} for name in names
            },
        }}},
    }  # fmt: skip
    results["attacks"][names[1]] |= {"tpr_at_fpr": {"0.01": at(f.one)}, "tpr_at_fpr_ci": {"0.01": at(f.pair)}}
    return results


def outliers(f: Figures) -> dict:
    kinds = ("spearman", "precision_at_1pct", "auc_top_1pct")

    def ranking():
        return {kind: f.one() for kind in kinds} | {f"{kind}_ci": f.pair() for kind in kinds}

    def entry():
        return ranking() | {part: {"spearman": f.one()} for part in ("easy", "hard", "same_models")}

    return {
        "metrics": {name: entry() for name in ("input_local_outlier_factor", "el2n")}, "ceiling": ranking(),
        "best": {"all": {"spearman": {"metric": "el2n", "not_told_apart": []}}}, "notes": [],
    }  # fmt: skip


def dpsgd(f: Figures) -> dict:
    bounds = ["clopper_pearson", "gdp", "one_run", "one_run_gdp", "pooled_clopper_pearson", "pooled_gdp"]

    def point():
        return {
            "epsilon_by_accountant": {"pld": f.one(), "rdp": f.one()}, "test_accuracy": f.one(),
            "test_accuracy_ci": f.pair(), "lira_tpr_at_fpr": {"0.001": f.one()}, "auc": f.one(), "auc_ci": f.pair(),
            "lira_tpr_at_fpr_ci": {"0.001": f.pair()}, "epsilon_lower": {bound: f.one() for bound in bounds},
            "largest_possible": dict.fromkeys(bounds, 9.99),
        }  # fmt: skip

    return {
        "epsilons": ["inf", "8"], "points": [point(), point()], "non_private": point(), "delta": 1e-5,
        "bounds": {bound: {} for bound in bounds}, "significance": 0.05, "notes": [],
    }  # fmt: skip


def defenses(f: Figures) -> dict:
    def row(title, top):
        return {
            "title": title, "runtime_s": f.one(), "lira_naive": {"auc": f.one()},
            **{f"{name}_ci": f.pair() for name in ("train_accuracy", "test_accuracy")},
            **{name: f.one() for name in ("train_accuracy", "test_accuracy", "threshold_auc", "threshold_advantage",
                                          "gap_accuracy")},
            "lira_adaptive": {"auc": f.one(), "tpr_at_fpr": {"0.001": f.one()}, "top_1pct": top},
        }  # fmt: skip

    rows = [row("Original", {"auc": f.one(), "named": {"0.01": f.one()}}), row("Logit reweighting 0.1", None)]
    return {"rows": rows, "not_run": {"dp_sgd": "it needs 64 members."}, "notes": []}


def saliency(f: Figures) -> dict:
    def compared():
        return {name: value for kind in ("vulnerable", "safe", "difference", "spearman")
                for name, value in ((kind, f.one()), (f"{kind}_ci", f.pair()))}  # fmt: skip

    results = {
        "methods": {
            "integrated_gradients": {"background": {**compared(), "excess": compared()}, "deletion": compared()},
            "grad_cam": {"background": None, "deletion": compared()},
        },
        "counterfactual": {"gradient": compared()}, "notes": [],
    }  # fmt: skip
    f.given = []  # more than the table shows
    return results


def audit(f: Figures) -> dict:
    def bound(assumes):
        return {
            "epsilon_lower": f.one(),
            "largest_possible": f.one(),
            "confidence": 0.975,
            "assumes": assumes,
            "in_verdict": True,
            "jax_privacy": f.one(),
        }

    return {
        "bounds": {
            "one_run": bound("nothing of the mechanism"), "many_models_gdp": bound("Gaussian differential privacy"),
        },
        "verdict": "No epsilon promised, lower bound found 1.00 at confidence 95 %.", "notes": [],
    }  # fmt: skip


def target(f: Figures) -> dict:
    return {
        "target": "bank.npz", "comparable": True, "not_comparable": [], "notes": [],
        "without_shadows": None, "strongest": None,
        "recipe_differences": [{"name": "epochs", "target": 3, "run": 30}], "num_members": 50, "num_non_members": 50,
        **{f"{of}{side}_accuracy": f.one() for of in ("", "shadow_") for side in ("train", "test")},
        "attacks": {name: {"auc": f.one(), "auc_ci": f.pair()} for name in ATTACKS},
        "shadows": {**dict.fromkeys(ATTACKS), "gap": None,
                    "lira_online": {"per_target": {"auc": f.one()}, "auc_range": f.pair()}},
        "blind": {"classifiers": {"linear": {"auc": f.one(), "auc_ci": f.pair()}}, "leaves_half": True},
    }  # fmt: skip


def imported(f: Figures) -> dict:
    return {"num_valid": 8, "num_shadows": 8, "num_examples": 40, "attacks": attack_entries(Figures()) | {
        "lira_online": {"auc": f.one(), "auc_ci": f.pair()}}, "notes": []}  # fmt: skip


def reproduce(f: Figures) -> dict:
    done = {"status": "done", "finding": f"AUC {f.one():.3f}"}
    return {"campaigns": {"digits": {"parts": {"lira": done, "attacks": {"status": "failed", "reason": "no file"}}}}}


def compare(f: Figures) -> dict:
    def changed() -> dict:
        return {"before": f.one(), "after": f.one(), "change": f.one(), "change_ci": f.pair(),
                "change_ci_of_all": [0.0, 0.0], "standing": "below"}  # fmt: skip

    counts = {"gained_protection": 3, "lost_protection": 1, "tested": 40}
    return {
        "before": {"run": "one"}, "after": {"run": "other"}, "notes": ["two"],
        "lead": {"attack": ATTACKS[0], "by": "tpr_at_fpr", "fpr": "0.001"},
        "attacks": {name: {"auc": changed(), "tpr_at_fpr": {"0.001": changed()}, "exposure": counts}
                    for name in ATTACKS[:2]},
        "accuracy": {name: changed() for name in ("train_accuracy", "test_accuracy", "generalization_gap")},
    }  # fmt: skip


def audit_report(f: Figures) -> dict:
    return {"answers": [{"section": "2", "status": "measured", "told": f"AUC {f.one():.2f} of one attack"}]}


STUDIES = {
    lira: "print_lira_table", attacks: "print_attacks_tables", low_budget: "print_budget_table",
    overfitting: "print_overfitting_table", outliers: "print_outliers_table", dpsgd: "print_dpsgd_table",
    defenses: "print_defenses_table", saliency: "print_saliency_table", audit: "print_audit_table",
    stability: "print_stability_table",
    target: "print_target_table", imported: "print_imported_table", reproduce: "print_parts",
    compare: "print_compare_table", audit_report: "print_audit_report",
}  # fmt: skip
FOUND = {
    overfitting: Overfitting, outliers: Outliers, saliency: Saliency, dpsgd: Dpsgd, defenses: Defenses,
    imported: Imported, reproduce: Reproduced, audit: Audit, compare: Comparison,
    audit_report: AuditReportFound, target: TargetFound, lira: Lira, attacks: Attacks,
}  # fmt: skip


def numbers(text: str) -> Counter:
    return Counter(re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", text))


@pytest.mark.parametrize("study", STUDIES, ids=[study.__name__ for study in STUDIES])
@pytest.mark.parametrize("width", [40, 60, 80, 128])
def test_every_number_of_every_study_is_there_whole(study, width):
    show = getattr(importlib.import_module(f"miajax.studies.{study.__name__}.terminal"), STUDIES[study])
    figures = Figures()
    results = study(figures)
    results = made(FOUND[study], results) if study in FOUND else results
    piped = rendered(lambda console: show(results, console), None)
    for value in figures.given:
        assert any(numbers(piped)[f"{value:.{digits}f}"] for digits in (2, 3, 4)), f"{value} is not shown"
    text = rendered(lambda console: show(results, console), width)
    assert not numbers(piped) - numbers(text), "cut"
    assert max(map(len, text.splitlines())) <= width and "…" not in text
    assert "\x1b" not in piped


def test_every_room_with_a_report_has_a_terminal_here():
    from miajax.cli import NAMES

    rooms = {study.__name__ for study in STUDIES}
    assert rooms >= {{"audit_target": "target", "import_signals": "imported"}.get(name, name) for name in NAMES} - {
        "epsilon", "export", "gate", "model_card", "plan", "runs"
    }  # fmt: skip
