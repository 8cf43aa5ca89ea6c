"""The report on private training: what a guarantee costs, what it promises, what attacks can refute."""

from typing import Any

from miajax.metrics import figures
from miajax.metrics.claims import against
from miajax.report import numbers, plots
from miajax.report.group_words import beside_sections, both_units
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Column, Columns, Figure, Page, Points, Prose, Section, Table
from miajax.report.privacy_words import epsilon_text, mechanism_rows, sentences
from miajax.studies.campaign_page import Run, campaign_page, sources_section
from miajax.studies.dpsgd.figures import FPR, Budget, Dpsgd, Guarantee, Point
from miajax.studies.dpsgd.plot import BOUND_NAMES, privacy_figure

__all__ = ["privacy_figure", "render_dpsgd_report"]

_NO_COINS = "Holds where a fair coin of its own draws each record into each model: --split bernoulli."
_SOURCES = (
    ("M. Abadi et al.: Deep Learning with Differential Privacy. CCS, 2016.", "https://arxiv.org/abs/1607.00133"),
    ("S. De et al.: Unlocking High-Accuracy Differentially Private Image Classification through Scale, 2022.",
     "https://arxiv.org/abs/2204.13650"),
    ("M. Nasr et al.: Adversary Instantiation: Lower Bounds for Differentially Private Machine Learning, 2021.",
     "https://arxiv.org/abs/2101.04535"),
    ("T. Steinke, M. Nasr, M. Jagielski: Privacy Auditing with One (1) Training Run, 2023.",
     "https://arxiv.org/abs/2305.08846"),
    ("S. Mahloujifar, L. Melis, K. Chaudhuri: Auditing f-Differential Privacy in One Run, 2024.",
     "https://arxiv.org/abs/2410.22235"),
    ("J. Dong, A. Roth, W. Su: Gaussian Differential Privacy, 2019.", "https://arxiv.org/abs/1905.02383"),
)  # fmt: skip


def render_dpsgd_report(found: Dpsgd, run: Run) -> str:
    """Returns the report as one self-contained HTML document; ``run`` is that of the private models."""
    by_row, found = found, found.of_unit
    facts = [
        ("Data set", found.dataset),
        ("Model", found.model),
        ("Models", numbers.count(found.num_valid)),
        ("Examples", numbers.count(found.num_examples)),
        ("Delta", f"{found.delta:g}"),
    ]
    page = Page(
        kicker="Differentially private training",
        title=f"What privacy costs and keeps on {found.dataset}",
        subtitle=_sentence(found),
        facts=facts,
        banners=_banners(found),
        sections=[
            Section("Summary", _finding(found), [_cards(found), _figure(found)]),
            Section("Every budget", _cost(found), [_table(found)]),
            *beside_sections(both_units({name: point.attacked for name, point in by_row.named}), "Epsilon"),
            _bounds(found),
            _guarantee(found),
        ],
    )
    return campaign_page(
        page, found, run, _limits(found), [sources_section("Whose methods these are", found.versions, _SOURCES)]
    )


def _strictest(found: Dpsgd) -> Budget:
    return min(found.points, key=lambda point: point.epsilon_target or float("inf"))


def _sentence(found: Dpsgd) -> str:
    """What the smallest budget costs in accuracy, against the same recipe where there is one to compare with."""
    point, plain = _strictest(found), found.non_private
    begin = f"At epsilon {point.name}, accuracy on non-members is {numbers.percent(point.test_accuracy.value)}"
    if plain.same_recipe:
        return f"{begin}, {_lost(point.accuracy_lost.to_non_private)} the same recipe without privacy."
    clipped = point.accuracy_lost.to_clipped
    beside = (
        f"models without privacy have {numbers.percent(plain.test_accuracy.value)}, but by another recipe, so that the "
        "difference is not privacy's alone"
    )
    if clipped is None:
        return f"{begin}; {beside}."
    return f"{begin}, {_lost(clipped)} the same recipe clipped and without noise; {beside}."


def _lost(lost: figures.Figure) -> str:
    """``21.3 points [20.1, 22.5] below``."""
    standing = against(lost.interval, 0.0)
    if standing == "below":
        return f"{numbers.points(-lost.value, [-end for end in reversed(lost.interval)])} above"
    points = numbers.points(lost.value, lost.interval)
    return f"{points} below" if standing == "above" else f"not measurably different ({points}) from"


