"""Results as a table on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from miajax.report import claims, numbers

_WIDTH = 128  # of the widest table: a narrow terminal wraps, nothing is cut


def _with_interval(value: float | None, interval: list[float] | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text if not interval else f"{text} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def _accuracy(results: Mapping[str, Any], name: str) -> str:
    return _with_interval(results[name], results.get(f"{name}_ci"), 4)


def print_lira_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints what the models were and how each attack did, with 95 % intervals; notes follow."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    who = "every model a target" if results["target"] is None else f"target: model {results['target']}"
    console.print(
        f"{results['dataset']}, {results['model']}: {results['num_valid']} of {results['num_shadows']} models, {who}; "
        f"{results['num_non_members']} non-members pooled; accuracy on members {_accuracy(results, 'train_accuracy')}, "
        f"on non-members {_accuracy(results, 'test_accuracy')}, gap {_accuracy(results, 'generalization_gap')}",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("attack", no_wrap=True)
    for title in ("AUC", "balanced accuracy", "TPR at FPR 0.1 %", "TPR at FPR 1 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, entry in results["attacks"].items():
        rates, intervals = entry["tpr_at_fpr"], entry["tpr_at_fpr_ci"]
        table.add_row(
            name,
            _with_interval(entry["auc"], entry["auc_ci"]),
            _with_interval(entry["balanced_accuracy"], entry["balanced_accuracy_ci"]),
            *(_with_interval(rates[fpr], intervals[fpr], 4) for fpr in ("0.001", "0.01")),
        )
    console.print(table, soft_wrap=True)
    if results.get("strongest") is not None:
        told = f"{claims.lead_sentence(results['strongest'])} {claims.equals_sentence(results['strongest'])}"
        console.print(told.replace("\u00a0", " ").strip(), soft_wrap=True, markup=False)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def print_attacks_tables(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the attacks side by side: figures with intervals, then what calls are worth and what they cost."""
    console = console or Console(highlight=False)
    print_lira_table({**results, "notes": []}, console)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("attack", no_wrap=True)
    for title in (
        "advantage", "TPR at 0 FP", "at .01 %", "PPV, prior 1 %", "10 %", "50 %", "calibrated to FPR 1 %: FPR", "TPR",
        "seconds",
    ):
        table.add_column(title, justify="right")
    for name, entry in results["attacks"].items():
        reached = entry["shadow_calibrated"]["0.01"] or {"fpr": None, "tpr": None}
        table.add_row(
            name,
            _with_interval(entry["advantage"], None),
            _with_interval(entry["tpr_at_zero_fp"], None, 4),
            _with_interval(entry["tpr_at_fpr"]["0.0001"], None, 4),
            *(_with_interval(value, None) for value in entry["ppv_at_fpr"]["0.01"].values()),
            *(_with_interval(reached[rate], None, 4) for rate in ("fpr", "tpr")),
            f"{entry['seconds']:.2f}",
        )
    console.print()
    console.print(table, soft_wrap=True)
    console.print("PPV at FPR 1 %; seconds with compiling, shared within a family", soft_wrap=True)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def print_budget_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every attack's TPR at every budget, and which attack each budget is best spent on."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    budgets = [str(budget) for budget in results["budgets"]]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"TPR at FPR {results['fpr']:g}", no_wrap=True)
    for budget in budgets:
        table.add_column(f"{budget} models", justify="right", no_wrap=True)
    for name, entry in results["attacks"].items():
        found = [entry["budgets"].get(budget) for budget in budgets]
        rates = [each and next(iter(each["tpr_at_fpr"].values())) for each in found]
        table.add_row(name, *(_with_interval(rate, None, 4) for rate in rates))
    console.print(table, soft_wrap=True)
    for budget, each in results["recommended"].items():
        equal = ", ".join(each["not_told_apart"])
        told = f"; not told apart from it: {equal}" if equal else ""
        told += "; not measurably more than chance" if each["attack"] and each["standing"] != "above" else ""
        console.print(f"{budget} models: {each['attack'] or 'none'} finds the most{told}", soft_wrap=True, markup=False)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def print_overfitting_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints accuracy and every attack's power at a few epochs, and at each model's best validation epoch."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    names, key = list(results["attacks"]), f"{results['fpr']:g}"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("epoch", no_wrap=True)
    for title in ("members", "non-members", "gap", *(f"AUC {name}" for name in names), f"TPR {results['main_attack']}"):
        table.add_column(title, justify="right", no_wrap=title.startswith("TPR"))
    accuracy, attacks, main = results["accuracy"], results["attacks"], results["main_attack"]
    for epoch in results["histograms"]["epochs"]:
        at = epoch - 1
        table.add_row(
            str(epoch),
            *(_with_interval(accuracy[side][at], accuracy[f"{side}_ci"][at]) for side in ("member", "non_member")),
            _with_interval(results["gap"][at], results["gap_ci"][at]),
            *(_with_interval(attacks[name]["auc"][at], None) for name in names),
            _with_interval(attacks[main]["tpr_at_fpr"][key][at], attacks[main]["tpr_at_fpr_ci"][key][at], 4),
        )
    for rule, found in ((results["early_stopping"] or {}).get("rules") or {}).items():
        entry = found["attacks"][main]
        table.add_row(
            f"best {rule.replace('_', ' ')}: {found['epoch_mean']:.1f}",
            *(_with_interval(figure["value"], figure["ci"])
              for figure in (*(found["accuracy"][side] for side in ("member", "non_member")), found["gap"])),
            *(_with_interval(found["attacks"][name]["auc"], None) for name in names),
            _with_interval(entry["tpr_at_fpr"][key], entry["tpr_at_fpr_ci"][key], 4),
        )
    console.print(table, soft_wrap=True)
    console.print(f"TPR at FPR {key}", soft_wrap=True)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def print_outliers_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every outlier metric against vulnerability, best rank correlation first, and which are best."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    figures = {"spearman": "Spearman", "precision_at_1pct": "precision at 1 %", "auc_top_1pct": "AUC, top 1 %"}
    for title in (*figures.values(), "Spearman: easy", "hard", "same models"):
        table.add_column(title, justify="right", no_wrap=True)
    metrics = {**results["metrics"], "(other half's vulnerability)": results["ceiling"]}
    for name, entry in sorted(metrics.items(), key=lambda each: -(each[1]["spearman"] or 0.0)):
        beside = (entry.get(part, {}).get("spearman") for part in ("easy", "hard", "same_models"))
        table.add_row(
            name,
            *(_with_interval(entry[figure], entry[f"{figure}_ci"]) for figure in figures),
            *(_with_interval(value, None) for value in beside),
        )
    console.print(table, soft_wrap=True)
    for figure, of in results["best"]["all"].items():
        equal = ", ".join(of["not_told_apart"])
        told = f"; not told apart from it: {equal}" if equal else ""
        console.print(f"{figures[figure]}: {of['metric']} is best{told}", soft_wrap=True, markup=False)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def _bound(epsilon: float | None) -> str:
    return "-" if epsilon is None else numbers.lower(epsilon)


