"""Every defence, attacked by somebody who does not know of it and by somebody who does, in one report.

miajax defenses --num_shadows 64
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.outliers.registry import METRICS  # noqa: E402
from miajax.studies.defenses.catalogue import Strengths, catalogue  # noqa: E402
from miajax.studies.defenses.study import DefensesOptions, run_defenses  # noqa: E402
from miajax.studies.defenses.terminal import print_defenses_table  # noqa: E402

run = command.study(
    "defenses", __doc__, _BEGUN, DefensesOptions(), run_defenses, print_defenses_table,
    wishes={"num_shadows": 64, "validation_fraction": 0.1},
    choices={"defenses": tuple(catalogue(Strengths())), "flag_by": tuple(METRICS)},
)  # fmt: skip
