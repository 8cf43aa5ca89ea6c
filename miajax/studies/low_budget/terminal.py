"""Power against the number of shadow models, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import figure, print_notes, print_table, say


def print_budget_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every attack's TPR at every budget, and which attack each budget is best spent on."""
    console = console or Console(highlight=False)
    budgets = [str(budget) for budget in results["budgets"]]
    rows = []
    for name, entry in results["attacks"].items():
        found = [entry["budgets"].get(budget) for budget in budgets]
        rates = [each and next(iter(each["tpr_at_fpr"].values())) for each in found]
        rows.append([name, *(figure(rate, digits=4) for rate in rates)])
    columns = {f"{budget} models": [""] for budget in budgets}
    print_table(console, f"TPR at FPR {results['fpr']:g}", columns, rows)
    for budget, each in results["recommended"].items():
        equal = ", ".join(each["not_told_apart"])
        told = f"; not told apart from it: {equal}" if equal else ""
        told += "; not measurably more than chance" if each["attack"] and each["standing"] != "above" else ""
        say(console, f"{budget} models: {each['attack'] or 'none'} finds the most{told}")
    print_notes(console, results["notes"])
