"""The report on attack power against the number of shadow models: which attack for which budget."""

import dataclasses
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING

from miajax.attacks.registry import ATTACKS
from miajax.metrics.claims import against
from miajax.report import budgets, numbers, plots
from miajax.report.attack_faces import face
from miajax.report.claims import unseen
from miajax.report.group_words import At, Beside, beside_sections
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Cell, Column, Details, Figure, Page, Prose, Section, Table
from miajax.studies.campaign_page import Run, campaign_page, limits_section, sources_section
from miajax.studies.low_budget.figures import AtBudget, Compared, LowBudget, Recommended

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_NOT_RUN = Estimate(None, reason="Too few models to run.")


def render_low_budget_report(found: LowBudget, run: Run) -> str:
    """Returns the report as one self-contained HTML document."""
    compared, head = found.compared.of_unit, found.head
    facts = [
        ("Data set", head.dataset),
        ("Model", head.model),
        ("Models of the run", numbers.count(head.num_valid)),
        ("Examples", numbers.count(head.num_examples)),
        ("Groups", "" if head.num_groups is None else numbers.count(head.num_groups)),
    ]
    page = Page(
        kicker="Membership-inference attacks on a budget",
        title=f"Which attack for how many shadow models, on {head.dataset}",
        subtitle=_sentence(compared),
        facts=facts,
        sections=[
            Section("Summary", _sentence(compared).rstrip("."), [_cards(compared), _recommendations(compared)]),
            _power(compared),
            _differences(compared),
            *_by_row(found.compared),
        ],
    )
    return campaign_page(page, found, run, _limits(found), [_sources(found)])


def power_figure(compared: Compared) -> "MatplotlibFigure":
    """Returns TPR against the number of models as a figure, for ``plots.save_png``; by group where members are."""
    compared = compared.of_unit
    lines: list[budgets.Line] = []
    for name, by_budget in compared.attacks.items():
        points = [
            (float(budget), found.tpr.value, *found.tpr.interval)
            for budget, found in by_budget.items()
            if found.tpr.value is not None and found.tpr.interval is not None
        ]
        look = face(name)
        lines.append(budgets.Line(look.label, points, **look.drawn))
    return budgets.budget_figure(
        lines,
        xlabel="models: one target, the others its shadows",
        ylabel=f"TPR at FPR {compared.fpr:g}",
        chance=_chance(compared),
        inches=(plots.FULL, 5.0),
    )


def _chance(compared: Compared) -> list[tuple[float, float]]:
    """Of every budget, the rate that an attack without power shows; attacks whose ranks coincide show more."""
    points: list[tuple[float, float]] = []
    for budget in compared.budgets:
        tprs = [found[budget].tpr for found in compared.attacks.values() if budget in found]
        known = [tpr.chance for tpr in tprs if tpr.chance is not None]
        points.append((float(budget), statistics.median(known or [compared.fpr])))
    return points


def _sentence(compared: Compared) -> str:
    """Who wins at the smallest and at the largest budget."""
    known = [(budget, each) for budget, each in compared.recommended.items() if each is not None]
    if not known:
        return "No budget lets attacks be compared."
    (few, first), (many, last) = known[0], known[-1]
    asked = ", tested on groups instead of rows," if any(each.by_row for _, each in known) else ""
    begin = f"With {numbers.counted(few, 'model')}{asked} {_named(first)}"
    if few == many:
        return begin + "."
    return f"{begin}; with {numbers.count(many)}, {_named(last)}."


def _named(recommended: Recommended) -> str:
    label, equal = face(recommended.attack).inline, recommended.not_told_apart
    if recommended.standing != "above":
        high = recommended.interval[1]
        by_auc = recommended.by == "auc"
        size = f"an AUC of up to {high:.3f} would go unseen" if by_auc else unseen(recommended.interval)
        return f"no attack finds measurably more than chance (by {label}, {size})"
    if not equal:
        return f"{label} finds the most"
    if len(equal) == 1:
        return f"{label} finds the most, and the paired difference does not tell {face(equal[0]).inline} from it"
    return f"{label} finds the most, and paired differences do not tell {len(equal)} others from it"


