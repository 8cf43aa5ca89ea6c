"""Accuracy and vulnerability over the epochs, on a terminal."""

from rich.console import Console

from miajax.metrics.figures import fpr_key
from miajax.report.terminal import cell, print_notes, print_table, say
from miajax.studies.overfitting.figures import SIDES, Overfitting


def print_overfitting_table(found: Overfitting, console: Console | None = None) -> None:
    """Prints accuracy and every attack's power at a few epochs, and at each model's best validation epoch."""
    console = console or Console(highlight=False)
    found = found.of_unit
    names, main, fpr = list(found.attacks), found.main_attack, found.fpr
    rows: list[list[str]] = []
    for epoch in found.histograms.epochs:
        at = epoch - 1
        rows.append([
            str(epoch),
            *map(cell, (found.accuracy.member[at], found.accuracy.non_member[at], found.gap[at])),
            *(f"{found.attacks[name].auc[at].value:.3f}" for name in names),
            cell(found.main.tpr_at_fpr[fpr][at], 4),
        ])  # fmt: skip
    for rule, stopped in found.early_stopping.rules.items() if found.early_stopping else ():
        rows.append([
            f"best {rule.replace('_', ' ')}: {stopped.epoch_mean:.1f}",
            *(cell(stopped.accuracy[side]) for side in SIDES),
            cell(stopped.gap),
            *(f"{stopped.attacks[name].auc.value:.3f}" for name in names),
            cell(stopped.attacks[main].tpr_at_fpr[fpr], 4),
        ])  # fmt: skip
    columns = {"": ["members", "non-members", "gap"], "AUC": names, "TPR": [main]}
    print_table(console, "epoch", columns, rows)
    by_group = ", AUC and TPR by group" if found.head.unit == "group" else ""
    say(console, f"Accuracy on members and non-members; TPR at FPR {fpr_key(fpr)}{by_group}")
    print_notes(console, found.notes)
