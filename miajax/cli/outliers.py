"""Why examples leak: outlier metrics, memorisation and training dynamics against what LiRA finds of each example.

miajax outliers --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.studies.outliers.study import OutliersOptions, run_outliers  # noqa: E402
from miajax.studies.outliers.terminal import print_outliers_table  # noqa: E402

run = command.study("outliers", __doc__, _BEGUN, OutliersOptions(), run_outliers, print_outliers_table)
