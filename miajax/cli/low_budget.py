"""Which attack for which budget: power against the number of shadow models, from disjoint subsets of one run.

miajax low_budget --run runs/lira-digits-1a2b3c4d
"""

from miajax.attacks.registry import ATTACKS
from miajax.cli import command
from miajax.studies.low_budget.study import LowBudgetOptions, run_low_budget
from miajax.studies.low_budget.terminal import print_budget_table

run = command.study(
    "low_budget", __doc__, LowBudgetOptions(), run_low_budget, print_budget_table,
    choices={"attacks": tuple(name for name, attack in ATTACKS.items() if attack.pure)},
)  # fmt: skip
