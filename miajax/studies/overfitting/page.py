"""The report on vulnerability over the epochs of training: does it grow while accuracy stands, does stopping help?"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from miajax.attacks.registry import ATTACKS
from miajax.metrics.figures import fpr_key
from miajax.report import curves, numbers, palette, plots, provenance
from miajax.report.attack_faces import face
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.page import Block, Card, Cards, Column, Columns, Details, Figure, Page, Points, Prose, Section, Table
from miajax.studies.overfitting.words import (
    RULES,
    growth_finding,
    growth_sentence,
    loss_sentence,
    stopping_finding,
    stopping_sentences,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_SHORT = 12
_SIDES = ("member", "non_member")
Json = Mapping[str, Any]


def render_overfitting_report(results: Json, config: Json, manifest: Json, command: str) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      results: ``overfitting/results.json``.
      config: the resolved configuration.
      manifest: fingerprint, hashes, plan, seeds.
      command: what was typed.
    """
    fingerprint = str(manifest.get("fingerprint") or "")
    facts = [
        ("Data set", str(results["dataset"])),
        ("Model", str(results["model"])),
        ("Models", numbers.count(results["num_valid"])),
        ("Epochs", numbers.count(len(results["epochs"]))),
        ("Examples", numbers.count(results["num_examples"])),
        ("Fingerprint", fingerprint[:_SHORT]),
    ]
    sections = [
        Section(
            "Summary",
            growth_finding(results),
            [_cards(results), Prose([growth_sentence(results), stopping_sentences(results)[0]])],
        ),
        _accuracy(results),
        _vulnerability(results),
        _histograms(results),
        _stopping(results),
        *blind_sections(results),
        _limits(results),
        provenance.run_section(results, config, manifest, command),
        _sources(results),
    ]
    return Page(
        kicker="Membership inference over the epochs of training",
        title=f"When training examples begin to leak, on {results['dataset']}",
        subtitle=f"{growth_finding(results)}. {stopping_finding(results)}.",
        facts=[(name, value) for name, value in facts if value],
        banners=blind_banners(results),
        sections=sections,
        footer=f"Made by miajax{' from run ' + fingerprint[:_SHORT] if fingerprint else ''}.",
    ).html()


def curves_figure(results: Json) -> "MatplotlibFigure":
    """Returns accuracy, AUC, advantage and TPR over the epochs above one another, for ``plots.save_png``."""
    return curves.stacked_epoch_figure(
        [
            ("accuracy", _accuracy_traces(results), None),
            ("AUC", _attack_traces(results, "auc"), (0.5, "chance")),
            ("advantage", _attack_traces(results, "advantage"), (0.0, "chance")),
            (_tpr_name(results), _attack_traces(results, "tpr"), (_chance(results), "chance")),
        ],
        marks=_marks(results),
        inches=(6.4, 9.4),
    )


def _accuracy(results: Json) -> Section:
    accuracy, gap = results["accuracy"], results["gap"]
    loss = results["loss"]
    finding = f"The gap between members and non-members ends at {numbers.points(gap[-1], results['gap_ci'][-1])}"
    if rise := loss_sentence(results):
        finding += f"; {rise}"
    alt = (
        f"Accuracy over epochs: members end at {accuracy['member'][-1]:.4f}, non-members at "
        f"{accuracy['non_member'][-1]:.4f}."
    )
    pictures = Columns([
        Figure(
            _picture(_accuracy_traces(results), "accuracy", _marks(results)), alt,
            "Accuracy after every epoch. Bands are 95 % intervals that let models and examples vary.", "Accuracy",
        ),
        Figure(
            _picture(_side_traces(loss), "mean loss, nats", _marks(results)),
            f"Loss over epochs: members end at {loss['member'][-1]:.3f}, non-members at {loss['non_member'][-1]:.3f}.",
            "Mean cross-entropy after every epoch. Bands are 95 % intervals.", "Loss",
        ),
    ])  # fmt: skip
    limits = ["The validation part was set aside before any split: it holds no member and no non-member of any model."]
    return Section("Accuracy", finding, [pictures], limits if loss["validation"] is not None else ())


