"""A report to hand on: what was tested, by whom, on what, and what remains for the most exposed person, in the order in
which supervisory authorities ask.

miajax audit_report --run runs/lira-digits-1a2b3c4d --client Clinic --auditor Auditor --pdf
"""

import dataclasses
from pathlib import Path

from miajax.cli import command
from miajax.described import described
from miajax.studies.audit_report.found import AuditReportFound
from miajax.studies.audit_report.options import AuditReportOptions
from miajax.studies.audit_report.study import run_audit_report
from miajax.studies.audit_report.terminal import print_audit_report
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.results import FoundResult


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path
    """finished run, import, or folder of an audited target"""
    out: Path | None = None
    """folder to write; audit_report in the run when not given"""
    report: AuditReportOptions = dataclasses.field(default_factory=AuditReportOptions)
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def act(flags: Flags, called: Invocation) -> FoundResult[AuditReportFound]:
    """Writes the report and prints what it answers."""
    result = run_audit_report(flags.run, flags.out, flags.report, called)
    print_audit_report(result.found)
    command.print_end(result.results["timing"], result.folder)
    return result


run = command.Command("audit_report", __doc__, Flags, act, why_not="It trains nothing and reads figures as they are")