def _cards(compared: Compared) -> Cards:
    cards: list[Card] = []
    for budget, each in compared.recommended.items():
        tpr = None if each is None else compared.attacks[each.attack][budget].tpr
        if each is not None and tpr is not None and tpr.value is not None:
            cards.append(
                Card(
                    f"{budget} models: {face(each.attack).inline}",
                    numbers.percent(tpr.value),
                    numbers.percent_interval(tpr.interval),
                    f"of members at {numbers.level(compared.fpr)} FPR",
                )
            )
    return Cards(cards)


def _recommendations(compared: Compared) -> Table:
    rows: list[list[Cell]] = []
    for budget, each in compared.recommended.items():
        sets = [found[budget].num_sets for found in compared.attacks.values() if budget in found]
        equal = ", ".join(face(name).label for name in each.not_told_apart) if each else ""
        label = face(each.attack).label if each else None
        rows.append([str(budget), max(sets, default=0), label, equal or numbers.DASH])
    columns = [Column("Models"), Column("Sets", "count"), Column("Finds the most"), Column("Not told from it")]
    return Table(
        columns,
        rows,
        "By paired differences in TPR (in AUC where no TPR resolves) whose intervals hold for all attacks at once.",
    )


def _power(compared: Compared) -> Section:
    blocks: list[Block] = [
        Figure(
            plots.figure_to_data_uri(power_figure(compared)),
            f"True-positive rate of every attack against the number of models. {_sentence(compared)}",
            "Means over disjoint sets of models; bars are 95 % intervals. Both axes are logarithmic. Chance "
            "lies above the false-positive rate where a set has few non-members.",
        )
    ]
    for shown, title in ((_tpr, f"TPR at FPR {compared.fpr:g}, in per cent"), (_auc, "AUC")):
        rows = [
            [face(name).label, *(shown(by_budget.get(budget)) for budget in compared.budgets)]
            for name, by_budget in compared.attacks.items()
        ]
        columns = [Column("Attack"), *(Column(str(budget), "number", "models") for budget in compared.budgets)]
        blocks.append(Table(columns, rows, f"{title}: means over disjoint sets, brackets 95 % intervals."))
    gains = [(name, _gain(by_budget)) for name, by_budget in compared.attacks.items()]
    name, gain = max(gains, key=lambda each: each[1])
    finding = (
        f"{face(name).label} gains most from more models: {numbers.times(gain, 'the rate of its smallest budget')}"
        if gain > 1
        else "No attack has a higher rate at its largest budget than at its smallest"
    )
    return Section("Power", finding, blocks)


def _gain(by_budget: Mapping[int, AtBudget]) -> float:
    known = [found.tpr.value for found in by_budget.values() if found.tpr.value]
    return known[-1] / known[0] if len(known) > 1 else 0.0


def _auc(found: AtBudget | None) -> Estimate:
    return _NOT_RUN if found is None else numbers.shown(found.auc, decimals=3)


def _tpr(found: AtBudget | None) -> Estimate:
    if found is None:
        return _NOT_RUN
    if found.tpr.value is None or found.tpr.interval is None:
        return numbers.shown(found.tpr)
    low, high = found.tpr.interval
    return Estimate(100 * found.tpr.value, (100 * low, 100 * high), decimals=2)  # eight columns have to fit


