"""How vulnerability grows with every epoch of training, and what early stopping does about it.

miajax overfitting --num_shadows 64
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.studies.overfitting.study import OverfittingOptions, run_overfitting  # noqa: E402
from miajax.studies.overfitting.terminal import print_overfitting_table  # noqa: E402

run = command.study(
    "overfitting", __doc__, _BEGUN, OverfittingOptions(), run_overfitting, print_overfitting_table,
    {"num_shadows": 64, "validation_fraction": 0.1},
)  # fmt: skip
