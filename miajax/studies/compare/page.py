"""The page that sets two runs side by side."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from miajax.metrics import figures
from miajax.metrics.changes import Changes
from miajax.report import claims, clouds, group_words, numbers, palette, pictures, plots, provenance
from miajax.report.attack_faces import face
from miajax.report.page import (
    Block,
    Card,
    Cards,
    Code,
    Column,
    Columns,
    Details,
    Exhibit,
    Figure,
    Gallery,
    Page,
    Points,
    Prose,
    Section,
    Table,
)
from miajax.studies.compare import words
from miajax.studies.compare.results import Changed, Comparison

_LISTED = 20  # examples a direction
_SHORT = 24
_COLOURS = {"below": palette.GREEN, "above": palette.VERMILION, "not shown": palette.SLATE}
_KEY = {"less found": palette.GREEN, "more found": palette.VERMILION, "not measurably different": palette.SLATE}


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """What may be shown of examples; empty where they appear by number only.

    Attributes:
      labels: ``int[N]``, or None.
      pictures: ``[N, H, W, ...]``, or None.
      class_names: one a class.
    """

    labels: np.ndarray | None
    pictures: np.ndarray | None
    class_names: Sequence[str]


def render_compare_report(found: Comparison, changes: Changes, record: Record, command: str) -> str:
    """Returns the page as one self-contained HTML document.

    Args:
      found: by the comparison.
      changes: of the examples' exposure to the leading attack.
      record: what may be shown of examples.
      command: what was typed.
    """
    before, after = found.before, found.after
    return Page(
        kicker="Membership inference before and after",
        title=f"What changed between two runs on {found.dataset}",
        subtitle=words.headline(found) + ".",
        facts=[
            ("Before", f"{before.run} ({before.model})"),
            ("After", f"{after.run} ({after.model})"),
            ("Examples", numbers.count(found.num_examples)),
            ("Models", f"{before.num_valid} and {after.num_valid}"),
            ("Membership", "the same" if found.paired else "not the same"),
        ],
        sections=[
            _summary(found),
            _attacks(found),
            *_by_group(found),
            _accuracy(found),
            _examples(found, changes, record),
            _settings(found),
            _limits(found),
            _run(found, command),
        ],
        footer="Made by miajax.",
    ).html()


def _summary(found: Comparison) -> Section:
    lead, entry = found.lead, found.entry
    rates = lead.fpr is not None
    figure = f"TPR at FPR {lead.fpr}" if rates else "AUC"

    def shown(side: str, of: figures.Figure) -> Card:
        low, high = of.interval
        text = numbers.percent(of.value) if rates else f"{of.value:.3f}"
        ends = numbers.percent_interval(of.interval) if rates else f"{low:.3f} to {high:.3f}"
        return Card(f"{figure} {side}", text, ends, face(lead.attack).inline)

    cards = [shown("before", entry.before), shown("after", entry.after)]
    if found.accuracy is not None:
        test = found.accuracy.test_accuracy.change
        change = numbers.points(test.value, signed=True)
        low, high = (numbers.points(end, signed=True) for end in test.interval)
        cards.append(Card("Accuracy on non-members", change, f"{low} to {high}", "after less before"))
    counts = found.attacks[lead.attack].of_unit.exposure
    tested = numbers.counted(counts.tested, "group" if found.unit == "group" else "example")
    cards.append(Card(
        "Protection", f"{numbers.count(counts.gained_protection)} gained", "",
        f"{numbers.count(counts.lost_protection)} lost, of {tested}",
    ))  # fmt: skip
    said = [words.headline_sentence(found), words.strongest_after(found)]
    rule = claims.lead_rule(found.before.strongest)
    return Section("Summary", words.headline(found), [Cards(cards), Prose(said)], [rule] if rule else [])


def _attacks(found: Comparison) -> Section:
    entries = {name: each.of_unit for name, each in found.attacks.items()}
    names = sorted(entries, key=lambda name: entries[name].auc.change.value)
    fprs = [fpr for fpr in entries[names[0]].tpr_at_fpr if any(entries[name].tpr_at_fpr[fpr] for name in names)]
    by_auc = _table(found, "AUC", {name: entries[name].auc for name in names})
    rates = {
        f"TPR at FPR {figures.fpr_key(fpr)}": {name: entries[name].tpr_at_fpr[fpr] for name in names} for fpr in fprs
    }
    by_rate = [Details(title, [_table(found, title, of)]) for title, of in rates.items()]
    rows: list[clouds.Row] = []
    for name in names:
        auc = entries[name].auc
        low, high = auc.change_ci_of_all
        rows.append(clouds.Row(face(name).label, auc.change.value, low, high, _COLOURS[auc.standing]))
    figure = clouds.forest_figure(
        [("change of the AUC, after less before", rows)],
        marks=[plots.Mark(0.0, "no change")],
        key=_KEY,
        width=plots.FULL,
    )
    picture = Figure(
        plots.figure_to_data_uri(figure),
        f"Change of every attack's AUC with its interval. {words.attacks_finding(found)}.",
        "Left of the line attacks find less after. Intervals hold for all attacks at once.",
        "Change of the AUC",
    )
    blocks: list[Block] = [picture, by_auc, *by_rate]
    models = "models and examples" if found.paired else "examples, not models,"
    limits = [
        f"Differences are after less before; {models} are paired. Their intervals hold for all attacks at once "
        "(Bonferroni); colours and sentences go by them. results.json also holds each attack's own.",
        "Every attack had shadow models trained like the run that it attacks: who attacks the run after is assumed to "
        "know how it was trained.",
    ]
    return Section("Attacks", words.attacks_finding(found), blocks, limits)


def _by_group(found: Comparison) -> list[Section]:
    """What rows by themselves show, beside groups; nothing where members are rows."""
    both = {name: (each, each.per_group) for name, each in found.attacks.items() if each.per_group is not None}
    if not both:
        return []
    moved = [sum(each.auc.standing != "not shown" for each in of) for of in zip(*both.values(), strict=True)]
    finding = (
        f"Of {numbers.counted(len(both), 'attack')}, {moved[1]} changed measurably by group and {moved[0]} by row, by "
        "AUC"
    )
    columns = [
        Column("Attack"), Column("Change of the AUC", "text", "by row"),
        Column("Change of the AUC", "text", "by group"),
        Column("Changed", "count", "examples"), Column("Changed", "count", "groups"),
    ]  # fmt: skip
    rows = [
        [
            face(name).label,
            *(numbers.difference(each.auc.change.value, each.auc.change_ci_of_all) for each in of),
            *(each.exposure.gained_protection + each.exposure.lost_protection for each in of),
        ]
        for name, of in both.items()
    ]
    caption = (
        "Intervals resample groups and hold for all attacks at once. results.json has rates, too, and sum, mean and "
        "maximum of a group's scores."
    )
    return [Section("By group", finding, [Prose([group_words.how("group")]), Table(columns, rows, caption)])]


def _table(found: Comparison, title: str, entries: Mapping[str, Changed | None]) -> Table:
    columns = [
        Column("Attack"), Column("Change", "text", "interval of all"),
        Column(title, "number", "before"), Column(title, "number", "after"),
    ]  # fmt: skip
    rows: list[list[Any]] = []
    bold: list[int] = []
    for index, (name, entry) in enumerate(entries.items()):
        if entry is None:
            none = numbers.estimate(None, None, "A run has too few non-members to show this rate.")
            rows.append([face(name).label, numbers.DASH, none, none])
            continue
        decimals = None if title.startswith("TPR") else 3
        sides = [numbers.estimate(side.value, decimals=decimals) for side in (entry.before, entry.after)]
        rows.append([face(name).label, numbers.difference(entry.change.value, entry.change_ci_of_all), *sides])
        if name == found.lead.attack:
            bold.append(index)
    return Table(columns, rows, "In bold the attack that was strongest before.", bold)


def _accuracy(found: Comparison) -> Section:
    finding = words.accuracy_finding(found)
    if found.accuracy is None:
        return Section("Accuracy", finding, [])
    accuracy = found.accuracy
    rows = [
        [title, numbers.moved_points(of.change), numbers.percent(of.before), numbers.percent(of.after)]
        for title, of in (
            ("Members", accuracy.train_accuracy), ("Non-members", accuracy.test_accuracy),
            ("Gap between them", accuracy.generalization_gap),
        )
    ]  # fmt: skip
    columns = [Column("Accuracy on"), Column("Change", "text", "95 % interval"), Column("Before"), Column("After")]
    limit = "Non-members are examples of the pool that a model was not trained on, not the data set's own test split."
    return Section("Accuracy", finding, [Table(columns, rows)], [limit])


def _examples(found: Comparison, changes: Changes, record: Record) -> Section:
    blocks: list[Block] = [Prose(words.exposure_rule(found))]
    tables = [
        _examples_table(changes, direction, title, record)
        for direction, title in ((-1, "Gained protection"), (1, "Lost protection"))
        if (changes.direction == direction).any()
    ]
    if tables:
        blocks.append(Columns(tables))
    if record.pictures is not None and (shown := _gallery(changes, record)) is not None:
        blocks.append(shown)
    entries = found.attacks
    rows = [
        [face(name).label, entries[name].exposure.gained_protection, entries[name].exposure.lost_protection]
        for name in entries
    ]
    columns = [Column("Attack"), Column("Gained protection", "count"), Column("Lost protection", "count")]
    blocks.append(Details("By every attack", [Table(columns, rows, "The rule holds for each attack by itself.")]))
    if found.unit == "group":
        blocks.insert(1, Prose(["The tables below name rows; per_group.parquet has the groups."]))
    limits = ["per_example.parquet holds every example's exposure before and after, and the p-value of its change."]
    if record.labels is None:
        limits.append("Examples appear by number only; --show_records shows labels, and pictures where there are any.")
    return Section("Who gained and lost", words.exposure_finding(found), blocks, limits)


def _examples_table(changes: Changes, direction: int, title: str, record: Record) -> Table:
    ids = np.flatnonzero(changes.direction == direction)
    ids = ids[np.argsort(changes.p[ids], kind="stable")]
    labelled = record.labels is not None
    rows = [
        [str(i), *([_class(record, int(i))] if labelled else []),
         numbers.percent(float(changes.before[i])), numbers.percent(float(changes.after[i]))]
        for i in ids[:_LISTED].tolist()
    ]  # fmt: skip
    more = f", the {_LISTED} surest of {numbers.count(len(ids))}" if len(ids) > _LISTED else ""
    titles = ["Example", *(["Class"] if labelled else []), "Before", "After"]
    columns = [Column(title) for title in titles]
    return Table(columns, rows, f"{title}{more}.")


def _class(record: Record, example: int) -> str:
    assert record.labels is not None
    label = int(record.labels[example])
    return record.class_names[label] if label < len(record.class_names) else str(label)


def _gallery(changes: Changes, record: Record, most: int = 8) -> Gallery | None:
    assert record.pictures is not None
    ids = np.flatnonzero(changes.direction)
    ids = ids[np.argsort(changes.p[ids], kind="stable")][:most]
    if not len(ids):
        return None
    chosen = record.pictures[ids]
    shown = pictures.as_bytes(chosen, float(chosen.min()), float(chosen.max()))
    exhibits = [
        Exhibit(
            f"Example {i}",
            [_class(record, int(i)), "gained protection" if changes.direction[i] < 0 else "lost protection"],
            [(pictures.png_data_uri(picture), f"Example {i}")],
        )
        for i, picture in zip(ids.tolist(), shown, strict=True)
    ]
    return Gallery(exhibits, "The surest changes")


def _settings(found: Comparison) -> Section:
    rows = [
        [each.name, *(numbers.DASH if side == "null" else side for side in (each.before, each.after))]
        for each in found.settings
    ]
    finding = (
        f"The runs differ in {numbers.counted(len(rows), 'setting')} that miajax knows of"
        if rows
        else "The runs record no setting in which they differ"
    )
    blocks: list[Block] = [Table([Column("Setting", "code"), Column("Before"), Column("After")], rows)] if rows else []
    limit = "What was changed outside of miajax, such as a defence of one's own, does not stand here."
    return Section("What differs", finding, blocks, [limit])


def _limits(found: Comparison) -> Section:
    points = [
        "A smaller figure after is a change of what these attacks find, not a proof of safety: another attack, or one "
        "made against the defence, may find more.",
        "One run on either side: intervals let models and examples vary, not the choice of a defence or its settings.",
        *found.notes,
    ]
    return Section("Limits", "What this comparison cannot show", [Points(points)])


def _run(found: Comparison, command: str) -> Section:
    rows = [
        [f"{title} {name}", (value or numbers.DASH)[:_SHORT]]
        for name, side in (("before", found.before), ("after", found.after))
        for title, value in (("Run", side.run), ("Model", side.model), ("Fingerprint", side.fingerprint))
    ]
    versions = [list(pair) for pair in found.versions.items()]
    blocks: list[Block] = [
        Columns([Table([Column("Run"), Column("")], rows), provenance.timing_table(found.timing)]),
        Code(command),
        Details("Versions", [Table([Column("Package"), Column("Version")], versions)]),
    ]
    return Section("How it was run", "Two finished runs were read as they are; nothing was trained", blocks)
