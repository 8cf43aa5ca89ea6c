"""Signals computed elsewhere, attacked here: LiRA-2021 folders, Privacy Meter, TF Privacy, or plain arrays.

python -m experiments.import_signals --source exp/cifar10 --format lira2021 --out runs/imported
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import tyro  # noqa: E402

from experiments import _command  # noqa: E402
from miajax.attacks.options import AttackOptions, LiraMode  # noqa: E402
from miajax.runs.content_checks import SignalKind  # noqa: E402
from miajax.runs.imports import ImportFormat  # noqa: E402
from miajax.studies.imported.study import ImportedResult, run_imported  # noqa: E402
from miajax.studies.invocation import Invocation  # noqa: E402

_IMPORT_S = time.perf_counter() - _BEGUN
_PROG = "python -m experiments.import_signals"


@dataclasses.dataclass(frozen=True)
class Flags:
    source: Path = tyro.MISSING
    """folder, or npz archive, to read"""
    format: ImportFormat = tyro.MISSING
    """lira2021 (<experiment>/keep.npy, logits, scores), privacy_meter (memberships.npy, signals/), tf_privacy
    (target-*.npz) or arrays (membership [M, N], labels [N], signals or logits or losses [M, N, ...])"""
    out: Path = tyro.MISSING
    """folder to write"""
    labels: Path | None = None
    """npy of labels [N], where the source has none"""
    signal_kind: SignalKind | None = None
    """what the files hold, where their names don't say or say wrong: of arrays with a class axis logits, probabilities,
    log_probabilities or losses; where there is none, of the one number of each example scaled_logits, probabilities,
    log_probabilities or losses"""
    epoch: int | None = None
    """epoch of lira2021 folders, where the last one is not the same of all models, scores and logits"""
    lira_mode: LiraMode = "default"
    """default, or official: the published script's numbers, its peculiarities included"""


def run(argv: Sequence[str]) -> ImportedResult:
    """The command with these arguments; prints the figures."""
    flags = _command.parse(Flags, Flags(), argv, (__doc__ or "").strip(), _PROG)
    result = run_imported(
        flags.source,
        flags.format,
        flags.out,
        flags.labels,
        AttackOptions(lira_mode=flags.lira_mode),
        invocation=Invocation(_command.command_line(_PROG, argv), _IMPORT_S, _BEGUN),
        signal_kind=flags.signal_kind,
        epoch=flags.epoch,
    )
    results = result.results
    print(f"{results['num_valid']} of {results['num_shadows']} models, {results['num_examples']} examples")
    for name, entry in results["attacks"].items():
        print(f"{name:<20} AUC {entry['auc']:.3f} [{entry['auc_ci'][0]:.3f}, {entry['auc_ci'][1]:.3f}]")
    for note in results["notes"]:
        print(f"note: {note}")
    print(f"report: {result.folder / 'report.html'}")
    return result


if __name__ == "__main__":
    _command.main(run)
