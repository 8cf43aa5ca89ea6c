"""Where models look: vulnerable examples against safe ones, and models that saw an example against those that did not.

miajax saliency --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.studies.saliency.maps import METHODS  # noqa: E402
from miajax.studies.saliency.study import SaliencyOptions, run_saliency  # noqa: E402
from miajax.studies.saliency.terminal import print_saliency_table  # noqa: E402

run = command.study(
    "saliency", __doc__, _BEGUN, SaliencyOptions(), run_saliency, print_saliency_table,
    choices={"methods": tuple(METHODS)},
)  # fmt: skip
