"""Utility against privacy on a terminal."""

from rich.console import Console

from miajax.report import numbers
from miajax.report.terminal import MISSING, cell, figure, print_notes, print_table, say
from miajax.studies.dpsgd.figures import Dpsgd


def print_dpsgd_table(found: Dpsgd, console: Console | None = None) -> None:
    """Prints what every budget costs and keeps, and the lower bounds on epsilon under it."""
    console = console or Console(highlight=False)
    found = found.of_unit
    rows: list[list[str]] = []
    for name, point in zip(["no privacy", *found.epsilons], [found.non_private, *found.points], strict=True):
        spent = point.guarantee.epsilon_by_accountant
        rows.append([
            name,
            *(figure(spent[accountant], digits=2) for accountant in ("pld", "rdp")),
            cell(point.test_accuracy, 4),
            cell(point.attacked.tpr, 4),
            cell(point.attacked.auc),
            *(MISSING if low is None else numbers.lower(low) for low in map(point.epsilon_lower.get, found.bounds)),
        ])  # fmt: skip
    columns = {
        "": ["PLD", "RDP"], "accuracy on non-members": [""], "LiRA TPR at FPR 0.1 %": [""], "AUC": [""],
        "at least,": [bound.replace("_", " ") for bound in found.bounds],
    }  # fmt: skip
    print_table(console, "epsilon", columns, rows)
    ceilings = [most for point in found.points for most in point.largest_possible.values()]
    levels = f"delta {found.delta:g}; lower bounds at significance {found.significance:g}"
    levels += f"; so many models can show at most epsilon {numbers.lower(max(ceilings))}" if ceilings else ""
    say(console, levels + ("; LiRA tests groups" if found.unit == "group" else ""))
    print_notes(console, found.notes)
