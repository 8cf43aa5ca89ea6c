"""Of each question of the authorities, whether the report measured, was told, or knows nothing."""

from miajax.report import claims
from miajax.studies.audit_report import words
from miajax.studies.audit_report.evidence import Evidence
from miajax.studies.audit_report.found import Answer, Status
from miajax.studies.audit_report.options import STATED, AuditReportOptions


def statuses(evidence: Evidence, options: AuditReportOptions) -> list[Answer]:
    """The answers, in the order of the sections."""
    measured: Status = "not measured" if evidence.lead is None else "measured"
    return [
        Answer("Scope", "partly measured", f"{words.subject_sentence(evidence)} {_stated(options)}"),
        Answer("Means", "not measured" if evidence.lead is None else "partly measured", words.cost_sentence(evidence)),
        Answer("Extraction", "not measured", "No attack that extracts data was run."),
        Answer("Membership", measured, claims.lead_sentence(evidence.lead)),
        Answer(
            "Most exposed person",
            "measured" if evidence.exposed and evidence.by_group else "partly measured" if evidence.exposed
            else "not measured",
            f"{words.worst_finding(evidence)}.",
        ),
        Answer(
            "What was tested", measured, f"{len(evidence.attacks)} membership inference attacks; others were not run."
        ),
        Answer(
            "Safeguards", "partly measured" if evidence.privacy_known else "not measured",
            f"{words.privacy_finding(evidence)}.",
        ),
        Answer("Documentation", "stated", "Files with their hashes; the controller's own documents are to be "
        "attached."),
    ]  # fmt: skip


def _stated(options: AuditReportOptions) -> str:
    """How much of the rest the auditor stated."""
    count = sum(bool(options.stated(field)) for field in STATED)
    return f"Of {len(STATED)} further facts {count} {'is' if count == 1 else 'are'} stated by the auditor."
