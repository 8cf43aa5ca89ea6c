"""What differential privacy costs and keeps: models under a list of budgets and without privacy, attacked and compared.

miajax dpsgd --epsilons inf 50 10 8 3 1 --num_shadows 64
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.campaign.presets import PRESETS  # noqa: E402
from miajax.cli import command  # noqa: E402
from miajax.studies.dpsgd.study import DpsgdOptions, identity, run_dpsgd, stored  # noqa: E402
from miajax.studies.dpsgd.terminal import print_dpsgd_table  # noqa: E402

run = command.study(
    "dpsgd", __doc__, _BEGUN, DpsgdOptions(), run_dpsgd, print_dpsgd_table,
    start="digits_dp", identity=identity, stored=stored,
    choices={"non_private_recipe": ("private", *PRESETS)},
)  # fmt: skip
