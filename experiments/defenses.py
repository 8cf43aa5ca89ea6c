"""Every defence, attacked by somebody who does not know of it and by somebody who does, in one report.

python -m experiments.defenses --num_shadows 64
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.study_tables import print_defenses_table  # noqa: E402
from miajax.studies.defenses.study import DefensesOptions, run_defenses  # noqa: E402

run = _command.study(
    "defenses", __doc__, _BEGUN, DefensesOptions(), run_defenses, print_defenses_table,
    wishes={"num_shadows": 64, "validation_fraction": 0.1},
)  # fmt: skip

if __name__ == "__main__":
    _command.main(run)
