"""The report on private training: what a guarantee costs, what it promises, what attacks can refute."""

from collections.abc import Mapping, Sequence
from typing import Any

from miajax.metrics.claims import against
from miajax.report import numbers, plots, provenance
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Column, Columns, Figure, Page, Points, Prose, Section, Table
from miajax.report.privacy_words import epsilon_text, mechanism_rows, sentences
from miajax.studies.dpsgd.plot import BOUND_NAMES, FPR, budget_name, chance, privacy_figure

__all__ = ["privacy_figure", "render_dpsgd_report"]

_SHORT = 12
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
Json = Mapping[str, Any]


def render_dpsgd_report(results: Json, config: Json, manifest: Json, command: str) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      results: ``results.json``.
      config: the resolved configuration of the private models.
      manifest: of their run folder.
      command: what was typed.
    """
    fingerprint = str(manifest.get("fingerprint") or "")
    facts = [
        ("Data set", str(results["dataset"])),
        ("Model", str(results["model"])),
        ("Models", numbers.count(results["num_valid"])),
        ("Examples", numbers.count(results["num_examples"])),
        ("Delta", f"{results['delta']:g}"),
        ("Fingerprint", fingerprint[:_SHORT]),
    ]
    return Page(
        kicker="Differentially private training",
        title=f"What privacy costs and keeps on {results['dataset']}",
        subtitle=_sentence(results),
        facts=[(name, value) for name, value in facts if value],
        banners=[*_banners(results), *blind_banners(results)],
        sections=[
            Section("Summary", _finding(results), [_cards(results), _figure(results)]),
            Section("Every budget", _cost(results), [_table(results)]),
            _bounds(results),
            _guarantee(results),
            *blind_sections(results),
            _limits(results),
            provenance.run_section({**results, "privacy": results["mechanism"]}, config, manifest, command),
            Section("Sources", "Whose methods these are", provenance.citation_blocks(_version(results), _SOURCES)),
        ],
        footer=f"Made by miajax{' from run ' + fingerprint[:_SHORT] if fingerprint else ''}.",
    ).html()


def _version(results: Json) -> str:
    return (results.get("versions") or {}).get("miajax") or ""


def _strictest(results: Json) -> Json:
    return min(results["points"], key=lambda point: point["epsilon_target"] or float("inf"))


def _sentence(results: Json) -> str:
    """What the smallest budget costs in accuracy, against the same recipe where there is one to compare with."""
    point, plain = _strictest(results), results["non_private"]
    begin = f"At epsilon {budget_name(point)}, accuracy on non-members is {numbers.percent(point['test_accuracy'])}"
    if plain["same_recipe"]:
        return f"{begin}, {_lost(point['accuracy_lost']['to_non_private'])} the same recipe without privacy."
    clipped = point["accuracy_lost"]["to_clipped"]
    beside = (
        f"models without privacy have {numbers.percent(plain['test_accuracy'])}, but by another recipe, so that the "
        "difference is not privacy's alone"
    )
    if clipped is None:
        return f"{begin}; {beside}."
    return f"{begin}, {_lost(clipped)} the same recipe clipped and without noise; {beside}."


def _lost(lost: Json) -> str:
    """``21.3 points [20.1, 22.5] below``."""
    standing = against(lost["ci"], 0.0)
    if standing == "below":
        return f"{numbers.points(-lost['value'], [-end for end in reversed(lost['ci'])])} above"
    points = numbers.points(lost["value"], lost["ci"])
    return f"{points} below" if standing == "above" else f"not measurably different ({points}) from"


def _finding(results: Json) -> str:
    """Under which budgets LiRA is shown to find more than chance, and what would go unseen under the others."""
    private = [point for point in results["points"] if point["epsilon"] is not None]
    tried = [point for point in private if point["above_chance"] is not None]
    if not private:
        return "No budget adds noise: nothing is promised"
    if not tried:
        return "Too few models for LiRA: what it finds was not measured"
    quiet = [point for point in tried if not point["above_chance"]]
    if not quiet:
        return "Under every budget with noise LiRA finds measurably more members than chance, by AUC or TPR"
    unseen = f"an AUC of up to {max(point['auc_ci'][1] for point in quiet):.3f}"
    rates = [ends[1] for point in quiet if (ends := point["lira_tpr_at_fpr_ci"].get(FPR)) is not None]
    if rates:
        unseen += f", or {numbers.percent(max(rates))} of members at {numbers.level(float(FPR))} FPR,"
    unseen += " would go unseen"
    if len(quiet) == len(tried):
        return f"Under no budget with noise does LiRA find measurably more than chance; {unseen}"
    loud = ", ".join(budget_name(point) for point in tried if point["above_chance"])
    named = ", ".join(budget_name(point) for point in quiet)
    return f"LiRA finds measurably more than chance under epsilon {loud}; under {named} not, where {unseen}"


def _banners(results: Json) -> list[str]:
    refuted = [budget_name(point) for point in results["points"] if point["refuted_by"]]
    if not refuted:
        return []
    return [f"Lower bounds refute the guarantee of epsilon {', '.join(refuted)}; see the notes under Limits."]


def _cards(results: Json) -> Cards:
    cards = []
    for name, point in [("no privacy", results["non_private"]), *_named(results)]:
        cards.append(
            Card(
                f"Accuracy, {name}",
                numbers.percent(point["test_accuracy"]),
                numbers.percent_interval(point["test_accuracy_ci"]),
                _found_text(point),
            )
        )
    return Cards(cards)


def _named(results: Json) -> list[tuple[str, Json]]:
    return [(f"epsilon {budget_name(point)}", point) for point in results["points"]]


def _found_text(point: Json) -> str:
    rate = point["lira_tpr_at_fpr"].get(FPR)
    return "" if rate is None else f"LiRA finds {numbers.percent(rate)} at {numbers.level(float(FPR))} FPR"


def _figure(results: Json) -> Figure:
    return Figure(
        plots.figure_to_data_uri(privacy_figure(results)),
        f"Accuracy, true-positive rate of LiRA and epsilon over the budgets. {_sentence(results)}",
        "Bars are 95 % intervals that let models and examples vary. Epsilon: what the accountants promise (bars), and "
        "what attacks refute (marks); marks at 0 refute nothing.",
    )


def _cost(results: Json) -> str:
    point = _strictest(results)
    found = point["lira_tpr_at_fpr"].get(FPR)
    plain = results["non_private"]["lira_tpr_at_fpr"].get(FPR)
    if found is None or plain is None:
        return "Accuracy, attack and guarantee of every budget"
    return (
        f"LiRA finds {numbers.percent(plain)} of members without privacy"
        f"{'' if results['non_private']['same_recipe'] else ' (another recipe)'} and {numbers.percent(found)} at "
        f"epsilon {budget_name(point)}, at {numbers.level(float(FPR))} FPR"
    )


def _table(results: Json) -> Table:
    columns = [
        Column("Epsilon", hint="asked for"), Column("Spent", hint="PLD"), Column("Spent", hint="RDP"),
        Column("Noise", "number", "multiplier"), Column("Models", "count"), Column("Accuracy", "number", "non-members"),
        Column("LiRA", "number", f"TPR at FPR {FPR}"), Column("AUC", "number"),
        Column("Refuted", "number", "no assumption"),
    ]  # fmt: skip
    rows = []
    for name, point in [("no privacy", results["non_private"]), *((budget_name(p), p) for p in results["points"])]:
        by = point["epsilon_by_accountant"]
        noise = point["noise_multiplier"]
        rows.append(
            [
                name,
                *(_spent(point, by[accountant]) for accountant in ("pld", "rdp")),
                None if noise is None else Estimate(noise, decimals=3),
                point["num_models"],
                numbers.estimate(point["test_accuracy"], point["test_accuracy_ci"], decimals=4),
                numbers.estimate(
                    point["lira_tpr_at_fpr"].get(FPR), point["lira_tpr_at_fpr_ci"].get(FPR), "Too few non-members."
                ),
                numbers.estimate(point["auc"], point["auc_ci"], "LiRA did not run.", decimals=3),
                Estimate(numbers.floored(_best(results, point)), decimals=2),
            ]
        )
    at_chance = max(map(chance, results["points"]))
    caption = (
        f"Brackets are 95 % intervals. Chance: TPR {at_chance:.2g}, AUC 0.5. Refuted: the best "
        "lower bound that holds for any mechanism."
    )
    return Table(columns, rows, caption)


def _spent(point: Json, epsilon: float | None) -> str | None:
    if epsilon is None and point["epsilon"] is not None:
        return None
    return epsilon_text(epsilon)


def _valid(results: Json) -> Sequence[str]:
    """The bounds that hold for any mechanism."""
    facts = results["bounds"]
    return [name for name in facts if facts[name]["in_verdict"]]


def _lower_bound(epsilon: float | None) -> Estimate:
    return Estimate(None, None, _NO_COINS) if epsilon is None else Estimate(numbers.floored(epsilon), decimals=2)


def _ceiling(results: Json) -> float:
    """The largest epsilon that any bound of the verdict could show."""
    points = [results["non_private"], *results["points"]]
    return max((most for point in points for most in point["largest_possible"].values()), default=0.0)


def _best(results: Json, point: Json) -> float:
    return max((point["epsilon_lower"][name] or 0.0 for name in _valid(results)), default=0.0)


def _bounds(results: Json) -> Section:
    names = list(results["bounds"])
    columns = [Column("Epsilon"), *(Column(BOUND_NAMES[name], "number") for name in names)]
    rows = [
        [name, *(_lower_bound(point["epsilon_lower"][bound]) for bound in names)]
        for name, point in [("no privacy", results["non_private"]), *((budget_name(p), p) for p in results["points"])]
    ]
    rests = [
        f"{BOUND_NAMES[name][:1].upper()}{BOUND_NAMES[name][1:]}: {facts['rests_on'].removeprefix('heuristic: ')}."
        for name, facts in results["bounds"].items()
    ]
    most = _ceiling(results)
    told = (
        f"So many models and records can show at most epsilon {numbers.lower(most)}, even to an attack that is always "
        "right: a lower bound far below the guarantee does not say that the guarantee is loose."
        if most
        else ""
    )
    private = [point for point in results["points"] if point["epsilon"] is not None]
    below = not any(point["refuted_by"] for point in private)
    beyond = sum(point["epsilon"] >= most for point in private)
    finding = "Some guarantee is refuted" if private else "Nothing is promised, so nothing is refuted"
    if private and below:
        finding = f"No guarantee is refuted, of those below epsilon {numbers.lower(most)} that could be here"
        if beyond == len(private):
            finding = f"No guarantee could be refuted here: so many models show at most epsilon {numbers.lower(most)}"
    level = (
        f"Where it is valid, a bound lies above the truth with probability {results['significance']:g} at most. A "
        "guarantee is refuted only by bounds that assume nothing of the mechanism, at that probability for all "
        "guarantees together."
    )
    blocks: list[Block] = [
        Table(columns, rows, level),
        Points(rests, "What each bound rests on"),
    ]
    return Section("Lower bounds", finding, [*blocks, *([Prose([told])] if told else [])])


def _guarantee(results: Json) -> Section:
    mechanism = {**results["mechanism"], "delta": results["delta"]}
    return Section(
        "Guarantee",
        f"{mechanism['adjacency'][:1].upper()}{mechanism['adjacency'][1:]}, at delta {results['delta']:g}",
        [
            Columns([
                Table([Column("Name"), Column("Value")], mechanism_rows(mechanism), "The same for every budget."),
                Points(sentences(results["not_covered"]), "What epsilon does not cover"),
            ])
        ],
    )  # fmt: skip


def _limits(results: Json) -> Section:
    points = [
        "Each budget's models were trained by one recipe, chosen beforehand: its choice spends privacy that no epsilon "
        "here counts, where it was chosen on the same data.",
        "A lower bound says what these attacks on these models refute, not what is safe; better canaries refute more.",
        "Each bound holds by itself: among those of many budgets one may lie above the truth by chance.",
        *(str(note) for note in results["notes"]),
    ]
    return Section("Limits", "Attacks bound the loss from below, the accountant from above", [Points(points)])
