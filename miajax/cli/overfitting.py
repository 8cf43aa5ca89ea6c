"""How vulnerability grows with every epoch of training, and what early stopping does about it.

miajax overfitting --num_shadows 64
"""

from miajax.cli import command
from miajax.studies.overfitting.study import OverfittingOptions, run_overfitting
from miajax.studies.overfitting.terminal import print_overfitting_table

run = command.study(
    "overfitting", __doc__, OverfittingOptions(), run_overfitting, print_overfitting_table,
    {"num_shadows": 64, "validation_fraction": 0.1},
)  # fmt: skip