def _chance(results: Json) -> float:
    """The true-positive rate of an attack without power; the false-positive rate itself in older results."""
    by_epoch = results["attacks"][results["main_attack"]].get("chance_tpr_at_fpr", {}).get(_key(results))
    return results["fpr"] if not by_epoch or by_epoch[-1] is None else by_epoch[-1]


def _vulnerability(results: Json) -> Section:
    pictures = Columns([
        Figure(
            _picture(_attack_traces(results, "auc"), "AUC", _marks(results), (0.5, "chance")),
            f"AUC of every attack over the epochs. {growth_sentence(results)}",
            "All models attacked after every epoch, shadow models of the same epoch. Bands are 95 % intervals.", "AUC",
        ),
        Figure(
            _picture(_attack_traces(results, "tpr"), _tpr_name(results), _marks(results), (_chance(results), "chance")),
            f"True-positive rate at a false-positive rate of {results['fpr']:g} over the epochs.",
            "The same at a low false-positive rate, where it matters.", "True-positive rate",
        ),
    ])  # fmt: skip
    advantage = Figure(
        _picture(_attack_traces(results, "advantage"), "advantage", _marks(results), (0.0, "chance")),
        "Advantage of every attack over the epochs.",
        "Largest true-positive rate minus false-positive rate, as the paper reports it. Bands are 95 % intervals.",
        "Advantage",
    )
    rows = []
    for epoch in results["histograms"]["epochs"]:
        cells: list[Any] = [str(epoch)]
        for entry in results["attacks"].values():
            cells.append(numbers.estimate(entry["auc"][epoch - 1], entry["auc_ci"][epoch - 1], decimals=3))
        for name in _with_rates(results):
            entry, key = results["attacks"][name], _key(results)
            value, interval = entry["tpr_at_fpr"][key][epoch - 1], entry["tpr_at_fpr_ci"][key][epoch - 1]
            cells.append(numbers.estimate(value, interval, "Not resolvable with so few non-members."))
        rows.append(cells)
    columns = [
        Column("Epoch"), *(Column(face(name).label, "number", "AUC") for name in results["attacks"]),
        *(Column(face(name).label, "number", _tpr_name(results)) for name in _with_rates(results)),
    ]  # fmt: skip
    main, threshold = results["attacks"][results["main_attack"]], results["attacks"].get("global_threshold")
    text = [
        growth_sentence(results),
        "One threshold for all examples looks at how confident models are on average, so that it follows the gap. LiRA "
        "asks of each example whether its models with it differ from those without.",
    ]
    if threshold is not None and results["main_attack"] != "global_threshold":
        text.append(
            f"After the last epoch {face(results['main_attack']).label} has AUC "
            f"{numbers.estimate(main['auc'][-1], main['auc_ci'][-1], decimals=3)}, one threshold "
            f"{numbers.estimate(threshold['auc'][-1], threshold['auc_ci'][-1], decimals=3)}."
        )
    details = Details("Figures at chosen epochs", [Table(columns, rows, "Brackets are 95 % intervals.")])
    return Section("Vulnerability", growth_finding(results), [pictures, advantage, Prose(text), details])


def _histograms(results: Json) -> Section:
    shown = results["histograms"]
    edges = np.asarray(shown["edges"])
    member, other = (np.asarray(shown[side]) for side in ("member", "non_member"))
    middle = 0.5 * (edges[1:] + edges[:-1])
    apart = [float((middle * (a - b)).sum() * (edges[1] - edges[0])) for a, b in zip(member, other, strict=True)]
    first, last = (f"{value + 0.0:.2f}".replace("-", "−") for value in (apart[0], apart[-1]))
    finding = (
        f"Mean scaled logits of members and non-members lie {first} apart after epoch {shown['epochs'][0]} and {last} "
        f"after epoch {shown['epochs'][-1]}"
    )
    titles = [f"epoch {epoch}" for epoch in shown["epochs"]]
    figure = curves.histogram_row_figure(edges, member, other, titles, xlabel="scaled logit")
    picture = Figure(
        plots.figure_to_data_uri(figure),
        f"Histograms of the scaled logit over epochs. {finding}.",
        "All models and examples pooled; the outermost thousandth on either side counts in the outer bins.",
    )
    limit = "Pooled histograms that overlap do not show that examples are safe: LiRA looks at one example at a time."
    return Section("Scaled logits", finding, [picture], [limit])


