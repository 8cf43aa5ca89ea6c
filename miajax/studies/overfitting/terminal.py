"""Accuracy and vulnerability over the epochs, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.metrics.figures import fpr_key
from miajax.report.terminal import figure, print_notes, print_table, say


def print_overfitting_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints accuracy and every attack's power at a few epochs, and at each model's best validation epoch."""
    console = console or Console(highlight=False)
    names, key = list(results["attacks"]), fpr_key(results["fpr"])
    accuracy, attacks, main = results["accuracy"], results["attacks"], results["main_attack"]
    rows = []
    for epoch in results["histograms"]["epochs"]:
        at = epoch - 1
        rows.append([
            str(epoch),
            *(figure(accuracy[side][at], accuracy[f"{side}_ci"][at]) for side in ("member", "non_member")),
            figure(results["gap"][at], results["gap_ci"][at]),
            *(figure(attacks[name]["auc"][at]) for name in names),
            figure(attacks[main]["tpr_at_fpr"][key][at], attacks[main]["tpr_at_fpr_ci"][key][at], 4),
        ])  # fmt: skip
    for rule, found in ((results["early_stopping"] or {}).get("rules") or {}).items():
        entry = found["attacks"][main]
        rows.append([
            f"best {rule.replace('_', ' ')}: {found['epoch_mean']:.1f}",
            *(figure(each["value"], each["ci"])
              for each in (*(found["accuracy"][side] for side in ("member", "non_member")), found["gap"])),
            *(figure(found["attacks"][name]["auc"]) for name in names),
            figure(entry["tpr_at_fpr"][key], entry["tpr_at_fpr_ci"][key], 4),
        ])  # fmt: skip
    columns = {"": ["members", "non-members", "gap"], "AUC": names, "TPR": [main]}
    print_table(console, "epoch", columns, rows)
    say(console, f"Accuracy on members and non-members; TPR at FPR {key}")
    print_notes(console, results["notes"])