def print_dpsgd_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints what every budget costs and keeps, and the lower bounds on epsilon under it."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("epsilon", no_wrap=True)
    for title in ("PLD", "RDP", "accuracy on non-members", "LiRA TPR at FPR 0.1 %", "AUC", *results["bounds"]):
        table.add_column(title.replace("_", " "), justify="right")
    named = zip(results["epsilons"], results["points"], strict=True)
    for name, point in [("no privacy", results["non_private"]), *named]:
        spent = point["epsilon_by_accountant"]
        table.add_row(
            name,
            *(_with_interval(spent[accountant], None, 2) for accountant in ("pld", "rdp")),
            _with_interval(point["test_accuracy"], point["test_accuracy_ci"], 4),
            _with_interval(point["lira_tpr_at_fpr"].get("0.001"), point["lira_tpr_at_fpr_ci"].get("0.001"), 4),
            _with_interval(point["auc"], point["auc_ci"]),
            *(_bound(point["epsilon_lower"][bound]) for bound in results["bounds"]),
        )
    console.print(table, soft_wrap=True)
    ceilings = [most for point in results["points"] for most in point["largest_possible"].values()]
    levels = f"delta {results['delta']:g}; lower bounds at significance {results['significance']:g}"
    levels += f"; so many models can show at most epsilon {numbers.lower(max(ceilings))}" if ceilings else ""
    console.print(levels, soft_wrap=True)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