def _stopping(results: Json) -> Section:
    stopping = results["early_stopping"]
    if stopping is None:
        return Section("Early stopping", stopping_finding(results), [Prose(stopping_sentences(results))])
    last = len(results["epochs"]) - 1
    accuracy, key, main = results["accuracy"], _key(results), results["main_attack"]
    names = [name for name in dict.fromkeys(("global_threshold", main)) if name in results["attacks"]]
    attacks = {name: results["attacks"][name] for name in names}
    rows: list[list[Any]] = [
        [
            "last epoch", str(last + 1),
            *(numbers.estimate(accuracy[side][last], accuracy[f"{side}_ci"][last]) for side in _SIDES),
            numbers.estimate(results["gap"][last], results["gap_ci"][last]),
            *(numbers.estimate(entry["auc"][last], entry["auc_ci"][last], decimals=3) for entry in attacks.values()),
            numbers.estimate(*(attacks[main][field][key][last] for field in ("tpr_at_fpr", "tpr_at_fpr_ci"))),
        ]
    ]  # fmt: skip
    changes = []
    for rule, found in stopping["rules"].items():
        entries = found["attacks"]
        rows.append([
            RULES[rule], f"{found['epoch_mean']:.1f} ({found['epoch_min']} to {found['epoch_max']})",
            *(_estimate(found["accuracy"][side]) for side in _SIDES), _estimate(found["gap"]),
            *(numbers.estimate(entry["auc"], entry["auc_ci"], decimals=3) for entry in map(entries.get, names)),
            numbers.estimate(*(entries[main][field][key] for field in ("tpr_at_fpr", "tpr_at_fpr_ci"))),
        ])  # fmt: skip
        change = found["change"]
        changes.append([
            RULES[rule], *(_estimate(change[part], 4) for part in ("member_accuracy", "non_member_accuracy", "gap")),
            *(_estimate(change["attacks"][name]["auc"], 4) for name in attacks),
            _estimate(change["attacks"][main]["tpr_at_fpr"][key], 4),
        ])  # fmt: skip
    named = [
        Column("Members", "number", "accuracy"), Column("Non-members", "number", "accuracy"), Column("Gap", "number"),
        *(Column(face(name).label, "number", "AUC") for name in attacks),
        Column(face(main).label, "number", _tpr_name(results)),
    ]  # fmt: skip
    blocks: list[Block] = [
        Prose(stopping_sentences(results)),
        Table([Column("Every model taken at"), Column("Epoch", "text", "mean (range)"), *named], rows,
              "Brackets are 95 % intervals."),
        Table([Column("Minus the last epoch"), *named], changes,
              "Paired differences: the same models and examples on both sides. Brackets are 95 % intervals."),
    ]  # fmt: skip
    limits = [
        "Each model stops by the validation part alone, which holds no attack's non-members. Shadow models stop by the "
        "same rule, as an attacker's would.",
        "The best epoch is taken over the whole training; a patience that runs out earlier would stop earlier.",
        "The learning-rate schedule is that of the whole training: models are not finished at the epochs in between.",
    ]
    return Section("Early stopping", stopping_finding(results), blocks, limits)


def _limits(results: Json) -> Section:
    items = [
        "Figures of neighbouring epochs rest on the same models and examples: curves are smoother than independent "
        "measurements would be.",
        "The first epoch of growth is chosen by looking at the accuracies: from there on, the 95 % interval of what "
        "accuracy on non-members still rises lies below a margin. With fewer models it comes later.",
        "They hold for this data and recipe and these attacks: a lower bound on leakage, not a proof of safety.",
    ]
    notes = [str(note) for note in results["notes"]]
    return Section(
        "Limits", "Curves of one recipe on one data set", [Points(items), *([Details("Notes", [Points(notes)])] if notes
        else [])],
    )  # fmt: skip


