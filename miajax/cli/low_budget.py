"""Which attack for which budget: power against the number of shadow models, from disjoint subsets of one run.

miajax low_budget --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.attacks.registry import ATTACKS  # noqa: E402
from miajax.cli import command  # noqa: E402
from miajax.studies.low_budget.study import LowBudgetOptions, run_low_budget  # noqa: E402
from miajax.studies.low_budget.terminal import print_budget_table  # noqa: E402

run = command.study(
    "low_budget", __doc__, _BEGUN, LowBudgetOptions(), run_low_budget, print_budget_table,
    choices={"attacks": tuple(name for name, attack in ATTACKS.items() if attack.pure)},
)  # fmt: skip
