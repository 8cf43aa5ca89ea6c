"""Figures of imported signals on a terminal."""

from rich.console import Console

from miajax.report.terminal import cell, print_notes, print_table, say
from miajax.studies.imported.results import Imported


def print_imported_table(found: Imported, console: Console | None = None) -> None:
    """Prints how much was read and how each attack did; notes follow."""
    console = console or Console(highlight=False)
    say(console, f"{found.num_valid} of {found.num_shadows} models, {found.num_examples} examples")
    print_table(console, "attack", {"AUC": [""]}, [[name, cell(each.auc)] for name, each in found.attacks.items()])
    print_notes(console, found.notes)
