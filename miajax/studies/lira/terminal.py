"""The main job's results on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import print_notes
from miajax.studies.attacked.terminal import print_attack_figures


def print_lira_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints what the models were and how each attack did, with 95 % intervals; notes follow."""
    console = console or Console(highlight=False)
    print_attack_figures(results, console)
    print_notes(console, results["notes"])
