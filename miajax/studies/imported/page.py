"""The report on signals that were computed elsewhere: figures and their limits, nothing about models it cannot know."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from miajax.metrics.claims import lead_of
from miajax.metrics.summary import AttackSummary
from miajax.report import claims, numbers, plots, provenance
from miajax.report.attack_faces import face
from miajax.report.attack_table import AttackFigures, attack_table
from miajax.report.group_words import beside_sections
from miajax.report.page import Block, Code, Column, Columns, Details, Figure, Page, Points, Prose, Section, Table

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
    figures: Mapping[str, AttackSummary],
    results: Mapping[str, Any],
    rocs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    command: str,
) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      figures: of each attack.
      results: ``results.json``.
      rocs: of each attack, ``(fpr, tpr)`` of its pooled ROC, ascending.
      command: what was typed.
    """
    models = numbers.counted(results["num_valid"], "model")
    return Page(
        kicker="Membership-inference audit of imported signals",
        title=f"What the signals of {models} give away",
        subtitle=claims.lead_sentence(lead_of(results)),
        facts=[
            ("Source", str(results["dataset"])),
            ("Models", numbers.count(results["num_valid"])),
            ("Examples", numbers.count(results["num_examples"])),
            ("Views", numbers.count(results["queries"])),
        ],
        banners=["The signals were computed elsewhere: how the models were trained and asked was not checked."],
        sections=[
            _attacks(figures, results, rocs),
            *beside_sections({face(name).label: entry for name, entry in results["attacks"].items()}),
            _limits(results),
            _run(results, command),
        ],
        footer="Made by miajax.",
    ).html()


def _attacks(
    figures: Mapping[str, AttackSummary],
    results: Mapping[str, Any],
    rocs: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Section:
    others = results["num_non_members"]
    attacks = [AttackFigures(name, found) for name, found in figures.items()]
    caption = f"All targets pooled, {numbers.counted(others, 'non-member')}; brackets 95 % intervals."
    curves = [
        plots.Curve(face(name).label, *rocs[name], face(name).colour, face(name).dash)
        for name in _DRAWN
        if name in rocs
    ]
    blocks: list[Block] = [attack_table(attacks, caption=caption)]
    if curves:
        figure = plots.roc_figure(curves, resolvable_fpr=1 / others, inches=(5.4, 4.6))
        picture = Figure(
            plots.figure_to_data_uri(figure),
            f"ROC curves with logarithmic axes. {claims.lead_sentence(lead_of(results))}",
            "Members named against false alarms, both axes logarithmic.",
            "ROC",
        )
        blocks.append(Columns([picture]))
    told = [claims.equals_sentence(lead_of(results)), claims.lead_rule(lead_of(results))]
    blocks.append(Prose([sentence for sentence in told if sentence]))
    return Section("Attacks", claims.lead_finding(lead_of(results)), blocks)


def _limits(results: Mapping[str, Any]) -> Section:
    points = [
        "No verdict is given, neither pass nor fail. A stronger attack or more models may find more.",
        "Intervals let models and examples both vary, as if every model had drawn its members at random.",
        *results["notes"],
    ]
    not_run = results["attacks_not_run"].items()
    rows = [[face(name).label, reason[:1].upper() + reason[1:] + "."] for name, reason in not_run]
    why = Table([Column("Attack"), Column("Why")], rows)
    blocks: list[Block] = [Points(points, "What to bear in mind")]
    if rows:
        blocks.append(Details("Attacks not run, and why", [why]))
    return Section("Limits", "These figures are a lower bound on leakage, not a proof of safety", blocks)


def _run(results: Mapping[str, Any], command: str) -> Section:
    versions = [[name, value] for name, value in provenance.flattened(results["versions"])]
    return Section(
        "How it was run",
        "Signals were read and attacked; no model was trained or asked",
        [
            provenance.timing_table(results["timing"]),
            Code(command),
            Details("Versions", [Table([Column("Name"), Column("Value", "code")], versions)]),
        ],
    )
