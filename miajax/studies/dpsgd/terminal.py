"""Utility against privacy on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report import numbers
from miajax.report.terminal import MISSING, figure, print_notes, print_table, say


def print_dpsgd_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints what every budget costs and keeps, and the lower bounds on epsilon under it."""
    console = console or Console(highlight=False)
    rows = []
    named = zip(results["epsilons"], results["points"], strict=True)
    for name, point in [("no privacy", results["non_private"]), *named]:
        spent = point["epsilon_by_accountant"]
        rows.append([
            name,
            *(figure(spent[accountant], digits=2) for accountant in ("pld", "rdp")),
            figure(point["test_accuracy"], point["test_accuracy_ci"], 4),
            figure(point["lira_tpr_at_fpr"].get("0.001"), point["lira_tpr_at_fpr_ci"].get("0.001"), 4),
            figure(point["auc"], point["auc_ci"]),
            *(_bound(point["epsilon_lower"][bound]) for bound in results["bounds"]),
        ])  # fmt: skip
    columns = {
        "": ["PLD", "RDP"], "accuracy on non-members": [""], "LiRA TPR at FPR 0.1 %": [""], "AUC": [""],
        "at least,": [bound.replace("_", " ") for bound in results["bounds"]],
    }  # fmt: skip
    print_table(console, "epsilon", columns, rows)
    ceilings = [most for point in results["points"] for most in point["largest_possible"].values()]
    levels = f"delta {results['delta']:g}; lower bounds at significance {results['significance']:g}"
    levels += f"; so many models can show at most epsilon {numbers.lower(max(ceilings))}" if ceilings else ""
    say(console, levels)
    print_notes(console, results["notes"])


def _bound(epsilon: float | None) -> str:
    return MISSING if epsilon is None else numbers.lower(epsilon)
