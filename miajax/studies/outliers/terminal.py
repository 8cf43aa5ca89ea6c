"""Outlier metrics against vulnerability, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import figure, print_notes, print_table, say


def print_outliers_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints every outlier metric against vulnerability, best rank correlation first, and which are best."""
    console = console or Console(highlight=False)
    figures = {"spearman": "Spearman", "precision_at_1pct": "precision at 1 %", "auc_top_1pct": "AUC, top 1 %"}
    metrics = {**results["metrics"], "(other half's vulnerability)": results["ceiling"]}
    rows = []
    for name, entry in sorted(metrics.items(), key=lambda each: -(each[1]["spearman"] or 0.0)):
        beside = (entry.get(part, {}).get("spearman") for part in ("easy", "hard", "same_models"))
        rows.append([
            name,
            *(figure(entry[each], entry[f"{each}_ci"]) for each in figures),
            *(figure(value) for value in beside),
        ])  # fmt: skip
    columns = {**{title: [""] for title in figures.values()}, "Spearman:": ["easy", "hard", "same models"]}
    print_table(console, "metric", columns, rows)
    for each, of in results["best"]["all"].items():
        equal = ", ".join(of["not_told_apart"])
        told = f"; not told apart from it: {equal}" if equal else ""
        say(console, f"{figures[each]}: {of['metric']} is best{told}")
    print_notes(console, results["notes"])
