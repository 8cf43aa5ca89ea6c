"""One model trained elsewhere, attacked with the shadow models of a run.

python -m experiments.audit_target --run runs/lira-digits-1a2b3c4d --target target.npz --target_config target.json
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import tyro  # noqa: E402

from experiments import _command  # noqa: E402
from miajax.campaign.progress import Terminal  # noqa: E402
from miajax.runs.content_checks import RowKind  # noqa: E402
from miajax.studies.invocation import Invocation  # noqa: E402
from miajax.studies.target.study import TargetAudit, run_audit_target  # noqa: E402

_IMPORT_S = time.perf_counter() - _BEGUN
_PROG = "python -m experiments.audit_target"


@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path = tyro.MISSING
    """run folder whose shadow models attack the target"""
    target: Path = tyro.MISSING
    """npz archive: membership bool[N] and one of logits [N, C], probabilities [N, C], labels [N] (predicted); ids [N]
    where only some examples of the pool were audited"""
    target_config: Path | None = None
    """JSON object of the target's recipe (optimizer, epochs, learning_rate, flip, query_mode, ...), compared with the
    run's"""
    out: Path | None = None
    """folder to write; <run>/targets/<name of the target's file> when not given"""
    signal_kind: RowKind | None = None
    """what the rows over classes hold, where their name says wrong or content leaves doubt"""
    attacks: tuple[str, ...] | None = None
    """attacks to run; all that the target's answers allow when not given"""


def run(argv: Sequence[str]) -> TargetAudit:
    """The command with these arguments; prints what was found."""
    flags = _command.parse(Flags, Flags(), argv, (__doc__ or "").strip(), _PROG)
    audit = run_audit_target(
        flags.run,
        flags.target,
        flags.target_config,
        flags.out,
        flags.attacks,
        reporter=Terminal(),
        invocation=Invocation(_command.command_line(_PROG, argv), _IMPORT_S, _BEGUN),
        signal_kind=flags.signal_kind,
    )
    print_audit(audit)
    return audit


def print_audit(audit: TargetAudit) -> None:
    """The target's figures beside the shadow models', on standard output."""
    results = audit.results
    label = "" if results["comparable"] else "NOT COMPARABLE  "
    print(
        f"{label}{results['target']}: {results['num_members']} members, {results['num_non_members']} non-members; "
        f"accuracy {results['train_accuracy']:.4f} and {results['test_accuracy']:.4f}, shadow models "
        f"{results['shadow_train_accuracy']:.4f} and {results['shadow_test_accuracy']:.4f}"
    )
    for reason in results["not_comparable"]:
        print(f"not comparable: {reason}")
    for difference in results["recipe_differences"]:
        print(f"recipe: {difference['name']} is {difference['target']} there, {difference['run']} here")
    print(f"{label}{'attack':<20} {'AUC of the target':<24} AUC of shadow models, mean (least to greatest)")
    for name, entry in results["attacks"].items():
        own = f"{entry['auc']:.3f} [{entry['auc_ci'][0]:.3f}, {entry['auc_ci'][1]:.3f}]"
        shadows = results["shadows"][name]
        beside = "-"
        if shadows is not None:
            low, high = shadows["auc_range"]
            beside = f"{shadows['per_target']['auc']:.3f} ({low:.3f} to {high:.3f})"
        print(f"{label}{name:<20} {own:<24} {beside}")
    for name, figure in results["blind"]["classifiers"].items():
        low, high = figure["auc_ci"]
        print(f"without the model, {name}: AUC {figure['auc']:.3f} [{low:.3f}, {high:.3f}]")
    if results["blind"]["leaves_half"]:
        print("warning: members differ from non-members without any model; attacks may find only that")
    for note in results["notes"]:
        print(f"note: {note}")
    print(f"report: {audit.folder / 'report.html'}")


if __name__ == "__main__":
    _command.main(run)
