"""A run's signals and scores in the files of other tools.

python -m experiments.export --run runs/lira-digits-1a2b3c4d --format privacy_meter --out exported
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from experiments import _command
from miajax.runs.exports import ExportFormat, export_run

_PROG = "python -m experiments.export"


@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path = tyro.MISSING
    """finished run folder to read"""
    format: ExportFormat = tyro.MISSING
    """lira2021 (TF Privacy's LiRA script), privacy_meter, tf_privacy (AttackInputData) or sklearn (y_true, score)"""
    out: Path = tyro.MISSING
    """new or empty folder to write"""


def run(argv: Sequence[str]) -> dict[str, Any]:
    """The command with these arguments; prints what was written."""
    flags = _command.parse(Flags, Flags(), argv, (__doc__ or "").strip(), _PROG)
    facts = export_run(flags.run, flags.format, flags.out)
    failed = f"; left out, failed: {', '.join(map(str, facts['failed_models']))}" if facts["failed_models"] else ""
    print(f"{len(facts['models'])} models in {flags.format} layout{failed}")
    print(f"written: {flags.out}")
    return facts


if __name__ == "__main__":
    _command.main(run)
