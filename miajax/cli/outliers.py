"""Why examples leak: outlier metrics, memorisation and training dynamics against what LiRA finds of each example.

miajax outliers --run runs/lira-digits-1a2b3c4d
"""

from miajax.cli import command
from miajax.studies.outliers.study import OutliersOptions, run_outliers
from miajax.studies.outliers.terminal import print_outliers_table

run = command.study("outliers", __doc__, OutliersOptions(), run_outliers, print_outliers_table)
