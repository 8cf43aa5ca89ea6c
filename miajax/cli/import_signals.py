"""Signals computed elsewhere, attacked here: answers from a plan, or the files of other tools, or plain arrays.

miajax import_signals --plan plan --out runs/client
miajax import_signals --source exp/cifar10 --format lira2021 --out runs/imported
"""

import dataclasses
from pathlib import Path
from typing import Any

from miajax.attacks.options import AttackOptions, LiraMode
from miajax.campaign.progress import Terminal
from miajax.campaign.returned import take_in
from miajax.cli import command
from miajax.described import described
from miajax.errors import UserError
from miajax.runs.content_checks import SignalKind
from miajax.runs.imports import ImportFormat
from miajax.runs.mounts import shown
from miajax.studies.imported.study import run_imported
from miajax.studies.imported.terminal import print_imported_table
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.lira.study import LiraOptions, run_lira
from miajax.studies.lira.terminal import print_lira_table
from miajax.studies.results import FoundResult


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    out: Path
    """folder to write"""
    plan: Path | None = None
    """folder that miajax plan wrote, whose answers are to be checked and made into a run"""
    source: Path | None = None
    """folder, or npz archive, to read; with --plan the folder of answers, PLAN/answers when not given"""
    format: ImportFormat | None = None
    """without --plan: lira2021 (<experiment>/keep.npy, logits, scores), privacy_meter (memberships.npy, signals/),
    tf_privacy (target-*.npz) or arrays (membership [M, N], labels [N], signals or logits or losses [M, N, ...])"""
    labels: Path | None = None
    """npy of labels [N], where the source has none"""
    signal_kind: SignalKind | None = None
    """content of the files, where their names don't say or say wrong. Arrays with a class axis hold logits,
    probabilities, log_probabilities or losses. Arrays without one hold scaled_logits, probabilities, log_probabilities
    or losses of the true label"""
    groups: Path | None = None
    """without --plan: npy [N] of numbers or names that say which rows belong together, such as those of one person.
    Read from the source where it has group_of_row.npy (or groups among arrays)"""
    epoch: int | None = None
    """epoch of lira2021 folders, where the last one is not the same of all models, scores and logits"""
    lira_mode: LiraMode = "default"
    """default, or official: the published script's numbers, its peculiarities included"""
    model_name: str | None = None
    """what reports call the models of --plan, such as XGBoost"""
    data_path: str | None = None
    """where the data of --plan lie, if not where they lay when it was written"""
    allow_failed: bool = False
    """count models of --plan without answers, or with NaN in them, as failed"""
    trust_code: bool = False
    """run the Python file that reads the data of --plan, if its data set is one"""
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def attack(flags: Flags, called: Invocation) -> FoundResult[Any]:
    """Attacks the signals and prints the figures."""
    _check(flags)
    if flags.plan is not None:
        return _from_plan(flags, flags.plan, called)
    assert flags.source is not None and flags.format is not None
    options = AttackOptions(lira_mode=flags.lira_mode)
    result = run_imported(
        flags.source, flags.format, flags.out, flags.labels, options, invocation=called,
        signal_kind=flags.signal_kind, epoch=flags.epoch, groups=flags.groups,
    )  # fmt: skip
    print_imported_table(result.found)
    print(shown(f"report: {result.folder / 'report.html'}"))
    return result


def _check(flags: Flags) -> None:
    """Refuses flags that have no meaning together.

    Raises:
      UserError: the first of them.
    """
    without = ("model_name", "data_path", "allow_failed")
    if flags.plan is None:
        if flags.source is None or flags.format is None:
            missing = "--source" if flags.source is None else "--format"
            raise UserError(f"import_signals was given no {missing}", expected="--plan DIR, or --source and --format")
        if idle := [name for name in without if getattr(flags, name)]:
            raise UserError(f"--{idle[0]} without --plan", expected="--plan beside it")
        return
    if idle := [name for name in ("format", "labels", "epoch", "groups") if getattr(flags, name) is not None]:
        raise UserError(f"--{idle[0]} with --plan", expected="--plan alone, which says what the files hold")
    if flags.signal_kind == "scaled_logits":
        raise UserError("--signal_kind scaled_logits with --plan", expected="answers with a column a class")


def _from_plan(flags: Flags, plan: Path, called: Invocation) -> FoundResult[Any]:
    assert flags.signal_kind != "scaled_logits"
    campaign = take_in(
        plan, flags.out, flags.source, flags.model_name or "trained elsewhere", flags.signal_kind, flags.allow_failed,
        flags.data_path, Terminal(),
    )  # fmt: skip
    result = run_lira(campaign.setup, flags.out, LiraOptions(lira_mode=flags.lira_mode), Terminal(), called)
    print_lira_table(result.found)
    command.print_end(result.found.timing, result.folder)
    print(
        shown(
            f"more:   miajax attacks --run {flags.out}, outliers, low_budget, audit_target, export, compare, gate, ..."
        )
    )
    return result


run = command.Command(
    "import_signals",
    __doc__,
    Flags,
    attack,
    why_not="It trains nothing: models and signals come from elsewhere",
)
