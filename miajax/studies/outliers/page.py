"""The report on why examples leak: which outlier metric foretells vulnerability, and what such examples look like."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from miajax.report import clouds, numbers, palette, pictures, plots
from miajax.report.group_words import how
from miajax.report.page import (
    Block,
    Card,
    Cards,
    Cell,
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
from miajax.studies.campaign_page import campaign_page, limits_section, sources_section
from miajax.studies.outliers import words as outliers_words
from miajax.studies.outliers.evidence import OutliersReportInputs
from miajax.studies.outliers.figures import MetricFound, Name, Outliers
from miajax.studies.outliers.words import FIGURES, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_MOST_GAINING = 5  # metrics that the table on circularity shows at once
_FAMILIES = {
    "geometry of inputs": palette.SLATE, "of features": palette.BLUE, "of logits": palette.SKY,
    "ensemble": palette.VERMILION, "training dynamics": palette.GREEN,
}  # fmt: skip
_OF_SPACE = {"input": "geometry of inputs", "feature": "of features", "logit": "of logits"}
_OF_FAMILY = {"ensemble": "ensemble", "dynamics": "training dynamics"}
_SOURCES = (
    ("Khalil et al. 2025: Membership Inference Attacks Beyond Overfitting", "https://arxiv.org/abs/2511.16792"),
    ("Carlini et al. 2022: Membership Inference Attacks From First Principles", "https://arxiv.org/abs/2112.03570"),
)


def render_outliers_report(inputs: OutliersReportInputs) -> str:
    """Returns the report as one self-contained HTML document."""
    found = inputs.found
    facts = [
        ("Data set", found.head.dataset),
        ("Model", found.head.model),
        ("Models", numbers.count(found.head.num_valid)),
        ("Examples", numbers.count(found.head.num_examples)),
        ("Metrics", numbers.count(len(found.metrics))),
    ]
    sections = [
        Section("Summary", outliers_words.best_finding(found), [_cards(found), Prose(_summary(found))]),
        _metrics(found),
        _best_metric(inputs),
        _by_fit(found),
        _circularity(found),
        *_by_group(found),
        *_embeddings(inputs),
        *_pictures(inputs),
        _ensemble(inputs),
    ]
    page = Page(
        kicker="Outliers and membership inference",
        title=f"Which examples leak, on {found.head.dataset}",
        subtitle=outliers_words.best_finding(found) + ".",
        facts=facts,
        sections=sections,
    )
    return campaign_page(page, found, inputs.run, _limits(found), [_sources(found)])


def metrics_figure(found: Outliers) -> "MatplotlibFigure":
    """Returns all metrics' figures with intervals, for ``plots.save_png``."""
    names, ceiling = _in_order(found), found.ceiling
    columns: list[tuple[str, list[clouds.Row]]] = []
    for figure, title in FIGURES.items():
        rows: list[clouds.Row] = []
        for name in names:
            metric = found.metrics[name]
            low, high = metric.all[figure].interval or (np.nan, np.nan)
            value = metric.all[figure].value
            rows.append(clouds.Row(label(name), np.nan if value is None else value, low, high, _colour(metric)))
        columns.append((title, rows))
    named = {"spearman": "other half's vulnerability"}  # once is enough
    marks = [
        None if (value := ceiling[figure].value) is None else plots.Mark(value, named.get(figure, ""))
        for figure in FIGURES
    ]
    return clouds.forest_figure(columns, marks=marks, key=_FAMILIES)


def _summary(found: Outliers) -> list[str]:
    return [
        *outliers_words.best_sentences(found), outliers_words.paper_sentence(found),
        outliers_words.ceiling_sentence(found),
    ]  # fmt: skip


def _by_group(found: Outliers) -> list[Section]:
    """Metrics of groups beside those of rows; nothing where members are rows."""
    of = found.per_group
    if of is None:
        return []
    rows: list[list[Cell]] = [
        [
            label(name), numbers.shown(found.metrics[name].all["spearman"], 3),
            *(numbers.shown(of.metrics[name].all[figure], 3) for figure in FIGURES),
        ]
        for name in _in_order(found) if name in of.metrics
    ]  # fmt: skip
    rows.append(["(vulnerability of the other half)", numbers.shown(found.ceiling["spearman"], 3),
                 *(numbers.shown(of.ceiling[figure], 3) for figure in FIGURES)])  # fmt: skip
    columns = [
        Column("Metric"), Column(FIGURES["spearman"], "number", "by row"),
        *(Column(title, "number", "by group") for title in FIGURES.values()),
    ]  # fmt: skip
    first = of.best["all"].get("spearman")
    finding = (
        "No metric of groups was measured"
        if first is None
        else f"Of groups, {label(first.metric)} ranks vulnerability best (Spearman {first.value:.3f})"
    )
    if first is not None and first.not_told_apart:
        finding += f"; {numbers.counted(len(first.not_told_apart), 'other')} may equal it"
    caption = (
        f"{numbers.count(of.num_known)} of {numbers.counted(of.num_groups, 'group')}. A group's metric is the mean "
        "over its rows; it is vulnerable as far as the means of its rows' scaled logits lie apart. Intervals resample "
        "groups and models."
    )
    return [Section("By group", finding, [Prose([how("group")]), Table(columns, rows, caption, [len(rows) - 1])])]


