"""Where models look: vulnerable examples against safe ones, and models that saw an example against those that did not.

miajax saliency --run runs/lira-digits-1a2b3c4d
"""

from miajax.cli import command
from miajax.studies.saliency.maps import METHODS
from miajax.studies.saliency.study import SaliencyOptions, run_saliency
from miajax.studies.saliency.terminal import print_saliency_table

run = command.study(
    "saliency", __doc__, SaliencyOptions(), run_saliency, print_saliency_table,
    choices={"methods": tuple(METHODS)},
)  # fmt: skip
