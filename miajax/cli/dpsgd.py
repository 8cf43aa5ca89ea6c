"""What differential privacy costs and keeps: models under a list of budgets and without privacy, attacked and compared.

miajax dpsgd --epsilons inf 50 10 8 3 1 --num_shadows 64
"""

from miajax.campaign.presets import PRESETS
from miajax.cli import command
from miajax.studies.dpsgd.study import DpsgdOptions, identity, run_dpsgd, stored
from miajax.studies.dpsgd.terminal import print_dpsgd_table

run = command.study(
    "dpsgd", __doc__, DpsgdOptions(), run_dpsgd, print_dpsgd_table,
    start="digits_dp", identity=identity, stored=stored,
    choices={"non_private_recipe": ("private", *PRESETS)},
)  # fmt: skip
