"""What differential privacy costs and keeps: models under a list of budgets and without privacy, attacked and compared.

python -m experiments.dpsgd --epsilons inf 50 10 8 3 1 --num_shadows 64
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.terminal import print_dpsgd_table  # noqa: E402
from miajax.studies.dpsgd.study import DpsgdOptions, identity, run_dpsgd, stored  # noqa: E402

run = _command.study(
    "dpsgd", __doc__, _BEGUN, DpsgdOptions(), run_dpsgd, print_dpsgd_table,
    start="digits_dp", identity=identity, stored=stored,
)  # fmt: skip

if __name__ == "__main__":
    _command.main(run)
