"""Figures of imported signals on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import figure, print_notes, print_table, say


def print_imported_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints how much was read and how each attack did; notes follow."""
    console = console or Console(highlight=False)
    say(console, f"{results['num_valid']} of {results['num_shadows']} models, {results['num_examples']} examples")
    rows = [[name, figure(entry["auc"], entry["auc_ci"])] for name, entry in results["attacks"].items()]
    print_table(console, "attack", {"AUC": [""]}, rows)
    print_notes(console, results["notes"])
