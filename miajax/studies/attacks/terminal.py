"""All attacks side by side on a terminal."""

from rich.console import Console

from miajax.report.terminal import cell, figure, print_notes, print_table, say
from miajax.studies.attacked.terminal import print_attack_figures
from miajax.studies.attacks.results import Attacks


def print_attacks_tables(found: Attacks, console: Console | None = None) -> None:
    """Prints the attacks side by side: figures with intervals, then what calls are worth and what they cost."""
    console = console or Console(highlight=False)
    print_attack_figures(found, console)
    rows: list[list[str]] = []
    for name, entry in found.attacks.items():
        of, reached = entry.figures, entry.calibrated[1e-2]
        rates = (None, None) if reached is None else (reached.fpr.value, reached.tpr.value)
        rows.append([
            name,
            figure(of.advantage.value),
            figure(of.tpr_at_zero_fp.value, digits=4),
            figure(of.tpr_at_fpr[1e-4].value, digits=4),
            *(cell(share) for share in entry.precision[1e-2].values()),
            *(figure(rate, digits=4) for rate in rates),
            f"{entry.seconds:.2f}",
        ])  # fmt: skip
    columns = {
        "advantage": [""], "TPR at": ["0 FP", "FPR .01 %"], "PPV, prior": ["1 %", "10 %", "50 %"],
        "calibrated to FPR 1 %:": ["FPR", "TPR"], "seconds": [""],
    }  # fmt: skip
    console.print()
    print_table(console, "attack", columns, rows)
    say(console, "PPV at FPR 1 %; seconds with compiling, shared within a family")
    print_notes(console, found.notes)
