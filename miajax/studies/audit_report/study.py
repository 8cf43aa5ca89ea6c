"""A report to hand on, made from a finished run, an import or an audited target; nothing is trained or attacked.

Into ``<run>/audit_report``, or ``--out``, go

    results.json    kind, dataset, model, num_models, num_examples, unit; strongest as the study has it;
                    most_exposed[{record, named_in, num_in, named_out, num_out, with _ci}]; groups; privacy;
                    answers[{section, status, told}], what guidance asks and whether it was measured; stated, what the
                    auditor typed; files[{name, study, sha256}], what it rests on
    report.html     and report.pdf with --pdf
"""

import dataclasses
from pathlib import Path
from typing import Any

from miajax.campaign.made import versions
from miajax.metrics.most_exposed import Exposed
from miajax.runs.atomic import write_text
from miajax.studies.audit_report.evidence import Evidence, GroupFound, read_evidence
from miajax.studies.audit_report.options import STATED, AuditReportOptions
from miajax.studies.audit_report.statuses import Answer, statuses
from miajax.studies.invocation import Invocation
from miajax.studies.results import StudyResult
from miajax.warned import collected_warnings


@dataclasses.dataclass(frozen=True, eq=False)
class AuditReportResult(StudyResult):
    """What the report rests on and says.

    Attributes:
      evidence: what the studies found.
      answers: to the questions of guidance.
    """

    evidence: Evidence
    answers: tuple[Answer, ...]


@collected_warnings()
def run_audit_report(
    run: Path,
    out: Path | None = None,
    options: AuditReportOptions | None = None,
    invocation: Invocation | None = None,
) -> AuditReportResult:
    """Writes the report.

    Args:
      run: a run folder, an import, or the folder of an audited target.
      out: folder to write; ``audit_report`` in ``run`` if None.
      options: what the auditor states; nothing if None.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: ``run`` is none of them, or not finished.
    """
    options, called = options or AuditReportOptions(), invocation or Invocation()
    with called.timed("read"):
        evidence = read_evidence(run, options.worst)
    answers = tuple(statuses(evidence, options))
    results = _json(evidence, options, answers)
    out = out or run / "audit_report"
    with called.reporting(out, results, study="audit_report"):
        from miajax.studies.audit_report.page import render_audit_report_page

        write_text(out / "report.html", render_audit_report_page(evidence, options, called.command))
    return AuditReportResult(out, results, evidence, answers)


def _json(evidence: Evidence, options: AuditReportOptions, answers: tuple[Answer, ...]) -> dict[str, Any]:
    """``results.json``."""
    results = evidence.results
    return {
        "kind": evidence.kind,
        "run": evidence.path.resolve().name,
        "dataset": results["dataset"],
        "model": results["model"],
        "num_models": evidence.num_models,
        "num_examples": results["num_examples"],
        "unit": evidence.unit,
        "strongest": evidence.results["strongest"],
        "most_exposed": [_exposed(each) for each in evidence.exposed],
        "most_exposed_missing": evidence.not_exposed or None,
        "groups": [_group(each) for each in evidence.groups],
        "privacy": evidence.privacy,
        "answers": [dataclasses.asdict(each) for each in answers],
        "stated": {field: options.stated(field) or None for field in STATED},
        "files": [dataclasses.asdict(each) for each in evidence.files],
        "versions": versions(),
        "notes": list(results["notes"]),
    }


def _exposed(one: Exposed) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "named_in_ci": list(one.named_in_ci), "named_out_ci": list(one.named_out_ci),
            "above_chance": one.above_chance}  # fmt: skip


def _group(one: GroupFound) -> dict[str, Any]:
    return {"by": one.by, "name": one.name, "auc": one.auc.value, "auc_ci": one.auc.ci, "num_members": one.num_members}
