"""How vulnerability grows with every epoch of training, and what early stopping does about it.

python -m experiments.overfitting --num_shadows 64
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.terminal import print_overfitting_table  # noqa: E402
from miajax.studies.overfitting.study import OverfittingOptions, run_overfitting  # noqa: E402

run = _command.study(
    "overfitting", __doc__, _BEGUN, OverfittingOptions(), run_overfitting, print_overfitting_table,
    {"num_shadows": 64, "validation_fraction": 0.1},
)  # fmt: skip

if __name__ == "__main__":
    _command.main(run)
