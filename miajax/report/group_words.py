"""What a report says where rows are of people, or of other groups: figures by group, the exposed, slices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from miajax.metrics import figures as measured
from miajax.metrics.claims import against, chance_of_tpr, difference_of_separate
from miajax.metrics.figures import fpr_key
from miajax.metrics.groups import GroupFigures
from miajax.metrics.people import People
from miajax.metrics.spread import Spread
from miajax.metrics.summary import AttackSummary
from miajax.report import claims, numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Cell, Column, Points, Prose, Section, Table

_FPRS = (1e-3, 1e-2)
_JOINS = {"sum": "sum", "mean": "mean", "max": "maximum"}
_NOT_RESOLVED = "Too few non-members for this rate."


class Rates(Protocol):
    """What is shown of an attack, by row or by group."""

    @property
    def auc(self) -> measured.Estimate: ...
    @property
    def tpr_at_fpr(self) -> Mapping[float, measured.Estimate]: ...


class At(NamedTuple):
    """Rates of one moment, or of one number of models."""

    auc: measured.Estimate
    tpr_at_fpr: Mapping[float, measured.Estimate]


class Beside(NamedTuple):
    """The same attack by row and by group."""

    by_row: Rates
    by_group: Rates
    num_groups: int


class _Grouped(Rates, Protocol):
    @property
    def per_group(self) -> GroupFigures | None: ...


def group_sections(people: People | None, attacks: Mapping[str, AttackSummary]) -> list[Section]:
    """The section on groups beside rows; nothing where rows have none."""
    return [] if people is None else [_groups(people, attacks)]


def group_finding(people: People | None, attacks: Mapping[str, AttackSummary]) -> str:
    """What is found of people, or of other groups, in a sentence; empty where rows have none.

    It stands before what is found of rows: members were drawn by group, and a person is named by all of their rows.
    """
    return "" if people is None else f"{_finding(people, attacks)}."


def spread_sections(spread: Spread | None, unit: str) -> list[Section]:
    """The section on how the largest leak is spread over slices; nothing where none were asked for.

    Args:
      spread: of the strongest attack.
      unit: what members are drawn by: the name of the groups, or ``row``.
    """
    return [] if spread is None else [_spread(spread, unit)]


def both_units(attacks: Mapping[str, _Grouped]) -> dict[str, Beside]:
    """Attacks by row and by group, of those that have figures by group."""
    return {
        name: Beside(by_row, of.figures, of.num_groups)
        for name, by_row in attacks.items()
        if (of := by_row.per_group) is not None
    }


def beside_sections(
    attacks: Mapping[str, Beside], subject: str = "Attack", fprs: Sequence[float] = _FPRS, about: str = ""
) -> list[Section]:
    """Figures by row and by group side by side; nothing where no attack has figures by group.

    Args:
      attacks: by what the first column shows.
      subject: the first column's title.
      fprs: false-positive rates to show.
      about: a sentence on what the figures are of, where that is not the whole run.
    """
    if not attacks:
        return []
    columns = [Column(subject), Column("AUC", "number", "by row"), Column("AUC", "number", "by group")]
    fprs = _resolved(attacks.values(), fprs)
    rows: list[list[Cell]] = [[name, *_cells(of, fprs)] for name, of in attacks.items()]
    count = max(of.num_groups for of in attacks.values())
    most = max(attacks, key=lambda name: attacks[name].by_group.auc.value or 0.0)
    finding = (
        f"Tested on whole groups instead of single rows, {most} reaches an AUC of "
        f"{_auc(attacks[most].by_group.auc).number}; by row it is {_auc(attacks[most].by_row.auc).number}"
    )
    caption = (
        f"{numbers.counted(count, 'group')}, scores of whose rows are joined. Brackets are 95 % intervals over groups."
        + (f" {about}" if about else "")
    )
    table = Table([*columns, *_rate_columns("group", fprs)], rows, caption)
    return [Section("By group", finding, [Prose([how("group")]), table])]


def _rate_columns(name: str, fprs: Sequence[float] = _FPRS) -> list[Column]:
    return [Column("TPR", "number", f"by {by}, FPR {fpr_key(fpr)}") for fpr in fprs for by in ("row", name)]


def _resolved(attacks: Iterable[Beside], fprs: Sequence[float] = _FPRS) -> list[float]:
    """Rates that any of the attacks has non-members enough for, by row or by group."""
    tprs = [each.tpr_at_fpr for of in attacks for each in (of.by_row, of.by_group)]
    return [fpr for fpr in fprs if any(fpr in each and each[fpr].value is not None for each in tprs)]


def _cells(of: Beside, fprs: Sequence[float] = _FPRS) -> list[Estimate]:
    both = (of.by_row, of.by_group)
    return [*(_auc(each.auc) for each in both), *(_tpr(each, fpr) for fpr in fprs for each in both)]


def how(name: str) -> str:
    """What figures by group answer that figures by row do not."""
    return (
        f"Several rows are about one {name}, and a model trained on all of them or on none. An attacker who wants to "
        f"know whether a {name} was in the training queries the model on every one of these rows and combines the "
        f"answers. The figures by row say how much a single row gives away. Those by {name} say what is at stake for "
        f"a {name}."
    )


def _auc(auc: measured.Estimate) -> Estimate:
    return numbers.shown(auc, decimals=3)


def _tpr(figures: Rates, fpr: float) -> Estimate:
    """One footnote for all: rows and groups have counts of their own."""
    tpr = figures.tpr_at_fpr.get(fpr)
    return Estimate(None, reason=_NOT_RESOLVED) if tpr is None or tpr.value is None else numbers.shown(tpr)


def _groups(people: People, attacks: Mapping[str, AttackSummary]) -> Section:
    name, found, lead = people.name, both_units(attacks), people.strongest
    names, fprs = list(found), _resolved(found.values())
    columns = [
        Column("Attack"),
        Column("Joined by", "text", "scores of a group's rows"),
        Column("AUC", "number", "by row"),
        Column("AUC", "number", f"by {name}"),
        *_rate_columns(name, fprs),
    ]
    rows: list[list[Cell]] = [
        [face(attack).label, _JOINS[people.joins[attack]], *_cells(of, fprs)] for attack, of in found.items()
    ]
    table = Table(
        columns,
        rows,
        f"{_counted(people)}, {_rows(people)} rows each. "
        "Rates are fractions, brackets 95 % intervals that resample groups.",
        [names.index(lead.attack)] if lead is not None and lead.attack in names else [],
    )
    blocks: list[Block] = [Prose([how(_noun(name)), _joins(_noun(name))]), table]
    cards = _cards(people, attacks)
    if cards:
        blocks.insert(0, Cards(cards))
    points = [*_exposed(people), *_copies(people), _keys(people)]
    return Section(f"By {name}", _finding(people, attacks), [*blocks, Points(points)])


def _counted(people: People) -> str:
    """How many groups there are, and by what where that has a name of its own."""
    by = "" if people.name == "group" else f" by {people.name}"
    return f"{numbers.counted(people.num_groups, 'group')}{by}"


def _noun(name: str) -> str:
    """What one group is called inside a sentence: the column's name where that is a word, else a group by it."""
    return name if name.isalpha() and name.islower() and len(name) > 3 else f"group by {name}"


