"""The audit report: sections in the order in which Opinion 28/2024 asks, each with what was not measured."""

from miajax.attacks.registry import ATTACKS
from miajax.metrics.json_form import from_json
from miajax.metrics.spread import FEW
from miajax.metrics.without_models import Checks
from miajax.report import claims, numbers, privacy_words, provenance
from miajax.report.attack_faces import face
from miajax.report.blind_words import blind_banners
from miajax.report.group_words import group_sections, spread_sections
from miajax.report.page import (
    Block,
    Card,
    Cards,
    Cell,
    Column,
    Columns,
    Page,
    Points,
    Prose,
    Section,
    Table,
    Terms,
)
from miajax.studies.audit_report import words
from miajax.studies.audit_report.closing import (
    appendix_sections,
    documentation_section,
    limits_section,
    questions_section,
    sign_off_section,
)
from miajax.studies.audit_report.definitions import DEFINITIONS
from miajax.studies.audit_report.evidence import Evidence
from miajax.studies.audit_report.membership import exposed_section, membership_section
from miajax.studies.audit_report.options import AuditReportOptions
from miajax.studies.audit_report.safeguards import safeguards_section
from miajax.typed import Json

_SHORT = 12
_EXTRACTION = (
    ("Model inversion", "building an input, such as a face, that the model takes for a person"),
    ("Attribute inference", "telling a person's missing attribute from the model and the rest of the record"),
    ("Reconstruction", "getting training records back from parameters, gradients or updates"),
    ("Regurgitation", "a generative model that gives training data as its output; of classifiers there is no such "
    "output"),
)  # fmt: skip
_STATED = (
    ("Controller (client)", "client"), ("Model", "model_name"), ("Version", "model_version"),
    ("Purpose", "purpose"), ("Who can query it, and what they see", "access"),
    ("Whose data it was trained on", "data_subjects"), ("Auditor", "auditor"), ("Date of the audit", "date"),
    ("Reference", "reference"),
)  # fmt: skip


