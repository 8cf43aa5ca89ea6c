"""The report on stability: whether another set of shadow models, or another attack, names the same records."""

from typing import TYPE_CHECKING

from miajax.attacks.registry import ATTACKS
from miajax.metrics.figures import Estimate as Figured
from miajax.report import budgets, numbers, plots
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Cell, Column, Details, Figure, Page, Prose, Section, Table
from miajax.studies.campaign_page import Run, campaign_page, limits_section, sources_section
from miajax.studies.stability import words
from miajax.studies.stability.figures import SAME, Stability

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_DRAWN = 6
_SMALL_SET = Estimate(None, reason="The attack cannot run on so few models.")
_WORKS = (
    (
        "MIAE: how attacks on the same model differ in whom they find; coverage and stability over seeds and attacks. "
        "Code of a study at ACM CCS, 2025.",
        "https://github.com/RPI-DSPlab/MIAE",
    ),
)


def render_stability_report(found: Stability, run: Run) -> str:
    """Returns the report as one self-contained HTML document."""
    of, head = found.measured, found.head
    facts = [
        ("Data set", head.dataset),
        ("Model", head.model),
        ("Models of the run", numbers.count(head.num_valid)),
        (words.records(found).capitalize(), numbers.count(of.unit_records)),
        ("Attackers of each target", numbers.count(of.num_attackers)),
        ("Shadow models of each", numbers.count(of.models_per_attacker)),
        ("Targets", numbers.count(of.num_targets)),
    ]
    page = Page(
        kicker="Stability of membership inference",
        title=f"Would another attacker name the same {words.records(found)}? On {head.dataset}",
        subtitle=words.top_sentence(found),
        facts=facts,
        sections=[_summary(found), _attackers(found), _curve(found), *_attacks(found)],
    )
    return campaign_page(page, found, run, _limits(found), [_sources(found)])


def overlap_figure(found: Stability) -> "MatplotlibFigure":
    """Returns the shared top against the number of models as a figure, for ``plots.save_png``."""
    lines: list[budgets.Line] = []
    for name, of in list(found.measured.attacks.items())[:_DRAWN]:
        points = [
            (float(size), at.shared_top.value, *at.shared_top.interval)
            for size, at in of.curve.items()
            if at.shared_top.value is not None and at.shared_top.interval is not None
        ]
        look = face(name)
        lines.append(budgets.Line(look.label, points, **look.drawn))
    chance = found.measured.num_top / found.measured.unit_records
    return budgets.budget_figure(
        lines,
        xlabel="models of each of two disjoint sets",
        ylabel=f"shared share of the {numbers.level(found.measured.top)} most exposed",
        chance=[(0.0, chance)],
        inches=(plots.FULL, 5.0),
    )


def _summary(found: Stability) -> Section:
    of, main = found.measured, found.main.sub_ensembles
    cards: list[Card] = []
    for label, figure, detail in (
        ("Named by any attacker", main.found_by_any, "of the members"),
        ("Named by all attackers", main.found_by_all, "of the members"),
        ("Overlap of two attackers", main.jaccard, "of the members that either names"),
        ("Depends on the attacker", main.flips, "of the members"),
    ):
        if figure.value is not None:
            chance = "" if figure.chance is None else f"; independent: {numbers.percent(figure.chance)}"
            interval = numbers.percent_interval(figure.interval)
            cards.append(Card(label, numbers.percent(figure.value), interval, detail + chance))
    told = [
        words.attackers_sentence(found), words.jaccard_sentence(found), words.flips_sentence(found),
        words.top_sentence(found), words.attacks_sentence(found),
    ]  # fmt: skip
    text = Prose([" ".join(sentence for sentence in told if sentence)])
    rule = f"Sentences are about {face(found.main_attack).inline}, the first of the requested attacks."
    finding = words.jaccard_sentence(found).rstrip(".")
    return Section("Summary", finding, [Cards(cards), text], [rule] if len(of.attacks) > 1 else [])


def _attackers(found: Stability) -> Section:
    rows: list[list[Cell]] = []
    beside: list[list[Cell]] = []
    for name, of in found.measured.attacks.items():
        one = of.sub_ensembles
        figures = (one.jaccard, one.found_by_any, one.found_by_all, one.flips)
        rows.append([face(name).label, _shown(one.tpr), _shown(one.fpr), *map(_shown, figures)])
        beside.append([
            face(name).label, *map(_chance, figures), *map(_shown, (one.false_by_any, one.false_by_all)),
            *(one.flips_of_records.get(share) for share in (0.5, 0.9, 0.99)),
        ])  # fmt: skip
    named = [
        Column("Overlap", "number", "Jaccard"), Column("Any", "number", "names"), Column("All", "number", "name"),
        Column("Depends", "number", "on the attacker"),
    ]  # fmt: skip
    columns = [Column("Attack"), Column("TPR", "number", "of one"), Column("FPR", "number", "of one"), *named]
    caption = (
        f"{numbers.counted(found.measured.num_attackers, 'attacker')} of each of "
        f"{numbers.counted(found.measured.num_targets, 'target')}, thresholds set on their own models for FPR "
        f"{found.measured.fpr:g}. Shares of the members; brackets are 95 % intervals."
    )
    others = [
        Column("Attack"), *named, Column("FPR", "number", "any names"), Column("FPR", "number", "all name"),
        Column("Half flip in", "number", "share of targets"), Column("A tenth above", "number"),
        Column("1 % above", "number"),
    ]  # fmt: skip
    about = (
        "The first four columns: what independent attackers of the same rates would show. Then the false alarms of any "
        f"and of all, and how often a {words.records(found)[:-1]}'s answer depends on the attacker, over its targets."
    )
    blocks: list[Block] = [
        Table(columns, rows, caption),
        Details(f"Chance, false alarms, and single {words.records(found)}", [Table(others, beside, about)]),
    ]
    return Section("Attackers", words.flips_sentence(found).rstrip(".") or "Attackers compared", blocks)


