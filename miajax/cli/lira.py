"""Shadow models of a classifier, every one attacked by LiRA, in one report.

miajax lira --num_shadows 256
"""

from miajax.cli import command
from miajax.studies.lira.study import LiraOptions, run_lira
from miajax.studies.lira.terminal import print_lira_table

run = command.study("lira", __doc__, LiraOptions(), run_lira, print_lira_table)
