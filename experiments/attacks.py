"""Every attack from one set of shadow models, compared in one report.

python -m experiments.attacks --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.terminal import print_attacks_tables  # noqa: E402
from miajax.studies.attacks.study import AttacksOptions, run_attacks_study  # noqa: E402

run = _command.study("attacks", __doc__, _BEGUN, AttacksOptions(), run_attacks_study, print_attacks_tables)

if __name__ == "__main__":
    _command.main(run)
