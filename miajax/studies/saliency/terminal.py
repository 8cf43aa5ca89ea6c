"""Where models look, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import MISSING, figure, print_notes, print_table, say


def print_saliency_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints a line a map: vulnerable against safe examples; then what having seen an example changes."""
    console = console or Console(highlight=False)
    rows = []
    for name, entry in results["methods"].items():
        background, deletion = entry["background"], entry["deletion"]
        excess = None if background is None else background["excess"]
        rows.append([
            name, _cell(background, "vulnerable"), _cell(background, "safe"), _cell(excess, "difference"),
            _cell(deletion, "vulnerable"), _cell(deletion, "safe"), _cell(deletion, "difference"),
        ])  # fmt: skip
    columns = {
        "background:": ["vulnerable", "safe", "difference beyond share"], "left:": ["vulnerable", "safe", "difference"]
    }  # fmt: skip
    print_table(console, "map", columns, rows)
    for name, entry in results["counterfactual"].items():
        say(
            console,
            f"counterfactual {name}: Spearman with vulnerability {_cell(entry, 'spearman')}; shift of vulnerable "
            f"{_cell(entry, 'vulnerable')}, of safe {_cell(entry, 'safe')}",
        )
    print_notes(console, results["notes"])


def _cell(entry: Mapping[str, Any] | None, name: str) -> str:
    return MISSING if entry is None else figure(entry[name], entry[f"{name}_ci"])
