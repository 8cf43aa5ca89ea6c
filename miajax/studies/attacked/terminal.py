"""What the models were and how each attack did, on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from miajax.metrics.claims import lead_of
from miajax.report import claims
from miajax.report.terminal import figure, print_table, say


def print_attack_figures(results: Mapping[str, Any], console: Console) -> None:
    """Prints a line on the models, then every attack's figures with 95 % intervals."""
    who = "every model a target" if results["target"] is None else f"target: model {results['target']}"
    say(
        console,
        f"{results['dataset']}, {results['model']}: {results['num_valid']} of {results['num_shadows']} models, {who}; "
        f"{results['num_non_members']} non-members pooled; accuracy on members {_accuracy(results, 'train_accuracy')}, "
        f"on non-members {_accuracy(results, 'test_accuracy')}, gap {_accuracy(results, 'generalization_gap')}",
    )
    rows = []
    for name, entry in results["attacks"].items():
        rates, intervals = entry["tpr_at_fpr"], entry["tpr_at_fpr_ci"]
        rows.append([
            name,
            figure(entry["auc"], entry["auc_ci"]),
            figure(entry["balanced_accuracy"], entry["balanced_accuracy_ci"]),
            *(figure(rates[fpr], intervals[fpr], 4) for fpr in ("0.001", "0.01")),
        ])  # fmt: skip
    columns = {"AUC": [""], "balanced accuracy": [""], "TPR at FPR": ["0.1 %", "1 %"]}
    print_table(console, "attack", columns, rows)
    _print_groups(results, console)
    if (lead := lead_of(results)) is not None:
        told = f"{claims.lead_sentence(lead)} {claims.equals_sentence(lead)}"
        say(console, told.replace("\u00a0", " ").strip())


def _print_groups(results: Mapping[str, Any], console: Console) -> None:
    """The same figures by group, where rows have groups."""
    if not results.get("groups"):
        return
    say(console, f"by {results['groups']['name']} ({results['num_groups']} groups, scores of their rows joined):")
    rows = []
    for name, entry in results["attacks"].items():
        of = entry["per_group"]
        rates = (figure(of["tpr_at_fpr"][fpr], of["tpr_at_fpr_ci"][fpr], 4) for fpr in ("0.001", "0.01"))
        rows.append([name, of["headline"], figure(of["auc"], of["auc_ci"]), *rates])
    print_table(console, "attack", {"joined by": [""], "AUC": [""], "TPR at FPR": ["0.1 %", "1 %"]}, rows)


def _accuracy(results: Mapping[str, Any], name: str) -> str:
    return figure(results[name], results.get(f"{name}_ci"), 4)