def render_audit_report_page(evidence: Evidence, options: AuditReportOptions, command: str) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      evidence: what the studies found.
      options: what the auditor stated.
      command: what was typed.
    """
    results = evidence.results
    name = options.stated("model_name") or words.model_name(evidence)
    fingerprint = str(evidence.manifest.get("fingerprint") or results.get("run") or "")
    facts = [
        ("Model", name), ("Client", options.stated("client")), ("Auditor", options.stated("auditor")),
        ("Date", options.stated("date")), ("Reference", options.stated("reference")),
        ("Data set", str(results["dataset"])), ("Run", fingerprint[:_SHORT]),
    ]  # fmt: skip
    return Page(
        kicker="Privacy audit report",
        title=f"What {name} gives away about the people in its training data",
        subtitle=words.subject_sentence(evidence),
        facts=[(label, value) for label, value in facts if value],
        banners=_banners(evidence),
        sections=[
            _summary(evidence),
            _scope(evidence, options),
            _means(evidence, options),
            _extraction(evidence),
            membership_section(evidence),
            exposed_section(evidence),
            *group_sections(evidence.people, evidence.summaries),
            *spread_sections(evidence.spread, evidence.rows_by),
            _tested(evidence, options),
            safeguards_section(evidence),
            documentation_section(evidence, command),
            questions_section(evidence, options),
            limits_section(evidence),
            Section("Definitions", "What the words mean", [provenance.glossary(DEFINITIONS)]),
            sign_off_section(options),
            *(appendix_sections(evidence) if options.appendix else ()),
        ],
        footer=f"Made by miajax{' from run ' + fingerprint[:_SHORT] if fingerprint else ''}.",
    ).html()


def _banners(evidence: Evidence) -> list[str]:
    results, said = (
        evidence.results,
        list(blind_banners(from_json(Checks, evidence.results) if "blind" in evidence.results else None)),
    )
    if results.get("comparable") is False:
        said.append(
            "The audited model is not comparable with the shadow models. Attacks by them bound its leakage from below: "
            + " ".join(results["not_comparable"])
        )
    if (people := evidence.people) is not None and people.num_groups < FEW:
        said.append(
            f"Only {people.num_groups} groups by {people.name} stand behind every figure: intervals may be too narrow."
        )
    if failed := len(results["failed_models"]):
        said.append(f"{numbers.counted(failed, 'model')} did not train well and take no part in any figure.")
    return said


def _summary(evidence: Evidence) -> Section:
    lead = evidence.lead
    cards: list[Card] = []
    if lead is not None:
        rate = lead.fpr is not None
        where = "guessing reaches 0.5" if lead.fpr is None else f"at {numbers.one_per(float(lead.fpr))}"
        cards.append(Card(
            f"Members named by {claims.lead_label(lead)}" if rate else f"AUC of {claims.lead_label(lead)}",
            numbers.percent(lead.value) if rate else f"{lead.value:.3f}",
            numbers.percent_interval(lead.ci) if rate else f"{lead.ci[0]:.3f} to {lead.ci[1]:.3f}",
            where,
        ))  # fmt: skip
    worst = words.strongest_record(evidence.exposed) if evidence.exposed else None
    if worst is not None and worst.more_often:
        low, high = worst.named_in_ci
        cards.append(Card(
            f"Most exposed {evidence.unit}: named with it", f"{worst.named_in} of {worst.num_in}",
            f"{numbers.percent(low)} to {numbers.percent(high)}", f"{worst.named_out} of {worst.num_out} without it",
        ))  # fmt: skip
    else:
        what = "not measured" if worst is None else "not shown"
        cards.append(Card(f"Most exposed {evidence.unit}", what, "", "see its section"))
    epsilon = None if evidence.privacy is None else evidence.privacy["epsilon"]
    known = evidence.privacy_known
    cards.append(Card(
        "Differential privacy",
        "not known" if not known else "none" if evidence.privacy is None else "ε "
        f"{privacy_words.epsilon_text(epsilon)}",
        "", "no proven bound" if epsilon is None else f"delta {evidence.privacy['delta']:g}, by "  # type: ignore[index]
        f"{evidence.protected}",
    ))  # fmt: skip
    cards.append(Card("Direct extraction", "not measured", "", "no such attack was run"))
    text = [
        words.residual_sentence(evidence),
        f"{words.worst_finding(evidence)}. {words.about_recipe(evidence)}",
        "No verdict is given. Whether what remains is insignificant, and for whom, is for those to judge who know the "
        "people in the data, the use of the model and the means that others have.",
    ]
    rule = claims.lead_rule(lead)
    return Section("Summary", claims.lead_finding(lead), [Cards(cards), Prose(text)], [rule] if rule else [])


def _scope(evidence: Evidence, options: AuditReportOptions) -> Section:
    results = evidence.results
    by_draw = f"{numbers.level(results['member_fraction'])} of the records" if "member_fraction" in results else ""
    pairs = [(label, words.stated_or_not(options, field)) for label, field in _STATED]
    measured = [
        ("What was attacked", words.subject_sentence(evidence)),
        ("What the figures are about", words.about_recipe(evidence)),
        ("Data", f"{results['dataset']}, {numbers.counted(int(results['num_examples']), 'record')}"),
        *([("Members of each model", by_draw)] if by_draw else []),
        ("Unit that is counted", _unit(evidence)),
    ]
    blocks: list[Block] = [Terms(measured), Prose(["The following was stated by the auditor, not measured."])]
    limits = [
        "Outside this audit: other models, later versions, other data, the system around the model, and attacks "
        "that are "
        "not listed under “What was tested”."
    ]
    return Section("Scope", "What was audited, and what was not", [*blocks, Terms(pairs)], limits)


def _unit(evidence: Evidence) -> str:
    if evidence.unit == "record" and evidence.results.get("unit") == "group":
        return (
            "One record (row). Members were drawn by group, such as a person with several records: figures by record "
            "understate how exposed a group is. Those by group stand in report.html beside the figures of this report."
        )
    if evidence.unit == "record":
        return (
            "One record (row). Where a person has several records, figures by record understate how exposed they are."
        )
    groups: Json = evidence.results["groups"]
    fewest, most = int(groups["fewest_rows"]), int(groups["most_rows"])
    rows = f"{numbers.counted(most, 'record')} each" if fewest == most else f"{fewest} to {most} records each"
    return f"One {evidence.unit} with all its records: {numbers.count(groups['num_groups'])} of them, {rows}."


def _means(evidence: Evidence, options: AuditReportOptions) -> Section:
    rows: list[list[Cell]] = [[face(each.name).label, face(each.name).needs] for each in evidence.attacks]
    lead = [0] if rows and evidence.lead is not None and evidence.attacks[0].name == evidence.lead.attack else []
    table = Table(
        [Column("Attack that was run"), Column("What it takes beside the model's answers")], rows,
        "In bold the strongest." if lead else "", lead,
    )  # fmt: skip
    points = [
        words.answers_sentence(evidence),
        "Attacks know a record with its true label and ask whether it was in the training.",
        "Shadow models are trained by the model's own recipe on data like its own. Here it is the same pool, which is "
        "more than most outsiders have.",
        words.cost_sentence(evidence),
    ]
    not_measured = [
        f"Access that was stated: {words.stated_or_not(options, 'access')}.",
        "Limits on queries, contracts and other barriers of the deployed system: not measured.",
        "Further data that an attacker may link with a record: not measured.",
        "Who has a motive, now or with means of later years: not measured.",
    ]
    blocks = [Columns([Points(points, "What the tests assume"), Points(not_measured, "Left to judge")]), table]
    return Section("Means", words.means_finding(evidence), blocks)


def _extraction(evidence: Evidence) -> Section:
    rows: list[list[Cell]] = [[name, what, "not measured"] for name, what in _EXTRACTION]
    columns = [Column("Kind of attack"), Column("What it would get"), Column("Here")]
    text = [
        "miajax tests whether a record was in the training, not whether it can be taken out of the model. Figures on "
        "membership neither show nor rule out extraction: a model that gives membership away holds something of single "
        "records, and one that seems not to may still give up other things.",
        "Where this question matters, it takes a test of its own, and its result belongs here.",
    ]
    return Section(
        "Extraction", "How likely direct extraction is was not measured", [Prose(text), Table(columns, rows)]
    )


def _tested(evidence: Evidence, options: AuditReportOptions) -> Section:
    results = evidence.results
    made: Json = results.get("made") or {}
    ran = [each.name for each in evidence.attacks]
    reasons: Json = results.get("attacks_not_run") or {}
    rows: list[list[Cell]] = [
        [face(name).label, "run" if name in ran else "not run", _why(str(reasons.get(name) or ""), name in ran)]
        for name in dict.fromkeys([*ran, *ATTACKS])
    ]
    rows.sort(key=lambda row: row[1] != "run")
    software = ", ".join(f"{name} {version}" for name, version in list(results["versions"].items())[:3])
    when = sorted({str(each) for each in (made.get("first"), made.get("last")) if each})
    pairs = [
        ("By whom", words.stated_or_not(options, "auditor")),
        ("On what", words.subject_sentence(evidence)),
        ("Quality of the models", words.gap_sentence(evidence)),
        ("When the models were made", " to ".join(when) or "not recorded"),
        ("On which machine", _machine(evidence)),
        ("Software", software),
        ("Members and non-members", _blind(results)),
    ]
    count = sum(row[1] == "run" for row in rows)
    finding = f"{numbers.counted(count, 'attack')} of {len(rows)} that miajax has were run"
    table = Table([Column("Membership inference attack"), Column("Here"), Column("Why not")], rows)
    return Section("What was tested", finding, [Terms(pairs), table])


def _machine(evidence: Evidence) -> str:
    """Where the models were trained; nobody says it of those that came from elsewhere."""
    return (
        "not recorded" if evidence.shadows_by == "elsewhere" else str(evidence.results.get("device") or "not recorded")
    )


def _why(reason: str, ran: bool) -> str:
    if ran:
        return ""
    return f"It {reason.rstrip('.')}." if reason else "Not requested."


def _blind(results: Json) -> str:
    blind: Json | None = results.get("blind")
    if blind is None:
        return "Whether they differ without any model was not measured: an import holds no records."
    if blind["leaves_half"]:
        return "They differ without any model: see the warning on the first page."
    aucs = [numbers.estimate(of["auc"], of["auc_ci"]) for of in blind["classifiers"].values()]
    if not aucs:
        return f"Whether they differ without any model was not measured: {blind['reason']}"
    told = "; ".join(str(auc) for auc in aucs)
    return f"Classifiers that see no model do not measurably tell them apart: AUC {told}, where 0.5 is guessing."
