"""Defences side by side on a terminal."""

from rich.console import Console

from miajax.notes import Note
from miajax.report.terminal import MISSING, cell, figure, print_notes, print_table, say
from miajax.studies.defenses.results import Defenses, named


def print_defenses_table(found: Defenses, console: Console | None = None) -> None:
    """Prints a line a defence: accuracy, attacks that do not know it, and LiRA that does, on all and on the top 1 %."""
    console = console or Console(highlight=False)
    rows: list[list[str]] = []
    for row in found.of_unit.rows:
        adaptive, top = row.lira_adaptive, row.lira_adaptive.top_1pct
        rate = None if adaptive.everybody is None else adaptive.everybody.tpr_at_fpr[1e-3].value
        plain = (row.threshold_auc, row.threshold_advantage, row.gap_accuracy, row.lira_naive.auc, adaptive.auc)
        rows.append([
            row.title,
            cell(row.train_accuracy),
            cell(row.test_accuracy),
            *(figure(each.value) for each in plain),
            figure(rate, digits=4),
            figure(top.auc.value) if top else MISSING,
            figure(named(top).value),
            MISSING if row.runtime_s is None else f"{row.runtime_s:.3g}",
        ])  # fmt: skip
    columns = {
        "accuracy,": ["members", "others"], "loss": ["AUC", "advantage"], "gap": [""],
        "LiRA AUC,": ["naive", "adaptive"], "TPR at 0.1 %": [""], "top 1 %:": ["AUC", "named at 1 %"],
        "s a model": [""],
    }  # fmt: skip
    print_table(console, "defence", columns, rows)
    if found.head.unit == "group":
        say(console, "Attacks test groups, and the top 1 % are groups; accuracy counts rows")
    not_run = [(name, (f"did not run: {why}",)) for name, why in found.not_run.items()]
    print_notes(console, [*(Note(words, about=(name,), several=words) for name, words in not_run), *found.notes])
