"""The last sections: what the report rests on, whose questions it answers, limits, words, signatures, raw settings."""

from miajax.report import claims, provenance
from miajax.report.page import Block, Cell, Column, Points, Prose, Section, Sign, Table
from miajax.report.terminal import grouped
from miajax.studies.audit_report import words
from miajax.studies.audit_report.evidence import Evidence
from miajax.studies.audit_report.guidance import QUESTIONS, SOURCES
from miajax.studies.audit_report.options import AuditReportOptions
from miajax.studies.audit_report.statuses import statuses
from miajax.typed import Json

_TO_ATTACH = (
    "Data protection impact assessment, or why none is needed",
    "Advice of the data protection officer",
    "Technical and organisational measures, from design to use",
    "Source of the training data and its legal basis",
    "What those who deploy the model are told of the remaining risk",
)


def documentation_section(evidence: Evidence, command: str) -> Section:
    """Files with their hashes, and what only the controller can add."""
    rows: list[list[Cell]] = [[each.name, each.study, each.sha256] for each in evidence.files]
    files = Table([Column("File"), Column("Written by"), Column("SHA-256", "code")], rows, "What this report rests on.")
    attach: list[list[Cell]] = [[what, "☐ attached   ☐ not there", ""] for what in _TO_ATTACH]
    columns = [Column("Document of the controller"), Column("To tick"), Column("Where, version, date")]
    paper = Table(columns, attach, "miajax does not see these; the controller fills them in.")
    text = [f"This report was made by: {command or 'a program'}"]
    if evidence.manifest:
        text.append(f"The run has the fingerprint {evidence.manifest['fingerprint']}.")
    limits = ["A hash shows that a file was changed, not who changed it: keep these hashes apart from the files."]
    finding = "What this report rests on, and what the controller adds"
    return Section("Documentation", finding, [files, paper, Prose(text)], limits)


def questions_section(evidence: Evidence, options: AuditReportOptions) -> Section:
    """Each section against what guidance asks, and whether it was measured."""
    here = {each.section: each for each in statuses(evidence, options)}
    rows: list[list[Cell]] = [
        [
            question.section,
            question.edpb,
            question.ico,
            f"{here[question.section].status}: {here[question.section].told}",
        ]
        for question in QUESTIONS
    ]
    columns = [Column("Section"), Column("EDPB, Opinion 28/2024"), Column("ICO"), Column("In this report")]
    finding = "Which question of the supervisory authorities each section is about"
    text = (
        "The questions are told in words of this report. The documents themselves are what counts; this is no "
        "legal advice."
    )
    return Section(
        "Questions of the authorities", finding, [Prose([text]), Table(columns, rows), Points(SOURCES, "Documents")]
    )


def limits_section(evidence: Evidence) -> Section:
    """What the figures do not show."""
    results = evidence.results
    rule = claims.lead_rule(evidence.lead)
    points = [
        claims.LOWER_BOUND,
        "It holds for this data, this recipe and these attacks. A stronger attack, more shadow models or more records "
        "may find more.",
        *([rule] if rule else []),
        words.about_recipe(evidence),
        *grouped(results["notes"]),
    ]
    return Section("Limits", "Nothing here proves that a model is safe", [Points(points)])


def sign_off_section(options: AuditReportOptions) -> Section:
    """Lines to sign on."""
    fields = [
        ("Auditor", options.stated("auditor")), ("For the controller", options.stated("client")),
        ("Place and date", options.stated("date")), ("Place and date", ""),
        ("Signature of the auditor", ""), ("Signature for the controller", ""),
    ]  # fmt: skip
    text = (
        "The auditor confirms that the tests were run as described. The controller confirms that what is stated under "
        "Scope is right, and takes note of the limits."
    )
    return Section("Sign-off", "Signatures", [Prose([text]), Sign(fields)])


def appendix_sections(evidence: Evidence) -> list[Section]:
    """Raw settings; nothing where a study kept none."""
    tables: list[Block] = []
    plan: Json = evidence.results.get("plan") or {}
    raw: tuple[tuple[str, Json], ...] = (
        ("Configuration", evidence.config), ("Manifest", evidence.manifest),
        ("Versions of software", evidence.results["versions"]), ("Execution plan", plan),
    )  # fmt: skip
    for title, of in raw:
        rows: list[list[Cell]] = [
            [name, value] for name, value in provenance.flattened(of) if name.rpartition(".")[2] != "seal"
        ]
        if rows:
            tables.append(Table([Column("Name"), Column("Value", "code")], rows, title))
    return [Section("Appendix", "Raw configuration", tables)] if tables else []