def _sources(results: Json) -> Section:
    rows = [[face(name).label, face(name).needs, ATTACKS[name].source] for name in results["attacks"]]
    table = Table([Column("Attack"), Column("Needs"), Column("Source")], rows)
    paper = ("Khalil et al. 2025: Membership Inference Attacks Beyond Overfitting", "https://arxiv.org/abs/2511.16792")
    version = str((results.get("versions") or {}).get("miajax") or "")
    return Section("Sources", "Whose attacks these are", [table, *provenance.citation_blocks(version, [paper])])


def _cards(results: Json) -> Cards:
    last = len(results["epochs"]) - 1
    accuracy, gap = results["accuracy"], results["gap"]
    cards = [
        Card("Accuracy on non-members", numbers.percent(accuracy["non_member"][last]),
             numbers.percent_interval(accuracy["non_member_ci"][last]), "after the last epoch"),
        Card("Generalisation gap", numbers.points(gap[last]), " to ".join(map(numbers.points, results["gap_ci"][last])),
             "members minus non-members"),
    ]  # fmt: skip
    for epoch in (results["histograms"]["epochs"][0], last + 1):
        entry = results["attacks"][results["main_attack"]]
        value, interval = (entry[field][_key(results)][epoch - 1] for field in ("tpr_at_fpr", "tpr_at_fpr_ci"))
        if value is not None:
            cards.append(Card(
                f"{face(results['main_attack']).label}, epoch {epoch}", numbers.percent(value),
                numbers.percent_interval(interval), f"of members at {numbers.level(results['fpr'])} FPR",
            ))  # fmt: skip
    return Cards(cards)


def _accuracy_traces(results: Json) -> list[curves.Trace]:
    return _side_traces(results["accuracy"])


def _side_traces(figure: Json) -> list[curves.Trace]:
    """Of accuracy or loss: members, non-members and, where there is one, the validation part."""
    traces = [
        curves.Trace(label, np.asarray(figure[side]), np.asarray(figure[f"{side}_ci"]), colour)
        for side, label, colour in (
            ("member", "members", palette.MEMBER), ("non_member", "non-members", palette.NON_MEMBER),
        )
    ]  # fmt: skip
    if figure["validation"] is not None:
        around = figure["validation_ci"]
        band = None if None in around else np.asarray(around)
        traces.append(curves.Trace("validation", np.asarray(figure["validation"]), band, palette.GREEN, "--"))
    return traces


def _attack_traces(results: Json, figure: str) -> list[curves.Trace]:
    """Of ``auc``, ``advantage`` or ``tpr``, the rate at the study's FPR."""
    traces = []
    for name in _with_rates(results) if figure == "tpr" else results["attacks"]:
        entry, look = results["attacks"][name], face(name)
        if figure == "tpr":
            values, band = entry["tpr_at_fpr"][_key(results)], entry["tpr_at_fpr_ci"][_key(results)]
        else:
            values, band = entry[figure], entry[f"{figure}_ci"]
        shown = np.array([np.nan if value is None else value for value in values], np.float64)
        ends = np.array([(np.nan, np.nan) if pair is None else pair for pair in band], np.float64)
        traces.append(curves.Trace(look.label, shown, ends, look.colour, look.dash))
    return traces


def _with_rates(results: Json) -> list[str]:
    """Attacks with a threshold to set; right or wrong has none."""
    return [name for name in results["attacks"] if name != "gap"]


def _marks(results: Json) -> list[plots.Mark]:
    stopping = results["early_stopping"]
    return [] if stopping is None else [plots.Mark(stopping["best_epoch"], "lowest validation loss")]


def _picture(
    traces: Sequence[curves.Trace], ylabel: str, marks: Sequence[plots.Mark], level: tuple[float, str] | None = None
) -> str:
    return plots.figure_to_data_uri(curves.epoch_figure(traces, ylabel=ylabel, marks=marks, level=level))


def _key(results: Json) -> str:
    return fpr_key(results["fpr"])


def _tpr_name(results: Json) -> str:
    return f"TPR at FPR {results['fpr']:g}"


def _estimate(figure: Json | None, decimals: int | None = None) -> numbers.Estimate:
    if figure is None:
        return numbers.Estimate(None, reason="Not resolvable with so few non-members.")
    return numbers.estimate(figure["value"], figure["ci"], decimals=decimals)
