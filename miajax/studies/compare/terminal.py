"""Two runs side by side, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import MISSING, figure, print_notes, print_table, say
from miajax.studies.compare import words


def print_compare_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every attack's figures before and after with their change, accuracies, and who gained or lost."""
    console = console or Console(highlight=False)
    say(console, f"before {results['before']['run']}, after {results['after']['run']}; changes are after less before")
    fpr = results["lead"]["fpr"]
    rows = []
    for name, entry in results["attacks"].items():
        figures = [entry["auc"], *([entry["tpr_at_fpr"][fpr]] if fpr else [])]
        rows.append([name, *(cell for each in figures for cell in _cells(each))])
    titles = ["AUC", *([f"TPR at FPR {fpr}"] if fpr else [])]
    columns = {title: ["before", "after", "change"] for title in titles}
    print_table(console, "attack", columns, rows)
    if results["accuracy"] is not None:
        accuracies = [[name, *_cells(entry)] for name, entry in results["accuracy"].items()]
        print_table(console, "accuracy", {"": ["before", "after", "change"]}, accuracies)
    for line in (words.headline(results), words.exposure_finding(results)):
        say(console, f"{line}.")
    print_notes(console, results["notes"])


def _cells(entry: Mapping[str, Any] | None) -> list[str]:
    if entry is None:
        return [MISSING] * 3
    return [figure(entry["before"]), figure(entry["after"]), figure(entry["change"], entry["change_ci"])]