def _rows(people: People) -> str:
    fewest, most = people.fewest_rows, people.most_rows
    return f"{most}" if fewest == most else f"{fewest} to {most}"


def _leading(people: People, attacks: Mapping[str, AttackSummary]) -> tuple[AttackSummary, AttackSummary] | None:
    """Of the strongest attack by group, the figures by group and by row."""
    of = people.strongest and attacks[people.strongest.attack].per_group
    return None if people.strongest is None or of is None else (of.figures, attacks[people.strongest.attack])


def _finding(people: People, attacks: Mapping[str, AttackSummary]) -> str:
    lead, name, both = people.strongest, _noun(people.name), _leading(people, attacks)
    if lead is None or both is None:
        return "No attack could be measured by group"
    fpr = float(lead.fpr or "0.01")
    by_group, by_row = (each.tpr_at_fpr[fpr].value if fpr in each.tpr_at_fpr else None for each in both)
    label = face(lead.attack).inline
    if lead.fpr is None or by_group is None or by_row is None:
        return (
            f"Tested on a whole {name} instead of a row, {label} reaches an AUC of {both[0].auc.value:.3f}; by row "
            f"it is {both[1].auc.value:.3f}"
        )
    rate = numbers.one_per(fpr)
    if against(lead.ci, lead.chance) != "above":
        return f"By group, no attack does measurably better than chance at {rate}; {claims.unseen(lead.ci)}"
    return (
        f"Tested on a whole {name} instead of a row, {label} names {numbers.percent(by_group)} of the members at "
        f"{rate}; by row it is {numbers.percent(by_row)}"
    )


def _joins(name: str) -> str:
    return (
        "Scores that are log-likelihood ratios are added up, which is the strongest way where rows are independent; of "
        "other scores the mean is taken. The choice follows from the attack, not from what came out. results.json has "
        f"sum, mean and maximum of every attack. Intervals let whole groups vary: rows of one {name} are one draw."
    )


def _cards(people: People, attacks: Mapping[str, AttackSummary]) -> list[Card]:
    lead, name, both = people.strongest, people.name, _leading(people, attacks)
    if lead is None or both is None:
        return []
    resolved = [fpr for fpr in _FPRS if fpr in both[0].tpr_at_fpr and both[0].tpr_at_fpr[fpr].value is not None]
    fpr = next(iter(resolved), None)
    cards: list[Card] = []
    for title, of in zip((f"by {name}", "by row"), both, strict=True):
        tpr = None if fpr is None else of.tpr_at_fpr.get(fpr)
        if fpr is None or tpr is None or tpr.value is None:
            cards.append(Card(f"AUC {title}", f"{of.auc.value:.3f}", _auc(of.auc).interval_text, "chance: 0.5"))
            continue
        above = against(tpr.interval, chance_of_tpr(fpr, tpr.chance)) == "above"
        cards.append(
            Card(
                f"Members named {title}, {numbers.level(fpr)} FPR",
                numbers.percent(tpr.value),
                numbers.percent_interval(tpr.interval),
                f"{face(lead.attack).label}; " + ("more than chance" if above else "not measurably above chance"),
            )
        )
    return cards


