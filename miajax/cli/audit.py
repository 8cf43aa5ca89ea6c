"""An audit from below: which epsilon do models refute by what they say of canaries, and was less promised?

miajax audit --canaries 200 --num_shadows 64 --dp_epsilon 8
"""

from miajax.cli import command
from miajax.studies.audit.study import AuditOptions, run_audit
from miajax.studies.audit.terminal import print_audit_table

run = command.study(
    "audit", __doc__, AuditOptions(), run_audit, print_audit_table,
    wishes={"split": "bernoulli", "num_shadows": 64},
)  # fmt: skip
