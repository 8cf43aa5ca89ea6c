"""Before and after: two finished runs on the same data, what attacks find in each, and whose exposure changed.

miajax compare --run runs/lira-digits-1a2b3c4d --with runs/lira-digits-5e6f7a8b
"""

import dataclasses
from pathlib import Path

from miajax.cli import command
from miajax.described import described
from miajax.studies.compare.results import Comparison
from miajax.studies.compare.study import CompareOptions, run_compare
from miajax.studies.compare.terminal import print_compare_table
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.results import FoundResult


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path
    """finished run before, or an import"""
    with_: Path
    """finished run after, or an import, on the same data"""
    out: Path | None = None
    """folder to write; compare in the run before when not given"""
    options: CompareOptions = dataclasses.field(default_factory=CompareOptions)
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def act(flags: Flags, called: Invocation) -> FoundResult[Comparison]:
    """Compares the runs and prints the figures."""
    result = run_compare(flags.run, flags.with_, flags.out, flags.options, called)
    print_compare_table(result.found)
    command.print_end(result.found.timing, result.folder)
    return result


run = command.Command("compare", __doc__, Flags, act, why_not="It trains nothing and reads both runs as they are")
