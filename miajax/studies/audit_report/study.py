"""A report to hand on, made from a finished run, an import or an audited target; nothing is trained or attacked.

Into ``<run>/audit_report``, or ``--out``, go

    results.json    kind, dataset, model, num_models, num_examples, unit; strongest, by that unit;
                    most_exposed[{name, named_in, num_in, named_out, num_out, with _ci}]; slices; privacy;
                    answers[{section, status, told}], what guidance asks and whether it was measured; stated, what the
                    auditor typed; files[{name, study, sha256}], what it rests on
    report.html     and report.pdf with --pdf
"""

from pathlib import Path

from miajax.campaign.made import versions
from miajax.runs.atomic import write_text
from miajax.studies.audit_report.evidence import Evidence, read_evidence
from miajax.studies.audit_report.found import AuditReportFound
from miajax.studies.audit_report.options import STATED, AuditReportOptions
from miajax.studies.audit_report.statuses import statuses
from miajax.studies.found import reading_results
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundResult
from miajax.warned import collected_warnings


@collected_warnings()
def run_audit_report(
    run: Path,
    out: Path | None = None,
    options: AuditReportOptions | None = None,
    invocation: Invocation | None = None,
) -> FoundResult[AuditReportFound]:
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
    folder = out or run / "audit_report"

    def report(_: AuditReportFound) -> None:
        from miajax.studies.audit_report.page import render_audit_report_page

        with reading_results(evidence.file):
            page = render_audit_report_page(evidence, options, called.command)
        write_text(folder / "report.html", page)

    with reading_results(evidence.file):
        found = _found(evidence, options)
    found = called.finished("audit_report", folder, found, report)
    return FoundResult(folder, found=found)


def _found(evidence: Evidence, options: AuditReportOptions) -> AuditReportFound:
    results = evidence.results
    return AuditReportFound(
        kind=evidence.kind,
        run=evidence.path.resolve().name,
        dataset=str(results["dataset"]),
        model=str(results["model"]),
        num_models=evidence.num_models,
        num_examples=int(results["num_examples"]),
        unit=evidence.unit,
        strongest=evidence.lead,
        most_exposed=evidence.exposed,
        most_exposed_missing=evidence.not_exposed or None,
        slices=evidence.slices,
        privacy=evidence.privacy,
        answers=tuple(statuses(evidence, options)),
        stated={field: options.stated(field) or None for field in STATED},
        files=evidence.files,
        versions=versions(),
        notes=tuple(str(note) for note in results["notes"]),
    )