def _metrics(found: Outliers) -> Section:
    rows: list[list[Cell]] = []
    for name in _in_order(found):
        metric = found.metrics[name]
        rows.append([label(name), metric.meaning, *(numbers.shown(metric.all[figure], 3) for figure in FIGURES)])
    rows.append(["(vulnerability of the other half)", "what noise alone leaves", *(
        numbers.shown(found.ceiling[figure], 3) for figure in FIGURES)])  # fmt: skip
    columns = [Column("Metric"), Column("High means"), *(Column(title, "number") for title in FIGURES.values())]
    skipped = [f"{label(name)}: {reason}." for name, reason in found.metrics_not_run.items()]
    blocks: list[Block] = [
        Figure(
            plots.figure_to_data_uri(metrics_figure(found)),
            f"Every metric's rank correlation, precision and AUC. {outliers_words.best_finding(found)}.",
            "Metric from one half of the models, vulnerability from the other, both ways round. Bars are 95 % "
            "intervals that let examples and models vary.",
        ),
        Details("All figures", [Table(columns, rows, "Brackets are 95 % intervals.", [len(rows) - 1])]),
    ]
    if skipped:
        blocks.append(Details("Metrics that were not measured", [Points(skipped)]))
    limits = [
        "Vulnerability is how far the scaled logits of models with and without an example lie apart (as the AUC of two "
        "Gaussians). results.json also holds every figure for the share of models in which LiRA names the example.",
        "Bootstrap and jackknife hold a metric's own pool fixed: centroids and neighbours are those of this data set.",
        "Intervals are for one metric at a time, and the best is chosen on the figures that it is shown with.",
    ]
    return Section("Metrics", outliers_words.ranking_finding(found), blocks, limits)


def _best_metric(inputs: OutliersReportInputs) -> Section:
    found = inputs.found
    best = found.best["all"]
    names = list(dict.fromkeys([best["spearman"].metric, best["precision_at_1pct"].metric, *_of_paper(found)]))
    level = float(np.nanquantile(inputs.separation, 0.99))
    hard = inputs.fit < np.nanmedian(inputs.fit)
    shown: list[Block] = []
    for name in names[:2]:
        known = np.isfinite(inputs.metrics[name]) & np.isfinite(inputs.separation)
        figure = clouds.scatter_figure(
            inputs.metrics[name][known], inputs.separation[known], hard[known], xlabel=label(name),
            ylabel="vulnerability (per-example AUC)", level=(level, "top 1 %"),
        )  # fmt: skip
        shown.append(Figure(
            plots.figure_to_data_uri(figure), f"{label(name)} against vulnerability, one point an example.",
            "One point an example, both numbers from all models; hard to fit is the half with the lower scaled logit "
            "in models trained on it.", label(name),
        ))  # fmt: skip
    finding = outliers_words.paper_sentence(found).split(";")[0].rstrip(".")
    limits = ["Here both numbers come from the same models: the picture flatters metrics of the ensemble."]
    return Section("Outliers", finding, [Columns(shown), Prose([outliers_words.paper_sentence(found)])], limits)


def _by_fit(found: Outliers) -> Section:
    figures: tuple[Name, ...] = ("spearman", "precision_at_1pct")
    rows = [
        [label(name), *(numbers.shown(of[figure], 3) for of in (metric.easy, metric.hard) for figure in figures)]
        for name, metric in ((name, found.metrics[name]) for name in _in_order(found))
    ]
    columns = [Column("Metric"), *(
        Column(f"{part} to fit", "number", FIGURES[figure]) for part in ("Easy", "Hard") for figure in figures)
    ]  # fmt: skip
    said = [outliers_words.fit_sentence(found)]
    parts: tuple[Literal["easy", "hard"], ...] = ("easy", "hard")
    for part in parts:
        best = found.best[part].get("spearman")
        if best is not None:
            metric = found.metrics[best.metric]
            ranking = metric.easy if part == "easy" else metric.hard
            said.append(
                f"Among examples that are {part} to fit, {label(best.metric)} ranks best (Spearman "
                f"{outliers_words.with_interval(ranking.spearman)})."
            )
    blocks: list[Block] = [Prose(said), Details("Every metric on either half", [Table(columns, rows)])]
    limits = [
        "Easy and hard are the halves of the examples by their mean scaled logit in models trained on them; the top "
        "1 % is taken within each half.",
        "The shares' intervals let examples vary, not models (Clopper-Pearson).",
    ]
    return Section("Easy and hard", outliers_words.fit_finding(found), blocks, limits)


