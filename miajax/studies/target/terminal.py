"""A target's figures beside the shadow models' on a terminal."""

from rich.console import Console

from miajax.report.claims import lead_sentence
from miajax.report.terminal import MISSING, cell, print_notes, print_table, say
from miajax.studies.target.results import TargetFound


def print_target_table(found: TargetFound, console: Console | None = None) -> None:
    """Prints whether the target can be compared, its figures, and what is found without any model."""
    console = console or Console(highlight=False)
    label = "" if found.comparable else "NOT COMPARABLE  "
    say(
        console,
        f"{label}{found.target}: {found.num_members} members, {found.num_non_members} non-members; "
        f"accuracy {found.train_accuracy.value:.4f} and {found.test_accuracy.value:.4f}, shadow models "
        f"{found.shadow_train_accuracy:.4f} and {found.shadow_test_accuracy:.4f}",
    )
    for reason in found.not_comparable:
        say(console, f"not comparable: {reason}")
    for each in found.recipe_differences:
        say(console, f"recipe: {each.name} is {each.target} there, {each.run} here")
    rows: list[list[str]] = []
    for name, of in found.attacks.items():
        shadows, beside = found.shadows[name], MISSING
        if shadows is not None and found.comparable:
            low, high = shadows.auc_range
            beside = f"{shadows.per_target.auc.value:.3f} ({low:.3f} to {high:.3f})"
        rows.append([name, cell(of.figures.auc), beside])
    columns = {"AUC of the target": [""], "AUC of shadow models, mean (least to greatest)": [""]}
    print_table(console, "attack", columns, rows)
    if not found.comparable:
        say(console, "Every figure is a lower bound on what the target leaks; figures of shadow models are left out.")
        if found.without_shadows is not None:
            say(console, f"Without shadow models: {lead_sentence(found.without_shadows)}")
    say(console, lead_sentence(found.strongest))
    for name, guesser in found.checks.blind.classifiers.items():
        say(console, f"without the model, {name}: AUC {cell(guesser.auc)}")
    if found.checks.blind.leaves_half:
        say(console, "warning: members differ from non-members without any model; attacks may find only that")
    print_notes(console, found.notes)
