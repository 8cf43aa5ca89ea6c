"""An audit as a table on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDTH = 100  # a narrow terminal wraps, nothing is cut


def print_audit_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every lower bound on epsilon with what it rests on, then the verdict."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bound", no_wrap=True)
    for title in ("epsilon at least", "confidence", "assumes", "in the verdict"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, bound in results["bounds"].items():
        table.add_row(
            name, f"{bound['epsilon_lower']:.3f}", f"{100 * bound['confidence']:g} %", bound["assumes"],
            "yes" if bound["in_verdict"] else "no",
        )  # fmt: skip
    console.print(table, soft_wrap=True)
    console.print(results["verdict"], soft_wrap=True, markup=False)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
