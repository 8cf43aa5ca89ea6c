"""A target's figures beside the shadow models' on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.metrics.claims import lead_from, lead_of
from miajax.report.claims import lead_sentence
from miajax.report.terminal import MISSING, figure, print_notes, print_table, say


def print_target_table(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints whether the target can be compared, its figures, and what is found without any model."""
    console = console or Console(highlight=False)
    comparable = results["comparable"]
    label = "" if comparable else "NOT COMPARABLE  "
    say(
        console,
        f"{label}{results['target']}: {results['num_members']} members, {results['num_non_members']} non-members; "
        f"accuracy {results['train_accuracy']:.4f} and {results['test_accuracy']:.4f}, shadow models "
        f"{results['shadow_train_accuracy']:.4f} and {results['shadow_test_accuracy']:.4f}",
    )
    for reason in results["not_comparable"]:
        say(console, f"not comparable: {reason}")
    for difference in results["recipe_differences"]:
        say(console, f"recipe: {difference['name']} is {difference['target']} there, {difference['run']} here")
    rows = []
    for name, entry in results["attacks"].items():
        shadows, beside = results["shadows"][name], MISSING
        if shadows is not None and comparable:
            low, high = shadows["auc_range"]
            beside = f"{shadows['per_target']['auc']:.3f} ({low:.3f} to {high:.3f})"
        rows.append([name, figure(entry["auc"], entry["auc_ci"]), beside])
    columns = {"AUC of the target": [""], "AUC of shadow models, mean (least to greatest)": [""]}
    print_table(console, "attack", columns, rows)
    if not comparable:
        say(console, "Every figure is a lower bound on what the target leaks; figures of shadow models are left out.")
        if results["without_shadows"] is not None:
            say(console, f"Without shadow models: {lead_sentence(lead_from(results['without_shadows']))}")
    say(console, lead_sentence(lead_of(results)))
    for name, found in results["blind"]["classifiers"].items():
        say(console, f"without the model, {name}: AUC {figure(found['auc'], found['auc_ci'])}")
    if results["blind"]["leaves_half"]:
        say(console, "warning: members differ from non-members without any model; attacks may find only that")
    print_notes(console, results["notes"])
