"""Where models look, on a terminal."""

from rich.console import Console

from miajax.report.terminal import MISSING, cell, print_notes, print_table, say
from miajax.studies.saliency.results import Saliency


def print_saliency_table(found: Saliency, console: Console | None = None) -> None:
    """Prints a line a map: vulnerable against safe examples; then what having seen an example changes."""
    console = console or Console(highlight=False)
    rows: list[list[str]] = []
    for name, of in found.methods.items():
        background, deletion = of.background, of.deletion
        seen = [] if background is None else [background.vulnerable, background.safe, background.excess.difference]
        left = [deletion.vulnerable, deletion.safe, deletion.difference]
        rows.append([name, *(map(cell, seen) if seen else [MISSING] * 3), *map(cell, left)])
    columns = {
        "background:": ["vulnerable", "safe", "difference beyond share"], "left:": ["vulnerable", "safe", "difference"]
    }  # fmt: skip
    print_table(console, "map", columns, rows)
    for name, of in found.counterfactual.items():
        say(
            console,
            f"counterfactual {name}: Spearman with vulnerability {cell(of.spearman)}; shift of vulnerable "
            f"{cell(of.vulnerable)}, of safe {cell(of.safe)}"
            + (f"; by group Spearman {cell(of.per_group.spearman)}" if of.per_group else ""),
        )
    print_notes(console, found.notes)
