"""Where models look: vulnerable examples against safe ones, and models that saw an example against those that did not.

python -m experiments.saliency --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from experiments import _command  # noqa: E402
from miajax.report.study_tables import print_saliency_table  # noqa: E402
from miajax.studies.saliency.study import SaliencyOptions, run_saliency  # noqa: E402

run = _command.study("saliency", __doc__, _BEGUN, SaliencyOptions(), run_saliency, print_saliency_table)

if __name__ == "__main__":
    _command.main(run)
