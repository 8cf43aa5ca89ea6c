"""A run's signals and scores in the files of other tools.

miajax export --run runs/lira-digits-1a2b3c4d --format privacy_meter --out exported
"""

import dataclasses
from pathlib import Path
from typing import Any

from miajax.cli import command
from miajax.described import described
from miajax.runs.exports import ExportFormat, export_run
from miajax.runs.mounts import shown
from miajax.studies.invocation import Invocation


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path
    """finished run folder to read"""
    format: ExportFormat
    """lira2021 (TF Privacy's LiRA script), privacy_meter, tf_privacy (AttackInputData), sklearn (y_true, score) or
    safetensors (parameters of every model, by Flax's names)"""
    out: Path
    """new or empty folder to write"""


def write(flags: Flags, _: Invocation) -> dict[str, Any]:
    """Writes the files and prints what they hold."""
    facts = export_run(flags.run, flags.format, flags.out)
    failed = f"; left out, failed: {', '.join(map(str, facts['failed_models']))}" if facts["failed_models"] else ""
    print(f"{len(facts['models'])} models in {flags.format} layout{failed}")
    print(shown(f"written: {flags.out}"))
    return facts


run = command.Command("export", __doc__, Flags, write, why_not="It writes a finished run as it is")
