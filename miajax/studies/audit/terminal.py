"""An audit as a table on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from miajax.report import numbers

_WIDTH = 124  # a narrow terminal wraps, nothing is cut


def print_audit_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every lower bound on epsilon with what it rests on, then the verdict."""
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bound", no_wrap=True)
    beside = ("jax-privacy",) if any("jax_privacy" in bound for bound in results["bounds"].values()) else ()
    for title in ("epsilon at least", "could show", "confidence", "assumes", "in the verdict", *beside):
        table.add_column(title, justify="right", no_wrap=True)
    for name, bound in results["bounds"].items():
        table.add_row(
            name, *(numbers.lower(bound[key], 3) for key in ("epsilon_lower", "largest_possible")),
            f"{100 * bound['confidence']:g} %", bound["assumes"],
            "yes" if bound["in_verdict"] else "no", *(_peer(bound) for _ in beside),
        )  # fmt: skip
    console.print(table, soft_wrap=True)
    console.print(results["verdict"], soft_wrap=True, markup=False)
    for note in results["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def _peer(bound: Mapping[str, Any]) -> str:
    """What jax-privacy's estimator makes of the same scores."""
    theirs = bound["jax_privacy"]
    return "-" if theirs is None else f"{theirs:.3f}"