def _differences(compared: Compared) -> Section:
    blocks: list[Block] = []
    by_budget: list[list[Cell]] = []
    told, pairs = 0, 0
    for budget, differences in compared.differences.items():
        rows: list[list[Cell]] = []
        counts = [0, 0]
        for each in differences:
            tpr, auc = numbers.shown(each.tpr), numbers.shown(each.auc, decimals=4)
            sure = against(each.tpr.interval or each.auc.interval, 0.0) != "not shown"
            told, pairs = told + sure, pairs + 1
            counts[0], counts[1] = counts[0] + sure, counts[1] + 1
            rows.append([face(each.attack).label, face(each.minus).label, tpr, auc, "yes" if sure else "no"])
        columns = [
            Column("Attack"),
            Column("minus"),
            Column("TPR", "number", f"at FPR {compared.fpr:g}"),
            Column("AUC", "number"),
            Column("Told apart"),
        ]
        if rows:
            by_budget.append([str(budget), *counts])
            blocks.append(Details(f"{budget} models", [Table(columns, rows, "Brackets are 95 % intervals.")]))
    text = (
        "Two attacks on the same models rise and fall together. Differences are therefore taken pair by pair, and "
        "their intervals let models and examples both vary: sets of models are the sample where there are four or more."
    )
    finding = f"{numbers.count(told)} of {numbers.counted(pairs, 'pair')} of attacks are told apart"
    heads = [Column("Models"), Column("Pairs told apart", "count"), Column("Pairs", "count")]
    table = Table(heads, [*by_budget, ["All", told, pairs]], emphasis=[len(by_budget)])
    return Section("Differences", finding, [Prose([text]), table, *blocks])


def _by_row(compared: Compared) -> list[Section]:
    """What rows by themselves show, beside groups; nothing where members are rows."""
    if not compared.by_group:
        return []
    most = max(budget for by_budget in compared.attacks.values() for budget in by_budget)

    def at(found: AtBudget) -> At:
        return At(found.auc, {compared.fpr: found.tpr})

    both = {
        face(name).label: Beside(at(by_budget[most]), at(of.lead), of.num_groups)
        for name, by_budget in compared.attacks.items()
        if most in by_budget and (of := by_budget[most].per_group) is not None
    }
    rows: list[list[Cell]] = [
        [str(budget), face(each.attack).label, each.by_row and face(each.by_row.attack).label]
        for budget, each in compared.recommended.items()
        if each is not None
    ]
    columns = [Column("Models"), Column("Finds the most", "text", "by group"), Column("Finds the most", hint="by row")]
    [section] = beside_sections(both, fprs=[compared.fpr], about=f"Sets of {most} models.")
    same = sum(row[1] == row[2] for row in rows)
    finding = f"At {same} of {numbers.counted(len(rows), 'budget')} rows by themselves recommend the same attack"
    caption = "results.json has both at every budget, and sum, mean and maximum of a group's scores."
    return [dataclasses.replace(section, finding=finding, blocks=[*section.blocks, Table(columns, rows, caption)])]


def _limits(found: LowBudget) -> Section:
    points = [
        "The best of several attacks is chosen on the figures that it is shown with, which flatters it a little.",
        "Intervals are for one pair at a time; among dozens of pairs a few differ by luck.",
        "Sets of models are disjoint, but all share the pool's examples: the intervals let examples vary too.",
        "Where so few models give an attack no score for an example, it counts as never named.",
        "A set of k models gives every target k − 1 shadow models, about half of them trained on an example; k − 2 "
        "where models come in complementary pairs.",
        "They hold for this data, recipe and set of attacks: a lower bound on leakage, not a proof of safety.",
    ]
    if found.head.unit == "group":
        points.append(
            "Members are drawn by group, and so attacks are compared and recommended by group: scores of a group's "
            "rows are added up where they are log-likelihood ratios, else their mean is taken. Intervals resample "
            "groups."
        )
    return limits_section("These figures compare attacks; they do not measure safety", points, found.notes)


def _sources(found: LowBudget) -> Section:
    rows = [[face(name).label, face(name).needs, ATTACKS[name].source] for name in found.compared.attacks]
    table = Table([Column("Attack"), Column("Needs"), Column("Source")], rows)
    return sources_section("Whose attacks these are", found.head.versions, [], [table])
