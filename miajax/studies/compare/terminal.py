"""Two runs side by side, on a terminal."""

from rich.console import Console

from miajax.report.terminal import MISSING, cell, figure, print_notes, print_table, say
from miajax.studies.compare import words
from miajax.studies.compare.results import Changed, Comparison


def print_compare_table(found: Comparison, console: Console | None = None) -> None:
    """Prints every attack's figures before and after with their change, accuracies, and who gained or lost."""
    console = console or Console(highlight=False)
    say(console, f"before {found.before.run}, after {found.after.run}; changes are after less before")
    fpr, sides = found.lead.fpr, ["before", "after", "change"]
    rows: list[list[str]] = []
    for name, entry in found.attacks.items():
        of = entry.of_unit
        rows.append([name, *_cells(of.auc), *(_cells(of.tpr_at_fpr[float(fpr)]) if fpr else [])])
    if found.unit == "group":
        say(console, "attacks test groups")
    print_table(console, "attack", dict.fromkeys(("AUC", *([f"TPR at FPR {fpr}"] if fpr else [])), sides), rows)
    if found.accuracy is not None:
        accuracies = [
            [name, figure(of.before), figure(of.after), cell(of.change)] for name, of in vars(found.accuracy).items()
        ]
        print_table(console, "accuracy", {"": sides}, accuracies)
    for line in (words.headline(found), words.exposure_finding(found)):
        say(console, f"{line}.")
    print_notes(console, found.notes)


def _cells(entry: Changed | None) -> list[str]:
    if entry is None:
        return [MISSING] * 3
    return [figure(entry.before.value), figure(entry.after.value), cell(entry.change)]
