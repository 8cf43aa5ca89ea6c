"""The report on signals that were computed elsewhere: figures and their limits, nothing about models it cannot know."""

from collections.abc import Mapping

import numpy as np

from miajax.report import claims, numbers, plots, provenance
from miajax.report.attack_faces import face
from miajax.report.attack_table import AttackFigures, attack_table
from miajax.report.group_words import group_sections
from miajax.report.objections import objection_sections
from miajax.report.page import Block, Code, Column, Columns, Details, Figure, Page, Points, Prose, Section, Table
from miajax.studies.imported.results import Imported

_DRAWN = (
    "lira_online",
    "lira_offline",
    "rmia_online",
    "base_online",
    "bavaria_t",
    "attack_r",
    "global_threshold",
    "gap",
)


def render_imported_report(
    found: Imported,
    rocs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    command: str,
) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      found: the figures.
      rocs: of each attack, ``(fpr, tpr)`` of its pooled ROC, ascending.
      command: what was typed.
    """
    models = numbers.counted(found.num_valid, "model")
    return Page(
        kicker="Membership-inference audit of imported signals",
        title=f"What the signals of {models} give away",
        subtitle=claims.lead_sentence(found.strongest),
        facts=[
            ("Source", found.dataset),
            ("Models", numbers.count(found.num_valid)),
            ("Examples", numbers.count(found.num_examples)),
            ("Views", numbers.count(found.queries)),
        ],
        banners=["The signals were computed elsewhere: how the models were trained and asked was not checked."],
        sections=[
            _attacks(found, rocs),
            *group_sections(found.groups, found.attacks),
            *objection_sections(found.objections),
            _limits(found),
            _run(found, command),
        ],
        footer="Made by miajax.",
    ).html()


def _attacks(
    found: Imported,
    rocs: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Section:
    others = found.num_non_members
    attacks = [AttackFigures(name, summary) for name, summary in found.attacks.items()]
    caption = f"All targets pooled, {numbers.counted(others, 'non-member')}; brackets 95 % intervals."
    curves = [plots.Curve(face(name).label, *rocs[name], **face(name).drawn) for name in _DRAWN if name in rocs]
    blocks: list[Block] = [attack_table(attacks, caption=caption)]
    if curves:
        figure = plots.roc_figure(curves, resolvable_fpr=1 / others, inches=(plots.HALF, 4.2))
        picture = Figure(
            plots.figure_to_data_uri(figure),
            f"ROC curves with logarithmic axes. {claims.lead_sentence(found.strongest)}",
            "Members named against false alarms, both axes logarithmic.",
            "ROC",
        )
        blocks.append(Columns([picture]))
    told = [claims.equals_sentence(found.strongest), claims.lead_rule(found.strongest)]
    blocks.append(Prose([sentence for sentence in told if sentence]))
    return Section("Attacks", claims.lead_finding(found.strongest), blocks)


def _limits(found: Imported) -> Section:
    points = [
        "No verdict is given, neither pass nor fail. A stronger attack or more models may find more.",
        "Intervals let models and examples both vary, as if every model had drawn its members at random.",
        *found.notes,
    ]
    not_run = found.attacks_not_run.items()
    rows = [[face(name).label, reason[:1].upper() + reason[1:] + "."] for name, reason in not_run]
    why = Table([Column("Attack"), Column("Why")], rows)
    blocks: list[Block] = [Points(points, "What to bear in mind")]
    if rows:
        blocks.append(Details("Attacks not run, and why", [why]))
    return Section("Limits", "These figures are a lower bound on leakage, not a proof of safety", blocks)


def _run(found: Imported, command: str) -> Section:
    versions = [[name, value] for name, value in provenance.flattened(found.versions)]
    return Section(
        "How it was run",
        "Signals were read and attacked; no model was trained or asked",
        [
            provenance.timing_table(found.timing),
            Code(command),
            Details("Versions", [Table([Column("Name"), Column("Value", "code")], versions)]),
        ],
    )
