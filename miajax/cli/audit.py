"""An audit from below: which epsilon do models refute by what they say of canaries, and was less promised?

miajax audit --canaries 200 --num_shadows 64 --dp_epsilon 8
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

from miajax.cli import command  # noqa: E402
from miajax.studies.audit.study import AuditOptions, run_audit  # noqa: E402
from miajax.studies.audit.terminal import print_audit_table  # noqa: E402

run = command.study(
    "audit", __doc__, _BEGUN, AuditOptions(), run_audit, print_audit_table,
    wishes={"split": "bernoulli", "num_shadows": 64},
)  # fmt: skip
