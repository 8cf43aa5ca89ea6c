"""The main job's results on a terminal."""

from rich.console import Console

from miajax.report.terminal import print_notes
from miajax.studies.attacked.terminal import print_attack_figures
from miajax.studies.lira.results import Lira


def print_lira_table(found: Lira, console: Console | None = None) -> None:
    """Prints what the models were and how each attack did, with 95 % intervals; notes follow."""
    console = console or Console(highlight=False)
    print_attack_figures(found, console)
    print_notes(console, found.notes)
