"""What the models were and how each attack did, on a terminal."""

from rich.console import Console

from miajax.report import claims
from miajax.report.group_words import group_finding
from miajax.report.terminal import cell, print_table, say
from miajax.studies.attacked.results import AttackedFound

_FPRS = (1e-3, 1e-2)
_RATES = ["0.1 %", "1 %"]


def print_attack_figures(found: AttackedFound, console: Console) -> None:
    """Prints a line on the models, then every attack's figures with 95 % intervals."""
    head = found.head
    who = "every model a target" if head.target is None else f"target: model {head.target}"
    say(
        console,
        f"{head.dataset}, {head.model}: {head.num_valid} of {head.num_shadows} models, {who}; "
        f"{head.num_non_members} non-members pooled; accuracy on members {cell(head.train_accuracy, 4)}, "
        f"on non-members {cell(head.test_accuracy, 4)}, gap {cell(head.generalization_gap, 4)}",
    )
    rows = [
        [name, cell(of.auc), cell(of.balanced_accuracy), *(cell(of.tpr_at_fpr[fpr], 4) for fpr in _FPRS)]
        for name, of in found.figures.items()
    ]
    print_table(console, "attack", {"AUC": [""], "balanced accuracy": [""], "TPR at FPR": _RATES}, rows)
    _print_groups(found, console)
    if (lead := found.strongest) is not None:
        told = f"{claims.lead_sentence(lead)} {claims.equals_sentence(lead)}"
        by_group = group_finding(found.groups, found.figures)
        told = f"{by_group} By row: {told}" if by_group else told
        say(console, told.replace("\u00a0", " ").strip())


def _print_groups(found: AttackedFound, console: Console) -> None:
    """The same figures by group, where rows have groups."""
    if found.groups is None:
        return
    say(console, f"by {found.groups.name} ({found.head.num_groups} groups, scores of their rows joined):")
    rows = [
        [name, of.leads, cell(of.figures.auc), *(cell(of.figures.tpr_at_fpr[fpr], 4) for fpr in _FPRS)]
        for name, by_row in found.figures.items()
        if (of := by_row.per_group) is not None
    ]
    print_table(console, "attack", {"joined by": [""], "AUC": [""], "TPR at FPR": _RATES}, rows)
