"""An audit as a table on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report import numbers
from miajax.report.terminal import figure, print_notes, print_table, say


def print_audit_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every lower bound on epsilon with what it rests on, then the verdict."""
    console = console or Console(highlight=False)
    beside = ("jax-privacy",) if any("jax_privacy" in bound for bound in results["bounds"].values()) else ()
    rows = [
        [
            name, *(numbers.lower(bound[key], 3) for key in ("epsilon_lower", "largest_possible")),
            f"{100 * bound['confidence']:g} %", bound["assumes"],
            "yes" if bound["in_verdict"] else "no", *(figure(bound["jax_privacy"]) for _ in beside),
        ]
        for name, bound in results["bounds"].items()
    ]  # fmt: skip
    titles = ("epsilon at least", "could show", "confidence", "assumes", "in the verdict", *beside)
    columns = {title: [""] for title in titles}
    print_table(console, "bound", columns, rows)
    say(console, results["verdict"])
    print_notes(console, results["notes"])