def _finding(found: Dpsgd) -> str:
    """Under which budgets LiRA is shown to find more than chance, and what would go unseen under the others."""
    private = [point for point in found.points if point.guarantee.epsilon is not None]
    tried = [point for point in private if point.attacked.above_chance is not None]
    if not private:
        return "No budget adds noise: nothing is promised"
    if not tried:
        return "Too few models for LiRA: what it finds was not measured"
    quiet = [point for point in tried if not point.attacked.above_chance]
    if not quiet:
        return "Under every budget with noise LiRA finds measurably more members than chance, by AUC or TPR"
    unseen = (
        f"an AUC of up to {max(point.attacked.auc.interval[1] for point in quiet if point.attacked.auc.interval):.3f}"
    )
    rates = [ends[1] for point in quiet if (ends := point.attacked.tpr.interval) is not None]
    if rates:
        unseen += f", or {numbers.percent(max(rates))} of members at {numbers.level(FPR)} FPR,"
    unseen += " would go unseen"
    if len(quiet) == len(tried):
        return f"Under no budget with noise does LiRA find measurably more than chance; {unseen}"
    loud = ", ".join(point.name for point in tried if point.attacked.above_chance)
    named = ", ".join(point.name for point in quiet)
    return f"LiRA finds measurably more than chance under epsilon {loud}; under {named} not, where {unseen}"


def _banners(found: Dpsgd) -> list[str]:
    refuted = [point.name for point in found.points if point.refuted_by]
    if not refuted:
        return []
    return [f"Lower bounds refute the guarantee of epsilon {', '.join(refuted)}; see the notes under Limits."]


def _cards(found: Dpsgd) -> Cards:
    cards: list[Card] = []
    for name, point in found.named:
        rate, accuracy = point.attacked.tpr.value, point.test_accuracy
        seen = "" if rate is None else f"LiRA finds {numbers.percent(rate)} at {numbers.level(FPR)} FPR"
        title = "Accuracy, no privacy" if point is found.non_private else f"Accuracy, epsilon {name}"
        cards.append(Card(title, numbers.percent(accuracy.value), numbers.percent_interval(accuracy.interval), seen))
    return Cards(cards)


def _figure(found: Dpsgd) -> Figure:
    return Figure(
        plots.figure_to_data_uri(privacy_figure(found)),
        f"Accuracy, true-positive rate of LiRA and epsilon over the budgets. {_sentence(found)}",
        "Bars are 95 % intervals that let models and examples vary. Epsilon: what the accountants promise (bars), and "
        "what attacks refute (marks); marks at 0 refute nothing.",
    )


def _cost(found: Dpsgd) -> str:
    point = _strictest(found)
    named, plain = point.attacked.tpr.value, found.non_private.attacked.tpr.value
    if named is None or plain is None:
        return "Accuracy, attack and guarantee of every budget"
    return (
        f"LiRA finds {numbers.percent(plain)} of members without privacy"
        f"{'' if found.non_private.same_recipe else ' (another recipe)'} and {numbers.percent(named)} at "
        f"epsilon {point.name}, at {numbers.level(FPR)} FPR"
    )


def _table(found: Dpsgd) -> Table:
    columns = [
        Column("Epsilon", hint="requested"), Column("Spent", hint="PLD"), Column("Spent", hint="RDP"),
        Column("Noise", "number", "multiplier"), Column("Models", "count"), Column("Accuracy", "number", "non-members"),
        Column("LiRA", "number", f"TPR at FPR {figures.fpr_key(FPR)}"), Column("AUC", "number"),
        Column("Refuted", "number", "no assumption"),
    ]  # fmt: skip
    rows: list[list[Any]] = []
    for name, point in found.named:
        guarantee, attacked = point.guarantee, point.attacked
        noise, by = guarantee.noise_multiplier, guarantee.epsilon_by_accountant
        rows.append([
            name,
            *(_spent(guarantee, by[accountant]) for accountant in ("pld", "rdp")),
            None if noise is None else Estimate(noise, decimals=3),
            point.num_models,
            numbers.shown(point.test_accuracy, 4),
            numbers.shown(attacked.tpr),
            numbers.shown(attacked.auc, 3),
            Estimate(numbers.floored(_best(found, point)), decimals=2),
        ])  # fmt: skip
    at_chance = max(point.attacked.chance for point in found.points)
    caption = (
        f"Brackets are 95 % intervals. Chance: TPR {at_chance:.2g}, AUC 0.5. Refuted: the best "
        "lower bound that holds for any mechanism."
    )
    return Table(columns, rows, caption)


