"""The audit report in a few lines, on a terminal."""

from rich.console import Console

from miajax.report.terminal import say
from miajax.studies.audit_report.found import AuditReportFound


def print_audit_report(found: AuditReportFound, console: Console | None = None) -> None:
    """Prints what was measured, stated and not measured, a line each."""
    console = console or Console(highlight=False)
    for answer in found.answers:
        say(console, f"{answer.section} ({answer.status}): {answer.told}")
