"""Whether another set of shadow models, or another attack, names the same records: disjoint parts of one run compared.

miajax stability --run runs/lira-digits-1a2b3c4d
"""

from miajax.attacks.registry import ATTACKS
from miajax.cli import command
from miajax.studies.stability.study import StabilityOptions, run_stability
from miajax.studies.stability.terminal import print_stability_table

run = command.study(
    "stability", __doc__, StabilityOptions(), run_stability, print_stability_table,
    choices={"attacks": tuple(name for name, attack in ATTACKS.items() if attack.pure)},
)  # fmt: skip
