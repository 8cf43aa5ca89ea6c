"""Results of the studies of defences and saliency as tables on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDTH = 170


def _started(titles: list[str], console: Console | None) -> tuple[Console, Table]:
    console = console or Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(title, justify="right" if place else "left", no_wrap=not place)
    return console, table


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    low, high = row[f"{name}_ci"]
    return f"{row[name]:.3f} [{low:.3f}, {high:.3f}]"


def _notes(console: Console, notes: list[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def _rate(figures: Mapping[str, Any] | None, fpr: str) -> str:
    value = figures["tpr_at_fpr"][fpr] if figures else None
    return "-" if value is None else f"{value:.4f}"


def print_defenses_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints a line a defence: accuracy, attacks that do not know it, and LiRA that does, on all and on the top 1 %."""
    console, table = _started(
        [
            "defence", "members", "others", "loss AUC", "adv.", "gap", "naive", "adaptive",
            "TPR at 0.1 %", "top 1 %: AUC", "named at 1 %", "s a model",
        ],
        console,
    )  # fmt: skip
    for row in results["rows"]:
        adaptive = row["lira_adaptive"]
        top = adaptive["top_1pct"]
        table.add_row(
            row["title"],
            *(_with_interval(row, name) for name in ("train_accuracy", "test_accuracy")),
            *(f"{row[name]:.3f}" for name in ("threshold_auc", "threshold_advantage", "gap_accuracy")),
            *(f"{row[name]['auc']:.3f}" for name in ("lira_naive", "lira_adaptive")),
            _rate(adaptive, "0.001"),
            f"{top['auc']:.3f}" if top else "-",
            f"{top['named']['0.01']:.3f}" if top else "-",
            "-" if row["runtime_s"] is None else f"{row['runtime_s']:.3g}",
        )
    console.print(table, soft_wrap=True)
    _notes(console, [*(f"{name} did not run: {why}" for name, why in results["not_run"].items()), *results["notes"]])


def print_saliency_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints a line a map: vulnerable against safe examples; then what having seen an example changes."""
    console, table = _started(
        ["map", "background: vulnerable", "safe", "difference beyond share", "left: vulnerable", "safe", "difference"],
        console,
    )

    def cell(entry: Mapping[str, Any] | None, name: str) -> str:
        if entry is None or entry[name] is None:
            return "-"
        low, high = entry[f"{name}_ci"]
        return f"{entry[name]:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")

    for name, entry in results["methods"].items():
        background, deletion = entry["background"], entry["deletion"]
        excess = None if background is None else background["excess"]
        table.add_row(
            name, cell(background, "vulnerable"), cell(background, "safe"), cell(excess, "difference"),
            cell(deletion, "vulnerable"), cell(deletion, "safe"), cell(deletion, "difference"),
        )  # fmt: skip
    console.print(table, soft_wrap=True)
    for name, entry in results["counterfactual"].items():
        console.print(
            f"counterfactual {name}: Spearman with vulnerability {cell(entry, 'spearman')}; shift of vulnerable "
            f"{cell(entry, 'vulnerable')}, of safe {cell(entry, 'safe')}",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    _notes(console, results["notes"])
