"""What the blind baseline and the search for copies say, for any report: a banner where it matters, and a section."""

from collections.abc import Mapping
from typing import Any

from miajax.report import numbers
from miajax.report.page import Block, Column, Columns, Points, Prose, Section, Table

_NAMES = {"linear": "Ridge regression", "trees": "Extremely randomised trees"}
_CHANCE = "Where membership is random, 1 audit in 20 finds such a difference by chance."


def blind_banners(results: Mapping[str, Any]) -> list[str]:
    """The warnings of both checks, as far as they ran and found something."""
    if "blind" not in results:
        return []
    return [line for line in (blind_banner(results["blind"]), copies_banner(results["near_duplicates"])) if line]


def blind_sections(results: Mapping[str, Any]) -> list[Section]:
    """The section on both checks, where they ran."""
    return [blind_section(results["blind"], results["near_duplicates"])] if "blind" in results else []


def blind_banner(blind: Mapping[str, Any]) -> str:
    """The warning that members can be told apart without the model; empty where they cannot."""
    if not blind.get("leaves_half"):
        return ""
    figures = blind["classifiers"].values()
    farthest = max(figures, key=lambda figure: abs(figure["auc"] - 0.5))
    auc = numbers.estimate(farthest["auc"], farthest["auc_ci"])
    return (
        f"Members differ from non-members without any model: features and labels alone tell them apart with an AUC of "
        f"{auc}, where random membership gives 0.5. What attacks find may be that difference, not what the model keeps."
        f" {_CHANCE}"
    )


def copies_banner(copies: Mapping[str, Any]) -> str:
    """The warning that non-members copy members; empty where fewer than 1 in 100 does."""
    found = copies["non_members"]
    if found["near"] < max(1, found["count"] / 100):
        return ""
    share = numbers.percent(found["near"] / found["count"])
    return (
        f"{share} of the non-members copy a member exactly or nearly: attacks that call them members count as wrong, "
        "and every figure is too low for it."
    )


def blind_section(blind: Mapping[str, Any], copies: Mapping[str, Any]) -> Section:
    """Whether members differ from non-members for other reasons than training."""
    blocks: list[Block] = []
    if blind["classifiers"]:
        rows = [
            [_NAMES.get(name, name), numbers.estimate(figure["auc"], figure["auc_ci"])]
            for name, figure in blind["classifiers"].items()
        ]
        looked = blind["num_members"] + blind["num_non_members"]
        drawn = f", drawn from {numbers.count(total)}" if (total := blind.get("num_examples", looked)) > looked else ""
        told = (
            f"{blind['folds']} folds, {numbers.count(blind['num_members'])} members and "
            f"{numbers.count(blind['num_non_members'])} non-members{drawn}; the "
        )
        table = Table(
            [Column("Classifier that sees no model"), Column("AUC", "number")],
            rows,
            told + "intervals together hold 0.5 in 95 % of audits where membership is random.",
        )
        names = [_NAMES.get(name) or str(name) for name in blind["classifiers"]]
        tried = " and ".join([names[0], *(name.lower() for name in names[1:])])
        finding = (
            "Members can be told from non-members without the model"
            if blind["leaves_half"]
            else f"Without the model, {tried[0].lower()}{tried[1:]} did not measurably tell members from non-members"
        )
        blocks.append(Columns([table, _copies_table(copies)]))
    else:
        finding = "Whether members differ from non-members could not be measured"
        blocks += [Prose([blind["reason"]]), _copies_table(copies)]
    closest = copies["non_members"]["closest"]
    if closest:
        pairs = [f"non-member {one} and member {other}: distance {apart:.3g}" for one, other, apart in closest]
        blocks.append(Points(pairs, "The closest copies"))
    median_of = copies.get("median_of", copies["non_members"]["count"])
    of = f", of {numbers.count(median_of)} drawn" if median_of < copies["non_members"]["count"] else ""
    limits = [
        "The baseline sees features and label. A difference that it cannot learn may still be there.",
        f"A copy is near below a quarter of the median distance from a non-member to its nearest member "
        f"({copies['near_below']:.3g} here, over standardised features{of}).",
        *_skipped(copies),
    ]
    return Section("Members and others", finding, blocks, limits)


def _skipped(copies: Mapping[str, Any]) -> list[str]:
    """What was not searched for near copies."""
    said = []
    for title, found in (("non-members", copies["non_members"]), ("examples of the test split", copies["test"])):
        if found is not None and (searched := found.get("searched", found["count"])) < found["count"]:
            said.append(
                f"{numbers.count(searched)} of {numbers.count(found['count'])} {title} were searched for near copies, "
                "all of them for exact ones."
            )
    return said


def _copies_table(copies: Mapping[str, Any]) -> Table:
    rows = [
        [title, found["count"], found["exact"], found["near"]]
        for title, found in (("Non-members", copies["non_members"]), ("Test split", copies["test"]))
        if found is not None
    ]
    columns = [
        Column("Compared with members"),
        Column("Examples", "count"),
        Column("Exact copies", "count"),
        Column("Near copies", "count", "exact ones included"),
    ]
    return Table(columns, rows)