def _spent(guarantee: Guarantee, epsilon: float | None) -> str | None:
    if epsilon is None and guarantee.epsilon is not None:
        return None
    return epsilon_text(epsilon)


def _lower_bound(epsilon: float | None) -> Estimate:
    return Estimate(None, None, _NO_COINS) if epsilon is None else Estimate(numbers.floored(epsilon), decimals=2)


def _ceiling(found: Dpsgd) -> float:
    """The largest epsilon that any bound of the verdict could show."""
    return max((most for _, point in found.named for most in point.largest_possible.values()), default=0.0)


def _best(found: Dpsgd, point: Point) -> float:
    """The largest of the bounds that hold for any mechanism."""
    valid = [name for name, facts in found.bounds.items() if facts.in_verdict]
    return max((point.epsilon_lower[name] or 0.0 for name in valid), default=0.0)


def _bounds(found: Dpsgd) -> Section:
    names = list(found.bounds)
    columns = [Column("Epsilon"), *(Column(BOUND_NAMES[name], "number") for name in names)]
    rows = [[name, *(_lower_bound(point.epsilon_lower[bound]) for bound in names)] for name, point in found.named]
    rests = [
        f"{BOUND_NAMES[name][:1].upper()}{BOUND_NAMES[name][1:]}: {facts.rests_on.removeprefix('heuristic: ')}."
        for name, facts in found.bounds.items()
    ]
    most = _ceiling(found)
    told = (
        f"So many models and records can show at most epsilon {numbers.lower(most)}, even to an attack that is always "
        "right: a lower bound far below the guarantee does not say that the guarantee is loose."
        if most
        else ""
    )
    private = [point for point in found.points if point.guarantee.epsilon is not None]
    below = not any(point.refuted_by for point in private)
    beyond = sum((point.guarantee.epsilon or 0.0) >= most for point in private)
    finding = "Some guarantee is refuted" if private else "Nothing is promised, so nothing is refuted"
    if private and below:
        finding = f"No guarantee is refuted, of those below epsilon {numbers.lower(most)} that could be here"
        if beyond == len(private):
            finding = f"No guarantee could be refuted here: so many models show at most epsilon {numbers.lower(most)}"
    level = (
        f"Where it is valid, a bound lies above the truth with probability {found.significance:g} at most. A "
        "guarantee is refuted only by bounds that assume nothing of the mechanism, at that probability for all "
        "guarantees together."
    )
    blocks: list[Block] = [
        Table(columns, rows, level),
        Points(rests, "What each bound rests on"),
    ]
    return Section("Lower bounds", finding, [*blocks, *([Prose([told])] if told else [])])


def _guarantee(found: Dpsgd) -> Section:
    mechanism: dict[str, Any] = {**found.mechanism, "delta": found.delta}
    return Section(
        "Guarantee",
        f"{mechanism['adjacency'][:1].upper()}{mechanism['adjacency'][1:]}, at delta {found.delta:g}",
        [
            Columns([
                Table([Column("Name"), Column("Value")], mechanism_rows(mechanism), "The same for every budget."),
                Points(sentences(found.not_covered), "What epsilon does not cover"),
            ])
        ],
    )  # fmt: skip


def _limits(found: Dpsgd) -> Section:
    points = [
        "Each budget's models were trained by one recipe, chosen beforehand: its choice spends privacy that no epsilon "
        "here counts, where it was chosen on the same data.",
        "A lower bound says what these attacks on these models refute, not what is safe; better canaries refute more.",
        "Each bound holds by itself: among those of many budgets one may lie above the truth by chance.",
        *(
            ["Members are drawn by group, and LiRA tests groups. Accuracy counts rows."]
            if found.unit == "group"
            else []
        ),
        *found.notes,
    ]
    return Section("Limits", "Attacks bound the loss from below, the accountant from above", [Points(points)])
