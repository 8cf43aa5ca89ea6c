"""Every attack from one set of shadow models, compared in one report.

miajax attacks --run runs/lira-digits-1a2b3c4d
"""

from miajax.cli import command
from miajax.outliers.registry import METRICS
from miajax.studies.attacks.study import AttacksOptions, run_attacks_study
from miajax.studies.attacks.terminal import print_attacks_tables

run = command.study(
    "attacks", __doc__, AttacksOptions(), run_attacks_study, print_attacks_tables,
    choices={"outlier_metric": tuple(METRICS)},
)  # fmt: skip
