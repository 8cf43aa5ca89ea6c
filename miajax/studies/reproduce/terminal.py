"""What every part of a reproduction found, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import say


def print_parts(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints a line a part: its finding, or why it failed."""
    console = console or Console(highlight=False)
    for campaign, entry in results["campaigns"].items():
        for part, what in entry["parts"].items():
            found = what["finding"] if what["status"] == "done" else f"FAILED: {what['reason']}"
            say(console, f"{campaign}, {part}: {found}")