def _curve(found: Stability) -> Section:
    blocks: list[Block] = []
    sizes = sorted({size for of in found.measured.attacks.values() for size in of.curve})
    if sizes:
        blocks.append(
            Figure(
                plots.figure_to_data_uri(overlap_figure(found)),
                f"Shared share of the most exposed against the number of models. {words.top_sentence(found)}",
                "Means over pairs of disjoint sets; bars are 95 % intervals. Both axes are logarithmic. The dotted "
                "line is what two random choices share.",
            )
        )
    for what in ("shared_top", "jaccard"):
        rows: list[list[Cell]] = [
            [face(name).label, *(_shown(getattr(of.curve[size], what)) if size in of.curve else _SMALL_SET
                                 for size in sizes)]
            for name, of in found.measured.attacks.items()
        ]  # fmt: skip
        columns = [Column("Attack"), *(Column(str(size), "number", "models") for size in sizes)]
        if what == "shared_top":
            caption = f"Share of the {found.measured.num_top} most exposed {words.records(found)} that two sets share."
            blocks.append(Table(columns, rows, caption))
        else:
            about = (
                f"Jaccard overlap of those called vulnerable: named, at FPR {found.measured.fpr:g}, by half or more of "
                "the models trained on them."
            )
            blocks.append(Details("Overlap of those called vulnerable", [Table(columns, rows, about)]))
    blocks += _runs(found)
    enough: list[list[Cell]] = [
        [face(name).label, *(of.models_until_same[share] for share in SAME)]
        for name, of in found.measured.attacks.items()
    ]
    heads = [Column("Attack"), *(Column(f"{numbers.level(share)} shared", "count", "from models on") for share in SAME)]
    blocks.append(Table(heads, enough, "A dash: at no size that was measured."))
    return Section("Most exposed", words.top_sentence(found).rstrip("."), blocks)


def _runs(found: Stability) -> list[Block]:
    """This run beside others, such as of another seed."""
    of = found.measured
    rows: list[list[Cell]] = [
        [face(name).label, _shown(each.across_runs.shared_top), _shown(each.across_runs.jaccard),
         _chance(each.across_runs.jaccard)]
        for name, each in of.attacks.items()
        if each.across_runs is not None
    ]  # fmt: skip
    if not rows:
        return []
    columns = [
        Column("Attack"), Column("Shared top", "number"), Column("Overlap", "number", "of those called vulnerable"),
        Column("By chance", "number", "overlap"),
    ]  # fmt: skip
    caption = f"This run and {', '.join(of.other_runs)}, all models of each, two runs at a time."
    return [Table(columns, rows, caption)]


def _attacks(found: Stability) -> list[Section]:
    of = found.measured
    if of.across_attacks is None:
        return []
    across = of.across_attacks
    shares: list[list[Cell]] = [
        ["Any of them", _shown(across.found_by_any), _chance(across.found_by_any), _shown(across.false_by_any)],
        ["All of them", _shown(across.found_by_all), _chance(across.found_by_all), _shown(across.false_by_all)],
    ]
    columns = [
        Column("Named by"), Column("Members", "number"), Column("Independent", "number"),
        Column("Non-members", "number"),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [face(pair.attack).label, face(pair.other).label, _shown(pair.jaccard), _chance(pair.jaccard)]
        for pair in of.pairs
    ]
    heads = [
        Column("Attack"), Column("Other"), Column("Overlap", "number", "Jaccard"), Column("Independent", "number"),
    ]  # fmt: skip
    blocks: list[Block] = [
        Table(columns, shares, "Attacks with the same shadow models, each at the same FPR of its own.")
    ]
    if of.ensembles:
        made = ", ".join(face(name).inline for name in of.ensembles)
        blocks.append(
            Prose([
                f"Ensembles ({made}) stand in the tables above as attacks of their own. They score at one "
                "false-positive rate, so that they are to be compared with single attacks, unlike any and all here."
            ])
        )  # fmt: skip
    blocks.append(Details("Every pair of attacks", [Table(heads, rows)]))
    return [Section("Attacks", words.attacks_sentence(found).rstrip("."), blocks)]


def _shown(figure: Figured) -> Estimate:
    return numbers.shown(figure, 3)


def _chance(figure: Figured) -> Estimate:
    return Estimate(figure.chance, decimals=3)


def _limits(found: Stability) -> Section:
    points = [
        "Attackers differ in their shadow models: in who is in them, and in every seed. The target is the same model.",
        "An attacker here has fewer shadow models than the run: what larger sets would agree on is not measured.",
        "Independent attackers are compared at the rates that were reached; records that are easy for all make real "
        "ones agree more.",
        "The most exposed are those that are named by most of the models trained on them; of equals, those with the "
        "higher mean score as members.",
        "Sets of models are disjoint but share the pool's examples: intervals let models and examples vary.",
        "They hold for this data, recipe and set of attacks: a lower bound on leakage, not a proof of safety.",
    ]
    if found.head.unit == "group":
        points.append("Members are drawn by group: scores of a group's rows are joined, and groups are compared.")
    return limits_section("Agreement says that a finding repeats, not that it is right", points, found.notes)


def _sources(found: Stability) -> Section:
    rows = [[face(name).label, face(name).needs, ATTACKS[name].source] for name in found.measured.attacks]
    table = Table([Column("Attack"), Column("Needs"), Column("Source")], rows)
    return sources_section("Whose measures and attacks these are", found.head.versions, _WORKS, [table])
