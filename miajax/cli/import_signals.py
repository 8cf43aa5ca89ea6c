"""Signals computed elsewhere, attacked here: LiRA-2021 folders, Privacy Meter, TF Privacy, or plain arrays.

miajax import_signals --source exp/cifar10 --format lira2021 --out runs/imported
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from pathlib import Path  # noqa: E402

from miajax.attacks.options import AttackOptions, LiraMode  # noqa: E402
from miajax.cli import command  # noqa: E402
from miajax.described import described  # noqa: E402
from miajax.runs.content_checks import SignalKind  # noqa: E402
from miajax.runs.imports import ImportFormat  # noqa: E402
from miajax.studies.imported.study import ImportedResult, run_imported  # noqa: E402
from miajax.studies.imported.terminal import print_imported_table  # noqa: E402
from miajax.studies.invocation import Invocation, PageFiles  # noqa: E402


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    source: Path
    """folder, or npz archive, to read"""
    format: ImportFormat
    """lira2021 (<experiment>/keep.npy, logits, scores), privacy_meter (memberships.npy, signals/), tf_privacy
    (target-*.npz) or arrays (membership [M, N], labels [N], signals or logits or losses [M, N, ...])"""
    out: Path
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
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def attack(flags: Flags, called: Invocation) -> ImportedResult:
    """Attacks the signals and prints the figures."""
    options = AttackOptions(lira_mode=flags.lira_mode)
    result = run_imported(
        flags.source, flags.format, flags.out, flags.labels, options, invocation=called,
        signal_kind=flags.signal_kind, epoch=flags.epoch,
    )  # fmt: skip
    print_imported_table(result.results)
    print(f"report: {result.folder / 'report.html'}")
    return result


run = command.Command(
    "import_signals", __doc__, Flags, attack, _BEGUN, why_not="It trains nothing: models and signals come from --source"
)
