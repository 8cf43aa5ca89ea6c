"""An audit as a table on a terminal."""

from rich.console import Console

from miajax.report import numbers
from miajax.report.terminal import cell, print_notes, print_table, say
from miajax.studies.audit.figures import Audit


def print_audit_table(found: Audit, console: Console | None = None) -> None:
    """Prints every lower bound on epsilon with what it rests on, then the verdict."""
    console = console or Console(highlight=False)
    bounds = found.audit.bounds.named()
    beside = ("jax-privacy",) if any(bound.jax_privacy for bound in bounds.values()) else ()
    rows = [
        [
            name, *(numbers.lower(each, 3) for each in (bound.epsilon_lower, bound.largest_possible)),
            f"{100 * bound.confidence:g} %", bound.assumes, "yes" if bound.in_verdict else "no",
            *([cell(bound.jax_privacy)] if bound.jax_privacy else []),
        ]
        for name, bound in bounds.items()
    ]  # fmt: skip
    titles = ("epsilon at least", "could show", "confidence", "assumes", "in the verdict", *beside)
    columns = {title: [""] for title in titles}
    print_table(console, "bound", columns, rows)
    say(console, found.audit.verdict)
    print_notes(console, found.notes)
