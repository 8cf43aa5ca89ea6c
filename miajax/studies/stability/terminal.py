"""How far attackers with other shadow models agree, on a terminal."""

from rich.console import Console

from miajax.metrics.figures import fpr_key
from miajax.report.terminal import MISSING, cell, figure, print_notes, print_table, say
from miajax.studies.stability import words
from miajax.studies.stability.figures import Stability


def print_stability_table(found: Stability, console: Console | None = None) -> None:
    """Prints what attackers find alone and together, then how far disjoint sets share their most exposed records."""
    console = console or Console(highlight=False)
    of = found.measured
    rows = [
        [name, *map(cell, (one.tpr, one.jaccard, one.found_by_any, one.found_by_all, one.flips))]
        for name, each in of.attacks.items()
        for one in [each.sub_ensembles]
    ]
    say(
        console,
        f"{of.num_attackers} attackers of each of {of.num_targets} targets, {of.models_per_attacker} shadow models "
        f"each, FPR {fpr_key(of.fpr)}; shares of the members",
    )
    print_table(console, "attack", {"": ["TPR of one", "overlap"], "named by": ["any", "all"], "flips": [""]}, rows)
    sizes = sorted({size for each in of.attacks.values() for size in each.curve})
    if sizes:
        curves = [
            [name, *(figure(each.curve[size].shared_top.value) if size in each.curve else MISSING for size in sizes)]
            for name, each in of.attacks.items()
        ]
        say(
            console,
            f"shared share of the {of.num_top} most exposed {words.records(found)}, two disjoint sets of models:",
        )
        print_table(console, "attack", {f"{size} models": [""] for size in sizes}, curves)
    for sentence in (words.jaccard_sentence(found), words.top_sentence(found)):
        say(console, sentence.replace("\u00a0", " "))
    print_notes(console, found.notes)
