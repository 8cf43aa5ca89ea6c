"""The report on attack power against the number of shadow models: which attack for which budget."""

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from miajax.attacks.registry import ATTACKS
from miajax.metrics.claims import against
from miajax.report import numbers, plots, provenance
from miajax.report.attack_faces import face
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Column, Details, Figure, Page, Points, Prose, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_SHORT = 12
Json = Mapping[str, Any]


def render_low_budget_report(results: Json, config: Json, manifest: Json, command: str) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      results: ``low_budget/results.json``.
      config: the resolved configuration.
      manifest: fingerprint, hashes, plan, seeds.
      command: what was typed.
    """
    fingerprint = str(manifest.get("fingerprint") or "")
    facts = [
        ("Data set", str(results["dataset"])),
        ("Model", str(results["model"])),
        ("Models of the run", numbers.count(results["num_valid"])),
        ("Examples", numbers.count(results["num_examples"])),
        ("Fingerprint", fingerprint[:_SHORT]),
    ]
    return Page(
        kicker="Membership-inference attacks on a budget",
        title=f"Which attack for how many shadow models, on {results['dataset']}",
        subtitle=_sentence(results),
        facts=[(name, value) for name, value in facts if value],
        banners=blind_banners(results),
        sections=[
            Section("Summary", _sentence(results).rstrip("."), [_cards(results), _recommendations(results)]),
            _power(results),
            _differences(results),
            *blind_sections(results),
            _limits(results),
            provenance.run_section(results, config, manifest, command),
            _sources(results),
        ],
        footer=f"Made by miajax{' from run ' + fingerprint[:_SHORT] if fingerprint else ''}.",
    ).html()


def power_figure(results: Json) -> "MatplotlibFigure":
    """Returns TPR against the number of models as a figure, for ``plots.save_png``."""
    fpr = float(results["fpr"])
    lines = []
    for name, entry in results["attacks"].items():
        points = []
        for budget, found in entry["budgets"].items():
            value, interval = _rate(found["tpr_at_fpr"]), _rate(found["tpr_at_fpr_ci"])
            if value is not None:
                points.append((float(budget), value, *interval))
        look = face(name)
        lines.append(plots.Line(look.label, points, look.colour, look.dash))
    return plots.budget_figure(
        lines, xlabel="models: one target, the others its shadows", ylabel=f"TPR at FPR {fpr:g}",
        chance=_chance(results), inches=(7.2, 5.0),
    )


def _chance(results: Json) -> list[tuple[float, float]]:
    """Of every budget, the rate that an attack without power shows; attacks whose ranks coincide show more."""
    fpr, points = float(results["fpr"]), []
    for budget in results["budgets"]:
        found = [entry["budgets"].get(str(budget)) for entry in results["attacks"].values()]
        known = [_rate(each.get("chance_tpr_at_fpr") or {"": None}) for each in found if each]
        points.append((float(budget), statistics.median([rate for rate in known if rate is not None] or [fpr])))
    return points


def _rate(by_fpr: Json) -> Any:
    return next(iter(by_fpr.values()))


def _sentence(results: Json) -> str:
    """Who wins at the smallest and at the largest budget."""
    known = [(budget, each) for budget, each in results["recommended"].items() if each["attack"]]
    if not known:
        return "No budget lets attacks be compared."
    (few, first), (many, last) = known[0], known[-1]
    begin = f"With {few} models {_named(first)}"
    if few == many:
        return begin + "."
    return f"{begin}; with {many}, {_named(last)}."


def _named(recommended: Json) -> str:
    label, equal = face(recommended["attack"]).inline, recommended["not_told_apart"]
    if recommended["standing"] != "above":
        high = recommended["ci_of_all"][1]
        size = f"an AUC of up to {high:.3f}" if recommended["by"] == "auc" else f"up to {numbers.percent(high)}"
        return f"no attack finds measurably more than chance (of {label}, {size} would go unseen)"
    if not equal:
        return f"{label} finds the most"
    if len(equal) == 1:
        return f"{label} finds the most, and the paired difference does not tell {face(equal[0]).inline} from it"
    return f"{label} finds the most, and paired differences do not tell {len(equal)} others from it"


def _cards(results: Json) -> Cards:
    cards = []
    for budget, each in results["recommended"].items():
        if each["attack"] is None:
            continue
        entry = results["attacks"][each["attack"]]["budgets"][budget]
        value, interval = _rate(entry["tpr_at_fpr"]), _rate(entry["tpr_at_fpr_ci"])
        if value is not None:
            cards.append(
                Card(
                    f"{budget} models: {face(each['attack']).inline}", numbers.percent(value),
                    numbers.percent_interval(interval), f"of members at {numbers.level(results['fpr'])} FPR",
                )
            )
    return Cards(cards)


def _recommendations(results: Json) -> Table:
    rows = []
    for budget, each in results["recommended"].items():
        sets = [found["budgets"][budget]["num_sets"] for found in results["attacks"].values()
                if budget in found["budgets"]]
        equal = ", ".join(face(name).label for name in each["not_told_apart"]) or numbers.DASH
        rows.append([budget, max(sets, default=0), face(each["attack"]).label if each["attack"] else None, equal])
    columns = [Column("Models"), Column("Sets", "count"), Column("Finds the most"), Column("Not told from it")]
    return Table(columns, rows, "By the 95 % interval of the paired difference in TPR (in AUC where no TPR resolves).")


def _power(results: Json) -> Section:
    budgets = [str(budget) for budget in results["budgets"]]
    blocks: list[Block] = [
        Figure(
            plots.figure_to_data_uri(power_figure(results)),
            f"True-positive rate of every attack against the number of models. {_sentence(results)}",
            "Means over disjoint sets of models; bars are 95 % intervals. Both axes are logarithmic. Chance "
            "lies above the false-positive rate where a set has few non-members.",
        )
    ]
    for figure, title in (("tpr_at_fpr", f"TPR at FPR {results['fpr']:g}, in per cent"), ("auc", "AUC")):
        rows = []
        for name, entry in results["attacks"].items():
            cells: list[Any] = [face(name).label]
            for budget in budgets:
                found = entry["budgets"].get(budget)
                cells.append(_estimate(found, figure) if found else Estimate(None, reason="Too few models to run."))
            rows.append(cells)
        columns = [Column("Attack"), *(Column(budget, "number", "models") for budget in budgets)]
        blocks.append(Table(columns, rows, f"{title}: means over disjoint sets, brackets 95 % intervals."))
    gains = [(name, _gain(entry)) for name, entry in results["attacks"].items()]
    name, gain = max(gains, key=lambda each: each[1])
    finding = (
        f"{face(name).label} gains most from more models: {numbers.times(gain, 'the rate of its smallest budget')}"
        if gain > 1 else "No attack has a higher rate at its largest budget than at its smallest"
    )
    return Section("Power", finding, blocks)


def _gain(entry: Json) -> float:
    rates = [_rate(found["tpr_at_fpr"]) for found in entry["budgets"].values()]
    known = [rate for rate in rates if rate]
    return known[-1] / known[0] if len(known) > 1 else 0.0


def _estimate(found: Json, figure: str) -> Estimate:
    if figure == "auc":
        return numbers.estimate(found["auc"], found["auc_ci"], decimals=3)
    reason = f"Not resolvable: {numbers.counted(found['num_non_members'], 'non-member')} in a set."
    rate, interval = _rate(found["tpr_at_fpr"]), _rate(found["tpr_at_fpr_ci"])
    if rate is None or interval is None:
        return Estimate(None, reason=reason)
    return numbers.estimate(100 * rate, [100 * end for end in interval], decimals=2)  # eight columns have to fit


def _differences(results: Json) -> Section:
    blocks: list[Block] = []
    told, pairs, by_budget = 0, 0, []
    for budget, differences in results["differences"].items():
        rows, counts = [], [0, 0]
        for each in differences:
            tpr = numbers.estimate(each["tpr_at_fpr"], each["tpr_at_fpr_ci"], "Not resolvable at this budget.")
            auc = numbers.estimate(each["auc"], each["auc_ci"], decimals=4)
            low, high = (each["tpr_at_fpr_ci"] or each["auc_ci"])
            sure = against((low, high), 0.0) != "not shown"
            told, pairs = told + sure, pairs + 1
            counts[0], counts[1] = counts[0] + sure, counts[1] + 1
            rows.append([face(each["attack"]).label, face(each["minus"]).label, tpr, auc, "yes" if sure else "no"])
        columns = [
            Column("Attack"), Column("minus"), Column("TPR", "number", f"at FPR {results['fpr']:g}"),
            Column("AUC", "number"), Column("Told apart"),
        ]
        if rows:
            by_budget.append([budget, *counts])
            blocks.append(Details(f"{budget} models", [Table(columns, rows, "Brackets are 95 % intervals.")]))
    text = (
        "Two attacks on the same models rise and fall together. Differences are therefore taken pair by pair, and "
        "their intervals let models and examples both vary: sets of models are the sample where there are four or more."
    )
    finding = f"{numbers.count(told)} of {numbers.counted(pairs, 'pair')} of attacks are told apart"
    heads = [Column("Models"), Column("Pairs told apart", "count"), Column("Pairs", "count")]
    table = Table(heads, [*by_budget, ["All", told, pairs]], emphasis=[len(by_budget)])
    return Section("Differences", finding, [Prose([text]), table, *blocks])


def _limits(results: Json) -> Section:
    points = [
        "The best of several attacks is chosen on the figures that it is shown with, which flatters it a little.",
        "Intervals are for one pair at a time; among dozens of pairs a few differ by luck.",
        "Sets of models are disjoint, but all share the pool's examples: the intervals let examples vary too.",
        "Where so few models give an attack no score for an example, it counts as never named.",
        "A set of k models gives every target k − 1 shadow models, about half of them trained on an example; k − 2 "
        "where models come in complementary pairs.",
        "They hold for this data, recipe and set of attacks: a lower bound on leakage, not a proof of safety.",
    ]
    notes = [str(note) for note in results["notes"]]
    blocks: list[Block] = [Points(points, "What to bear in mind")]
    if notes:
        blocks.append(Details("Notes", [Points(notes)]))
    return Section("Limits", "These figures compare attacks; they do not measure safety", blocks)


def _sources(results: Json) -> Section:
    rows = [[face(name).label, face(name).needs, ATTACKS[name].source] for name in results["attacks"]]
    version = (results.get("versions") or {}).get("miajax") or ""
    table = Table([Column("Attack"), Column("Needs"), Column("Source")], rows)
    return Section("Sources", "Whose attacks these are", [table, *provenance.citation_blocks(version, [])])
