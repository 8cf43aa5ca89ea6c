"""Defences side by side on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import MISSING, figure, print_notes, print_table


def print_defenses_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints a line a defence: accuracy, attacks that do not know it, and LiRA that does, on all and on the top 1 %."""
    console = console or Console(highlight=False)
    rows = []
    for row in results["rows"]:
        adaptive = row["lira_adaptive"]
        top = adaptive["top_1pct"]
        rows.append([
            row["title"],
            *(figure(row[name], row[f"{name}_ci"]) for name in ("train_accuracy", "test_accuracy")),
            *(figure(row[name]) for name in ("threshold_auc", "threshold_advantage", "gap_accuracy")),
            *(figure(row[name]["auc"]) for name in ("lira_naive", "lira_adaptive")),
            figure(adaptive["tpr_at_fpr"]["0.001"], digits=4),
            figure(top["auc"]) if top else MISSING,
            figure(top["named"]["0.01"]) if top else MISSING,
            MISSING if row["runtime_s"] is None else f"{row['runtime_s']:.3g}",
        ])  # fmt: skip
    columns = {
        "accuracy,": ["members", "others"], "loss": ["AUC", "advantage"], "gap": [""],
        "LiRA AUC,": ["naive", "adaptive"], "TPR at 0.1 %": [""], "top 1 %:": ["AUC", "named at 1 %"],
        "s a model": [""],
    }  # fmt: skip
    print_table(console, "defence", columns, rows)
    not_run = [f"{name} did not run: {why}" for name, why in results["not_run"].items()]
    print_notes(console, [*not_run, *results["notes"]])
