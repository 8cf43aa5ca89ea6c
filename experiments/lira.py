"""Shadow models of a classifier, every one attacked by LiRA, in one report.

python -m experiments.lira --num_shadows 256
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.terminal import print_lira_table  # noqa: E402
from miajax.studies.lira.study import LiraOptions, run_lira  # noqa: E402

run = _command.study("lira", __doc__, _BEGUN, LiraOptions(), run_lira, print_lira_table)

if __name__ == "__main__":
    _command.main(run)
