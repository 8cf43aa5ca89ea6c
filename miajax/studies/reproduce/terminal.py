"""What every part of a reproduction found, on a terminal."""

from rich.console import Console

from miajax.report.terminal import say
from miajax.studies.reproduce.record import Reproduced


def print_parts(done: Reproduced, console: Console | None = None) -> None:
    """Prints a line a part: its finding, or why it failed."""
    console = console or Console(highlight=False)
    for campaign, of in done.campaigns.items():
        for part, what in of.parts.items():
            found = what.finding if what.status == "done" else f"FAILED: {what.reason}"
            say(console, f"{campaign}, {part}: {found}")