def _circularity(found: Outliers) -> Section:
    rows: list[list[Cell]] = []
    for name in sorted(found.metrics, key=lambda each: -(outliers_words.gain(found.metrics[each]) or 0.0)):
        metric = found.metrics[name]
        rows.append([
            label(name),
            *(numbers.estimate(value, decimals=3) for figure in FIGURES
              for value in (metric.all[figure].value, getattr(metric.same_models, figure))),
        ])  # fmt: skip
    columns = [Column("Metric")]
    columns += [Column(title, "number", which) for title in FIGURES.values() for which in ("apart", "same models")]
    text = (
        "A metric computed from the very models whose scores measure vulnerability shares their noise, so that it "
        "seems to foretell more than it does. Everywhere else in this report the two come from disjoint halves. The "
        "same models are also twice as many, which helps every metric a little."
    )
    first, rest = Table(columns, rows[:_MOST_GAINING]), Table(columns, rows[_MOST_GAINING:])
    blocks: list[Block] = [Prose([text]), first, *([Details("The other metrics", [rest])] if rest.rows else [])]
    return Section("Circularity", outliers_words.circular_finding(found), blocks)


def _embeddings(inputs: OutliersReportInputs) -> list[Section]:
    if not inputs.panels:
        return []
    found, names = inputs.found, {"feature": "penultimate features", "logit": "logits"}
    blocks: list[Block] = []
    for space in inputs.panels[0].points:
        shown = [panel for panel in inputs.panels if len(panel.points[space])]
        if not shown:
            continue
        figure = clouds.cloud_figure([
            clouds.Cloud(_class_name(inputs, panel.label), panel.points[space],
                         {f"named at {numbers.level(fpr)} FPR": hit for fpr, hit in panel.named.items()})
            for panel in shown
        ])  # fmt: skip
        blocks.append(Figure(
            plots.figure_to_data_uri(figure),
            f"t-SNE of the {names[space]} of each class, with the examples that LiRA names circled.",
            f"Members of model {found.models_shown}, each class embedded alone by t-SNE of its {names[space]}.",
            names[space].capitalize(),
        ))  # fmt: skip
    widest = max(inputs.panels[0].named)
    total = sum(len(panel.examples) for panel in inputs.panels)
    hits = sum(int(panel.named[widest].sum()) for panel in inputs.panels)
    finding = (
        f"LiRA names {numbers.count(hits)} of {numbers.count(total)} members shown of one model at "
        f"{numbers.level(widest)} FPR"
    )
    limits = [
        "One model, chosen by its number. t-SNE keeps neighbourhoods, not distances: what lies at the rim of a picture "
        "need not be an outlier.",
    ]
    return [Section("Embeddings", finding, blocks, limits)] if blocks else []


def _pictures(inputs: OutliersReportInputs) -> list[Section]:
    if not inputs.panels or inputs.pictures is None or inputs.redacted:
        return []
    low, high = float(inputs.pictures.min()), float(inputs.pictures.max())
    rows: list[tuple[str, list[clouds.Tile], list[clouds.Tile]]] = []
    hits, count = {"nearest": 0, "farthest": 0}, 0
    for panel in inputs.panels:
        named = panel.named[max(panel.named)]
        ends: list[list[clouds.Tile]] = []
        for end, positions in zip(("nearest", "farthest"), panel.ends, strict=True):
            shown = pictures.as_bytes(inputs.pictures[panel.examples[positions]], low, high)
            ends.append([clouds.Tile(picture, bool(hit)) for picture, hit in zip(shown, named[positions], strict=True)])
            hits[end] += int(named[positions].sum())
        count += len(ends[0])
        rows.append((_class_name(inputs, panel.label), ends[0], ends[1]))
    if not count:
        return []
    finding = (
        f"Of the farthest from their class's centroid LiRA names {hits['farthest']} of {count}, of the nearest "
        f"{hits['nearest']}"
    )
    figure = clouds.picture_rows_figure(rows, titles=("nearest to the centroid", "farthest, the outermost first"))
    picture = Figure(
        plots.figure_to_data_uri(figure), f"Pictures by class. {finding}.",
        f"By class, members of model {inputs.found.models_shown} by their distance from the class's centroid; "
        f"framed: named by LiRA at {numbers.level(max(inputs.panels[0].named))} FPR.",
    )  # fmt: skip
    return [Section("Pictures", finding, [picture], ["One model's training set: an impression, not a measurement."])]


