"""What an auditor states of an audit, and what the report shows."""

import dataclasses

from miajax.described import described
from miajax.errors import UserError

NOT_STATED = "not stated"


@described
@dataclasses.dataclass(frozen=True)
class AuditReportOptions:
    """Who audited what for whom, as stated by the auditor, and what the report shows."""

    auditor: str | None = None
    """who made the audit; a blank line to fill in when not given, as for all that follow"""
    client: str | None = None
    """who answers for the model (the controller)"""
    model_name: str | None = None
    """name of the model that the audit is about"""
    model_version: str | None = None
    """its version"""
    purpose: str | None = None
    """what the model is used for"""
    access: str | None = None
    """who can query the model, how, and what they see: classes, probabilities, its file"""
    data_subjects: str | None = None
    """whose data the model was trained on"""
    reference: str | None = None
    """file number of the audit"""
    date: str | None = None
    """date of the audit"""
    worst: int = 10
    """how many of the most exposed records to list; more of them have wider intervals"""
    appendix: bool = False
    """add the raw configuration, the manifest and the versions of all software"""

    def __post_init__(self):
        if self.worst < 1:
            raise UserError(f"--worst {self.worst}", expected="1 or more records")
        for field in STATED:
            value = getattr(self, field)
            if value is not None and not value.strip():
                raise UserError(f"--{field} is empty", expected="text, or no such flag")

    def stated(self, field: str) -> str:
        """What was stated, on one line; empty where nothing was."""
        return " ".join((getattr(self, field) or "").split())


STATED = ("auditor", "client", "model_name", "model_version", "purpose", "access", "data_subjects", "reference", "date")
