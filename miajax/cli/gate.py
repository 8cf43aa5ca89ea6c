"""Ceilings on a study's figures, for a pipeline. A ceiling is held against the upper end of the figure's 95 %
interval. Exit status 0: all are kept; 3: one is passed; 4: the run cannot resolve a figure (too few non-members, an
attack that did not run, a target that is not comparable); 2: bad input. A kept ceiling bounds what this attack
finds in this run, not what the model gives away.

miajax gate --run runs/lira-digits-1a2b3c4d --at_most lira_online:tpr_at_fpr:0.001=0.01 lira_online:auc=0.6
miajax gate --run runs/lira-digits-1a2b3c4d --at_most all:per_target:auc=0.6
"""

import dataclasses
from pathlib import Path

from miajax.cli import command
from miajax.described import described
from miajax.runs.mounts import shown
from miajax.studies.found import found_results
from miajax.studies.gate.rules import rules_of
from miajax.studies.gate.verdicts import Verdict, exit_status, verdicts_on
from miajax.studies.invocation import Invocation


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path
    """folder with results.json: of a run, of a study in it (RUN/attacks), of an import or of an audited target"""
    at_most: tuple[str, ...] = dataclasses.field(metadata={"adds": True})
    """ceilings ATTACK:FIGURE=CEILING, several with blanks between; ATTACK may be all; FIGURE is auc, balanced_accuracy,
    advantage, tpr_at_zero_fp or tpr_at_fpr:FPR, or per_target: before one of these"""


def judge(flags: Flags, _: Invocation) -> list[Verdict]:
    """Prints a line a figure.

    Raises:
      SystemExit: 3 or 4, see above.
    """
    found = found_results(flags.run)
    verdicts = verdicts_on(rules_of(flags.at_most), found)
    first = next(iter(found))
    for verdict in verdicts:
        print(shown(str(verdict) if verdict.source == first else f"{verdict} ({verdict.source})"))
    if status := exit_status(verdicts):
        raise SystemExit(status)
    return verdicts


run = command.Command("gate", __doc__, Flags, judge, why_not="It trains nothing and reads figures as they are",
    urls={"run": "files"},
)  # fmt: skip
