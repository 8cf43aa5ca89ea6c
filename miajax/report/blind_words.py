"""What the blind baseline and the search for copies say, for any report: a banner where it matters, and a section."""

from miajax.metrics.without_models import Blind, Checks, Copies
from miajax.report import numbers
from miajax.report.page import Block, Cell, Column, Columns, Points, Prose, Section, Table

_NAMES = {"linear": "Ridge regression", "trees": "Extremely randomised trees"}
_CHANCE = "Where membership is random, 1 audit in 20 finds such a difference by chance."


def blind_banners(checks: Checks | None) -> list[str]:
    """The warnings of both checks, as far as they ran and found something."""
    if checks is None:
        return []
    return [line for line in (blind_banner(checks.blind), copies_banner(checks.near_duplicates)) if line]


def blind_sections(checks: Checks | None) -> list[Section]:
    """The section on both checks, where they ran."""
    return [] if checks is None else [blind_section(checks.blind, checks.near_duplicates)]


def blind_banner(blind: Blind) -> str:
    """The warning that members can be told apart without the model; empty where they cannot."""
    if not blind.leaves_half:
        return ""
    farthest = max((found.auc for found in blind.classifiers.values()), key=lambda auc: abs(auc.value - 0.5))
    return (
        f"Members differ from non-members without any model: features and labels alone tell them apart with an AUC of "
        f"{numbers.shown(farthest)}, where random membership gives 0.5. What attacks find may be that difference, not "
        f"what the model keeps. {_CHANCE}"
    )


def copies_banner(copies: Copies) -> str:
    """The warning that non-members copy members; empty where fewer than 1 in 100 does."""
    found = copies.non_members
    if found.near < max(1, found.count / 100):
        return ""
    return (
        f"{numbers.percent(found.near / found.count)} of the non-members copy a member exactly or nearly: attacks that "
        "call them members count as wrong, and every figure is too low for it."
    )


def blind_section(blind: Blind, copies: Copies) -> Section:
    """Whether members differ from non-members for other reasons than training."""
    blocks: list[Block] = []
    if blind.classifiers:
        rows = [[_NAMES.get(name, name), numbers.shown(found.auc)] for name, found in blind.classifiers.items()]
        total, looked = blind.num_examples or 0, blind.num_members + blind.num_non_members
        drawn = f", drawn from {numbers.count(total)}" if total > looked else ""
        told = (
            f"{blind.folds} folds, {numbers.count(blind.num_members)} members and "
            f"{numbers.count(blind.num_non_members)} non-members{drawn}; the "
        )
        table = Table(
            [Column("Classifier that sees no model"), Column("AUC", "number")],
            rows,
            told + "intervals together hold 0.5 in 95 % of audits where membership is random.",
        )
        names = [_NAMES.get(name, name) for name in blind.classifiers]
        tried = " and ".join([names[0], *(name.lower() for name in names[1:])])
        finding = (
            "Members can be told from non-members without the model"
            if blind.leaves_half
            else f"Without the model, {tried[0].lower()}{tried[1:]} did not measurably tell members from non-members"
        )
        blocks.append(Columns([table, _copies_table(copies)]))
    else:
        finding = "Whether members differ from non-members could not be measured"
        blocks += [Prose([blind.reason or ""]), _copies_table(copies)]
    others = copies.non_members
    if others.closest:
        pairs = [f"non-member {one} and member {other}: distance {apart:.3g}" for one, other, apart in others.closest]
        blocks.append(Points(pairs, "The closest copies"))
    median_of = others.count if copies.median_of is None else copies.median_of
    of = f", of {numbers.count(median_of)} drawn" if median_of < others.count else ""
    limits = [
        "The baseline sees features and label. A difference that it cannot learn may still be there.",
        f"A copy is near below a quarter of the median distance from a non-member to its nearest member "
        f"({numbers.plain(copies.near_below, 3)} here, over standardised features{of}).",
        *_skipped(copies),
    ]
    return Section("Members and others", finding, blocks, limits)


def _skipped(copies: Copies) -> list[str]:
    """What was not searched for near copies."""
    sides = (("non-members", copies.non_members), ("examples of the test split", copies.test))
    return [
        f"{numbers.count(found.num_searched)} of {numbers.count(found.count)} {title} were searched for near copies, "
        "all of them for exact ones."
        for title, found in sides
        if found is not None and found.num_searched < found.count
    ]


def _copies_table(copies: Copies) -> Table:
    sides = (("Non-members", copies.non_members), ("Test split", copies.test))
    rows: list[list[Cell]] = [
        [title, found.count, found.exact, found.near] for title, found in sides if found is not None
    ]
    columns = [
        Column("Compared with members"),
        Column("Examples", "count"),
        Column("Exact copies", "count"),
        Column("Near copies", "count", "exact ones included"),
    ]
    return Table(columns, rows)
