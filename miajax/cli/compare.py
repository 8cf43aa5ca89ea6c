"""Before and after: two finished runs on the same data, what attacks find in each, and whose exposure changed.

miajax compare --run runs/lira-digits-1a2b3c4d --with runs/lira-digits-5e6f7a8b
"""

import dataclasses
import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from pathlib import Path  # noqa: E402

from miajax.cli import command  # noqa: E402
from miajax.described import described  # noqa: E402
from miajax.studies.compare.results import Comparison  # noqa: E402
from miajax.studies.compare.study import CompareOptions, run_compare  # noqa: E402
from miajax.studies.compare.terminal import print_compare_table  # noqa: E402
from miajax.studies.invocation import Invocation, PageFiles  # noqa: E402
from miajax.studies.results import FoundResult  # noqa: E402


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


run = command.Command(
    "compare", __doc__, Flags, act, _BEGUN, why_not="It trains nothing and reads both runs as they are"
)
