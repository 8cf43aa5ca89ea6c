"""All attacks side by side on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.report.terminal import figure, print_notes, print_table, say
from miajax.studies.attacked.terminal import print_attack_figures


def print_attacks_tables(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the attacks side by side: figures with intervals, then what calls are worth and what they cost."""
    console = console or Console(highlight=False)
    print_attack_figures(results, console)
    rows = []
    for name, entry in results["attacks"].items():
        reached = entry["shadow_calibrated"]["0.01"] or {"fpr": None, "tpr": None}
        rows.append([
            name,
            figure(entry["advantage"]),
            figure(entry["tpr_at_zero_fp"], digits=4),
            figure(entry["tpr_at_fpr"]["0.0001"], digits=4),
            *(figure(value) for value in entry["ppv_at_fpr"]["0.01"].values()),
            *(figure(reached[rate], digits=4) for rate in ("fpr", "tpr")),
            f"{entry['seconds']:.2f}",
        ])  # fmt: skip
    columns = {
        "advantage": [""], "TPR at": ["0 FP", "FPR .01 %"], "PPV, prior": ["1 %", "10 %", "50 %"],
        "calibrated to FPR 1 %:": ["FPR", "TPR"], "seconds": [""],
    }  # fmt: skip
    console.print()
    print_table(console, "attack", columns, rows)
    say(console, "PPV at FPR 1 %; seconds with compiling, shared within a family")
    print_notes(console, results["notes"])
