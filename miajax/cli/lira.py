"""Shadow models of a classifier, every one attacked by LiRA, in one report.

miajax lira --num_shadows 256
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.studies.lira.study import LiraOptions, run_lira  # noqa: E402
from miajax.studies.lira.terminal import print_lira_table  # noqa: E402

run = command.study("lira", __doc__, _BEGUN, LiraOptions(), run_lira, print_lira_table)
