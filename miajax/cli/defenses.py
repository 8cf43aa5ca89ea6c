"""Every defence, attacked by somebody who does not know of it and by somebody who does, in one report.

miajax defenses --num_shadows 64
"""

from miajax.cli import command
from miajax.outliers.registry import METRICS
from miajax.studies.defenses.catalogue import Strengths, catalogue
from miajax.studies.defenses.study import DefensesOptions, run_defenses
from miajax.studies.defenses.terminal import print_defenses_table

run = command.study(
    "defenses", __doc__, DefensesOptions(), run_defenses, print_defenses_table,
    wishes={"num_shadows": 64, "validation_fraction": 0.1},
    choices={"defenses": tuple(catalogue(Strengths())), "flag_by": tuple(METRICS)},
)  # fmt: skip
