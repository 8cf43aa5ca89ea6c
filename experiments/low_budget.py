"""Which attack for which budget: power against the number of shadow models, from disjoint subsets of one run.

python -m experiments.low_budget --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.terminal import print_budget_table  # noqa: E402
from miajax.studies.low_budget.study import LowBudgetOptions, run_low_budget  # noqa: E402

run = _command.study("low_budget", __doc__, _BEGUN, LowBudgetOptions(), run_low_budget, print_budget_table)

if __name__ == "__main__":
    _command.main(run)
