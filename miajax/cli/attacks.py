"""Every attack from one set of shadow models, compared in one report.

miajax attacks --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.outliers.registry import METRICS  # noqa: E402
from miajax.studies.attacks.study import AttacksOptions, run_attacks_study  # noqa: E402
from miajax.studies.attacks.terminal import print_attacks_tables  # noqa: E402

run = command.study(
    "attacks", __doc__, _BEGUN, AttacksOptions(), run_attacks_study, print_attacks_tables,
    choices={"outlier_metric": tuple(METRICS)},
)  # fmt: skip