def _exposed(people: People) -> list[str]:
    found, name = people.most_exposed, _noun(people.name)
    if found is None:
        return [
            f"How exposed the single most exposed {name} is was not measured: it takes several models that trained on "
            "it, and others that did not."
        ]
    low, high = found.tpr.interval
    return [
        f"The most exposed {name}, {found.group}, is named by {face(found.attack).inline} in "
        f"{numbers.percent(found.tpr.value)} of the {numbers.counted(found.models, 'model')} that trained on it "
        f"({numbers.percent(low)} to {numbers.percent(high)}, all {numbers.count(found.num_groups)} considered), at "
        f"{numbers.one_per(found.pooled_fpr)} non-members; half of them are named in at most "
        f"{numbers.percent(found.median_tpr)}.",
        f"{numbers.count(found.named_in_half)} of {numbers.count(found.num_groups)} are named in at least half "
        "of the models that trained on them.",
    ]


def _copies(people: People) -> list[str]:
    copies, alike = people.near_copies, people.alike_keys
    said: list[str] = []
    if alike.count:
        said.append(
            f"{numbers.counted(alike.count, 'pair')} of keys differ in blanks, case, zeros in front or the encoding of "
            f"letters only ({', '.join(' and '.join(pair) for pair in alike.pairs[:5])}): if they are one, members "
            "were divided."
        )
    if copies is None:
        return [
            *said,
            "Whether one person comes under several keys was not measured: signals hold no records. If so, figures are "
            "too low.",
        ]
    if not copies.count:
        return said
    listed = ", ".join(f"{one} and {other}" for one, other, *_ in copies.pairs[:5])
    return [
        *said,
        f"{numbers.counted(copies.count, 'pair')} under different keys nearly copy each other "
        f"({listed}{' and more' if copies.count > 5 else ''}): if they are one, figures are too low.",
    ]


def _keys(people: People) -> str:
    if people.keys == "own":
        return "per_group.parquet names groups by their own keys."
    if people.keys == "numbers":
        return "per_group.parquet names groups by number, as the column group of per_example.parquet does."
    return (
        "per_group.parquet names groups by salted hashes. The salt is group_keys.salt in the run folder: keep it "
        "there, or remove it."
    )


def _spread(spread: Spread, unit: str) -> Section:
    few = [name for name, of in spread.slices.items() if of.few_groups]
    whole = all(of.per_group is not None for of in spread.slices.values())
    rows: list[list[Cell]] = [
        [
            f"{name} (few)" if of.few_groups else name,
            of.num_rows,
            *([of.num_groups] if unit != "row" else []),
            *(_shown(figure) for figure in (of.tpr, of.fpr, of.auc)),
            *(_shown(figure) for by in [of.per_group] if whole and by is not None for figure in (by.tpr, by.auc)),
        ]
        for name, of in spread.slices.items()
    ]
    columns = [
        Column(spread.column),
        Column("Rows", "count"),
        *([Column("Groups", "count", f"by {unit}")] if unit != "row" else []),
        Column("Members named", "number", f"pooled FPR {spread.fpr}"),
        Column("Others named", "number", "false alarms"),
        Column("AUC", "number", "within the slice"),
        *([Column("Members named", "number", f"by {unit}"), Column("AUC", "number", f"by {unit}")] if whole else []),
    ]
    rate = numbers.one_per(float(spread.fpr))
    blocks: list[Block] = [
        Table(columns, rows, f"{face(spread.attack).label}, by row, one threshold for everybody ({rate} pooled). "
              "Brackets are 95 % intervals."),
    ]  # fmt: skip
    if few:
        blocks.append(
            Prose([
                f"Fewer than {spread.fewest_groups} {unit}s stand behind {', '.join(few[:8])}: intervals may be too "
                "narrow there, and no comparison should rest on them."
            ])
        )  # fmt: skip
    return Section(f"By {spread.column}", _uneven(spread), blocks)


def _shown(figure: measured.Estimate) -> Estimate:
    return Estimate(None, reason=_NOT_RESOLVED) if figure.value is None else numbers.shown(figure, decimals=3)


def _uneven(spread: Spread) -> str:
    known = [
        (name, tpr.value, tpr.interval)
        for name, of in spread.slices.items()
        if (tpr := of.tpr).value is not None and tpr.interval is not None and not of.few_groups
    ]
    if len(known) < 2:
        return f"Too few slices of {spread.column} are large enough to be compared"
    most, least = (pick(known, key=lambda each: each[1]) for pick in (max, min))
    ends = difference_of_separate(*most[1:], *least[1:], len(known) * (len(known) - 1) // 2)
    shares = [numbers.percent(each[1]) for each in (most, least)]
    told = (
        f"{shares[0]} of the members are named where {spread.column} is {most[0]}, {shares[1]} where it is {least[0]}"
    )
    if against(ends, 0.0) == "above":
        return told
    return f"{told}: not measurably more; a difference of up to {numbers.points(ends[1])} would go unseen"
