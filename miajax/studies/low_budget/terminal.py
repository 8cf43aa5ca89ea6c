"""Power against the number of shadow models, on a terminal."""

from rich.console import Console

from miajax.report.terminal import MISSING, figure, print_notes, print_table, say
from miajax.studies.low_budget.figures import LowBudget


def print_budget_table(found: LowBudget, console: Console | None = None) -> None:
    """Prints every attack's TPR at every budget, and which attack each budget is best spent on."""
    console = console or Console(highlight=False)
    compared = found.compared.of_unit
    rows = [
        [
            name,
            *(figure(by_budget[budget].tpr.value, digits=4) if budget in by_budget else MISSING
              for budget in compared.budgets),
        ]
        for name, by_budget in compared.attacks.items()
    ]  # fmt: skip
    columns = {f"{budget} models": [""] for budget in compared.budgets}
    by_group = " by group" if found.compared.by_group else ""
    print_table(console, f"TPR at FPR {compared.fpr:g}{by_group}", columns, rows)
    for budget, best in compared.recommended.items():
        if best is None:
            say(console, f"{budget} models: none finds the most")
            continue
        equal = ", ".join(best.not_told_apart)
        told = f"; not told apart from it: {equal}" if equal else ""
        told += "; not measurably more than chance" if best.standing != "above" else ""
        say(console, f"{budget} models: {best.attack} finds the most{by_group}{told}")
        if best.by_row is not None and best.by_row.attack != best.attack:
            say(console, f"  by row {best.by_row.attack} does")
    print_notes(console, found.notes)
