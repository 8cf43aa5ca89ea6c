"""Outlier metrics against vulnerability, on a terminal."""

from rich.console import Console

from miajax.report.terminal import MISSING, cell, figure, print_notes, print_table, say
from miajax.studies.outliers.figures import Name, Outliers

_FIGURES: dict[Name, str] = {
    "spearman": "Spearman", "precision_at_1pct": "precision at 1 %", "auc_top_1pct": "AUC, top 1 %",
}  # fmt: skip


def print_outliers_table(found: Outliers, console: Console | None = None) -> None:
    """Prints every outlier metric against vulnerability, best rank correlation first, and which are best."""
    console = console or Console(highlight=False)
    rows = [
        (of.all, name, [figure(each) for each in
                        (of.easy.spearman.value, of.hard.spearman.value, of.same_models.spearman)])
        for name, of in found.metrics.items()
    ]  # fmt: skip
    rows.append((found.ceiling, "(other half's vulnerability)", [MISSING] * 3))
    rows.sort(key=lambda row: -(row[0].spearman.value or 0.0))
    columns = {**{title: [""] for title in _FIGURES.values()}, "Spearman:": ["easy", "hard", "same models"]}
    print_table(
        console, "metric", columns, [[name, *(cell(of[each]) for each in _FIGURES), *rest] for of, name, rest in rows]
    )
    for each, of in found.best["all"].items():
        equal = ", ".join(of.not_told_apart)
        told = f"; not told apart from it: {equal}" if equal else ""
        say(console, f"{_FIGURES[each]}: {of.metric} is best{told}")
    print_notes(console, found.notes)
