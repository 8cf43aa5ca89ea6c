"""Sections on what queries give away: membership on average, and the most exposed person."""

import numpy as np

from miajax.metrics.roc import roc_curve, thin
from miajax.report import claims, group_words, numbers, plots
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Cell, Column, Columns, Figure, Prose, Section, Table
from miajax.studies.audit_report import words
from miajax.studies.audit_report.evidence import Evidence

_FPRS = ("0.001", "0.01", "0.1")
_LISTED = 12  # slices that are listed


def membership_section(evidence: Evidence) -> Section:
    """What attacks tell of membership, all of them, with the curve of the strongest."""
    lead = evidence.lead
    if lead is None:
        return Section("Membership", f"{words.NOT_MEASURED}: no attack could be measured", [])
    picture = _curve(evidence)
    by_group = [f"{part.finding}." for part in group_words.group_sections(evidence.people, evidence.summaries)]
    told = [claims.lead_sentence(lead), *by_group, claims.equals_sentence(lead)]
    text = Prose([sentence for sentence in told if sentence])
    blocks: list[Block] = [Columns([picture, text]) if picture else text, _table(evidence)]
    limits = [
        "Intervals of the table are 95 % each; the sentences go by wider ones that hold for all attacks at once. "
        + claims.lead_rule(lead),
        f"A leak that shows only at less than {numbers.one_per(1 / max(1, _others(evidence)))} would go unseen.",
    ]
    return Section("Membership", claims.lead_finding(lead), blocks, limits)


def _others(evidence: Evidence) -> int:
    """Non-members behind pooled figures, in the unit that leads."""
    if evidence.by_group and evidence.scored:
        return int((~next(iter(evidence.scored.values())).member).sum())
    return int(evidence.results["num_non_members"])


def _table(evidence: Evidence) -> Table:
    fprs = [fpr for fpr in _FPRS if any(each.shows(fpr) for each in evidence.attacks)]
    absent = Estimate(None, reason="Not computed in this run.")
    rows: list[list[Cell]] = [
        [face(each.name).label, each.auc, *(each.tprs.get(fpr, absent) for fpr in fprs)] for each in evidence.attacks
    ]
    columns = [
        Column("Attack"), Column("AUC", "number", "guessing: 0.5"),
        *(Column("Members named", "number", f"at FPR {fpr}") for fpr in fprs),
    ]  # fmt: skip
    behind = f" {numbers.counted(_others(evidence), 'non-member')}."
    caption = f"By {evidence.unit}.{behind} Shares are fractions, brackets 95 % intervals. Strongest first."
    return Table(columns, rows, caption, [0])


def _curve(evidence: Evidence) -> Figure | None:
    curves: list[plots.Curve] = []
    for name, scored in evidence.scored.items():
        known = ~np.isnan(scored.scores)
        member = scored.member[known]
        if 0 < member.sum() < member.size:
            look = face(name)
            fpr, tpr = thin(roc_curve(scored.scores[known], member))
            curves.append(plots.Curve(look.label, fpr, tpr, **look.drawn))
    if not curves:
        return None
    drawn = plots.roc_figure(curves, resolvable_fpr=1 / max(1, _others(evidence)))
    return Figure(
        plots.figure_to_data_uri(drawn),
        f"Members named against false alarms. {claims.lead_sentence(evidence.lead)}",
        "Members named against false alarms, both axes logarithmic. The dotted line is guessing; what matters is "
        "the left.",
        "Members named against false alarms",
    )


def exposed_section(evidence: Evidence) -> Section:
    """The records that leak most with intervals, and groups."""
    blocks: list[Block] = [Prose(words.worst_sentences(evidence))]
    if evidence.exposed:
        blocks.append(_records(evidence))
    if evidence.slices:
        blocks += [Prose([words.slices_finding(evidence.slices)]), _slices(evidence)]
    else:
        where = " miajax attacks --run DIR looks at them." if evidence.kind == "run" else ""
        blocks.append(Prose([f"{words.NOT_MEASURED}: subgroups of the people in the data.{where}"]))
    for part in group_words.spread_sections(evidence.spread, evidence.rows_by):
        blocks += [Prose([f"{part.finding}."]), *part.blocks]
    limits = [
        ("Records appear by number. " if not evidence.by_group else "")
        + "Whoever holds the data can look up the people, who may need more protection than "
        "others."
    ]
    if not evidence.by_group:
        limits.append("A person with several records is exposed by all of them together, which was not measured here.")
    return Section("Most exposed person", words.worst_finding(evidence), blocks, limits)


def _records(evidence: Evidence) -> Table:
    rows: list[list[Cell]] = []
    for one in sorted(evidence.exposed, key=lambda each: each.named_out_ci[1] - each.named_in_ci[0]):
        with_it = Estimate(one.named_in / one.num_in, one.named_in_ci, decimals=2)
        without = Estimate(one.named_out / one.num_out, one.named_out_ci, decimals=2)
        rows.append([
            one.name, f"{one.named_in} of {one.num_in}", with_it, f"{one.named_out} of {one.num_out}", without,
            "yes" if one.above_chance else "not shown",
        ])  # fmt: skip
    columns = [
        Column(evidence.unit.capitalize()),
        Column("Named with it", "count", "trainings"), Column("Share", "number", "interval"),
        Column("Named without it", "count", "trainings"), Column("Share", "number", "interval"),
        Column("More with it", "text", "measurably"),
    ]  # fmt: skip
    caption = (
        f"The most exposed, by {evidence.unit}."
        if evidence.by_group
        else "The most exposed records, on the half of the models that did not choose them."
    )
    return Table(columns, rows, caption)


def _slices(evidence: Evidence) -> Table:
    known = words.for_all(evidence.slices)
    rows: list[list[Cell]] = [
        [each.by.replace("_", " "), each.name, auc, each.num_members] for each, auc in known[:_LISTED]
    ]
    columns = [Column("Grouped by"), Column("Group"), Column("AUC", "number"), Column("Scores of members", "count")]
    shown = f"the {len(rows)} highest of {len(known)}" if len(known) > len(rows) else f"all {len(rows)}"
    return Table(
        columns, rows,
        f"The strongest attack by group, {shown}. All {len(known)} intervals hold at once with "
        "probability 95 %.",
    )  # fmt: skip