def _ensemble(inputs: OutliersReportInputs) -> Section:
    found = inputs.found.memorisation
    finding = (
        f"{numbers.percent(found.share_above_quarter)} of the examples are memorised by a quarter or more: right in "
        "models trained on them, wrong in others"
    )
    text = (
        f"Mean memorisation is {found.mean:.3f}; a single example's is uncertain by about "
        f"{found.median_standard_error:.2f} (one standard error). Models that did not train on an example are right "
        f"about {numbers.percent(found.mean_consistency)} of them, the consistency score's mean."
    )
    exhibits: list[Exhibit] = []
    for pair in inputs.found.influence_pairs:
        uris = []
        if inputs.pictures is not None and not inputs.redacted:
            both = np.array([pair.example, pair.on])
            low, high = float(inputs.pictures.min()), float(inputs.pictures.max())
            uris = [
                (pictures.png_data_uri(picture), f"Picture of example {example}")
                for picture, example in zip(pictures.as_bytes(inputs.pictures[both], low, high), both, strict=True)
            ]
        lines = [f"+{pair.influence:.2f} ± {pair.standard_error:.2f}"]
        if not inputs.redacted:
            lines.append(" → ".join(_class_name(inputs, int(inputs.labels[i])) for i in (pair.example, pair.on)))
        exhibits.append(Exhibit(f"{pair.example} → {pair.on}", lines, uris))
    gallery = Gallery(
        exhibits, "Strongest influences",
        "Training on the first raises the probability of the second's label by so much (± one standard error). They "
        "are the largest of all pairs, so partly luck.",
    )  # fmt: skip
    return Section("Memorisation and influence", finding, [Prose([text]), gallery])


def _limits(found: Outliers) -> Section:
    items = [
        f"All figures rest on {numbers.counted(found.vulnerability.num_examples, 'example')} that every metric "
        "measures in both halves of the models.",
        "Half of the models stand behind each number; with all of them both metrics and vulnerability are less noisy, "
        "so that rank correlations here lean towards 0.",
        "Geometry of features and logits is that of single models' training sets, averaged over few models.",
        "They hold for this data, recipe and attack: a lower bound on leakage, not a proof of safety.",
    ]
    finding = "Correlation is not protection: a metric that ranks well still misses examples"
    return limits_section(finding, items, found.notes, title="")


def _sources(found: Outliers) -> Section:
    rows = [[label(name), metric.source] for name, metric in found.metrics.items()]
    table = Table([Column("Metric"), Column("Source")], rows)
    return sources_section("Whose metrics these are", found.head.versions, _SOURCES, [table])


def _cards(found: Outliers) -> Cards:
    cards: list[Card] = []
    for figure, of in found.best["all"].items():
        low, high = found.metrics[of.metric].all[figure].interval or (np.nan, np.nan)
        cards.append(Card(f"{FIGURES[figure]}, best", f"{of.value:.2f}", f"{low:.2f} to {high:.2f}", label(of.metric)))
    noise = found.ceiling.spearman.value
    told = numbers.DASH if noise is None else f"{noise:.2f}"
    cards.append(Card("Other half's vulnerability", told, "", "Spearman, for comparison"))
    return Cards(cards)


def _in_order(found: Outliers) -> list[str]:
    """Metrics by rank correlation, the highest first."""
    values = {name: metric.all.spearman.value for name, metric in found.metrics.items()}
    return sorted(values, key=lambda name: 2.0 if (value := values[name]) is None else -value)


def _of_paper(found: Outliers) -> list[str]:
    wanted = ("feature_centroid_distance", "logit_centroid_distance", "input_centroid_distance")
    return [name for name in wanted if name in found.metrics]


def _colour(metric: MetricFound) -> str:
    return _FAMILIES[_OF_SPACE[metric.space] if metric.space else _OF_FAMILY[metric.family]]


def _class_name(inputs: OutliersReportInputs, label: int) -> str:
    return f"class {inputs.class_names[label] if label < len(inputs.class_names) and not inputs.redacted else label}"
