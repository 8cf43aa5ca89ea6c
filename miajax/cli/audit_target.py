"""One model trained elsewhere, attacked with the shadow models of a run.

miajax audit_target --run runs/lira-digits-1a2b3c4d --target target.npz --target_config target.json
"""

import dataclasses
from pathlib import Path

from miajax.attacks.registry import ATTACKS
from miajax.campaign.progress import Terminal
from miajax.cli import command
from miajax.described import described
from miajax.runs.content_checks import RowKind
from miajax.runs.mounts import shown
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.target.study import TargetAudit, run_audit_target
from miajax.studies.target.terminal import print_target_table


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path
    """run folder whose shadow models attack the target"""
    target: Path
    """npz archive: membership bool[N] and one of logits [N, C], probabilities [N, C], labels [N] (predicted). It has
    ids [N] where only some examples of the pool were audited. Beside --target_members, an npy of rows over classes"""
    target_members: Path | None = None
    """who the target was trained on, where --target is an npy: an npy of bool[N] or row numbers, or a row number a
    line"""
    target_config: Path | None = None
    """JSON object of the target's recipe (optimizer, epochs, learning_rate, flip, query_mode, ...), compared with the
    run's"""
    out: Path | None = None
    """folder to write; <run>/targets/<name of the target's file> when not given"""
    signal_kind: RowKind | None = None
    """what the rows over classes hold, where their name says wrong or content leaves doubt"""
    attacks: tuple[str, ...] | None = None
    """attacks to run; all that the target's answers allow when not given"""
    trust_code: bool = False
    """run the Python file that the folder of --run names, if it is the one whose SHA-256 the run recorded"""
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def audit(flags: Flags, called: Invocation) -> TargetAudit:
    """Attacks the target and prints what was found."""
    found = run_audit_target(
        flags.run,
        flags.target,
        flags.target_config,
        flags.out,
        flags.attacks,
        reporter=Terminal(),
        invocation=called,
        signal_kind=flags.signal_kind,
        members=flags.target_members,
    )
    print_target_table(found.found)
    print(shown(f"report: {found.folder / 'report.html'}"))
    return found


run = command.Command(
    "audit_target", __doc__, Flags, audit, choices={"attacks": tuple(ATTACKS)},
    why_not="Data, network and training are those of --run; miajax lira makes a run with others",
)  # fmt: skip
