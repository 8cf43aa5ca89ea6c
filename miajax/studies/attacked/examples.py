"""The examples that leak most and least: pictures, labels, and what models with and without them say."""

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from miajax.metrics.new_data import NewDataMeans
from miajax.report import numbers, palette, pictures, plots, spark
from miajax.report.page import Block, Column, Columns, Details, Exhibit, Figure, Gallery, Prose, Section, Table
from miajax.studies.attacked import words as lira_words
from miajax.studies.attacked.evidence import Evidence

_SHOWN = 8
_MOST_TIED = 512  # equals among which the farthest apart are looked for
_KEY = (("models trained without the example", palette.NON_MEMBER), ("models trained with it", palette.MEMBER))
REDACTED = Markup(
    "Records are redacted: examples appear by number only. <code>--show_records</code> shows labels and pictures."
)


def examples_section(evidence: Evidence) -> Section:
    """Which examples leak, how sure that is, and the extremes one by one."""
    inputs = evidence.inputs
    measured = np.flatnonzero(np.isfinite(inputs.vulnerability))
    if len(measured) == 0:
        return Section(
            "Examples",
            "No example has enough models with and without it to say how much it leaks",
            [Prose(["More shadow models are needed for figures about single examples."])],
        )
    shown = min(_SHOWN, max(1, len(measured) // 2))
    most, least = _extremes(evidence, measured, shown)
    blocks: list[Block] = [
        Columns([_vulnerability_figure(evidence), Prose(_explanation(evidence, len(measured)))]),
        _gallery(evidence, most, "Most exposed", ""),
        _gallery(evidence, least, "Least exposed", " An AUC below 0.5 is luck."),
    ]
    if not inputs.redacted:
        blocks.append(Details("Exposure by class", [_class_table(evidence)]))
    return Section(
        "Examples",
        lira_words.exposed_finding(
            int(np.count_nonzero(evidence.exposed)), len(measured), float(np.median(evidence.luckiest[measured]))
        ),
        blocks,
        _limits(evidence, len(measured)),
    )


def _extremes(
    evidence: Evidence, measured: Int[np.ndarray, " measured"], shown: int
) -> tuple[Int[np.ndarray, " shown"], Int[np.ndarray, " shown"]]:
    """The most and the least exposed examples; among equals at the top, those whose models lie farthest apart."""
    order = measured[np.argsort(-evidence.inputs.vulnerability[measured], kind="stable")]
    values = evidence.inputs.vulnerability[order]
    ahead, tied = order[values > values[shown - 1]], order[values == values[shown - 1]][:_MOST_TIED]
    tied = tied[np.argsort(-np.nan_to_num(_separation(evidence, tied)), kind="stable")]
    return np.concatenate([ahead, tied])[:shown], order[::-1][:shown]


def _separation(evidence: Evidence, examples: Int[np.ndarray, " examples"]) -> Float[np.ndarray, " examples"]:
    """How far models with and without each example lie apart, in standard deviations; NaN where they do not vary."""
    inputs = evidence.inputs
    signals = inputs.signals[:, examples].mean(axis=2)[inputs.valid].astype(np.float64)
    member = inputs.membership[inputs.valid][:, examples]
    means: list[np.ndarray] = []
    variances: list[np.ndarray] = []
    for side in (member, ~member):
        number = np.maximum(side.sum(axis=0), 1)
        means.append(np.where(side, signals, 0.0).sum(axis=0) / number)
        variances.append(np.where(side, (signals - means[-1]) ** 2, 0.0).sum(axis=0) / number)
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    return np.where(spread > 0, means[0] - means[1], np.nan) / np.where(spread > 0, spread, 1.0)


def _explanation(evidence: Evidence, measured: int) -> list[str]:
    num_in, num_out = evidence.num_in_and_out
    vulnerability = evidence.inputs.vulnerability
    top = float(np.nanmax(vulnerability))
    return [
        "The per-example AUC is the probability that a model trained on the example is more confident about it than a "
        "model that was not. At 0.5 nothing can be learned about the example; at 1 its presence in the training data "
        "can always be told.",
        f"The median of {numbers.counted(measured, 'example')} is {np.nanmedian(vulnerability):.3f}, the highest "
        f"{top:.3f}. Each rests on about {np.median(num_in):.0f} models with the example and "
        f"{np.median(num_out):.0f} without it.",
        *([REDACTED] if evidence.inputs.redacted else []),
    ]


def _limits(evidence: Evidence, measured: int) -> list[str]:
    reach = 2 * float(np.median(evidence.luck))
    limits = [
        f"A single example's AUC is uncertain by about ±{reach:.2f} (two standard errors), and the extremes are "
        "partly extreme by chance: measured again, they would lie closer to the middle.",
        *_on_new_data(evidence.inputs.found.new_data),
        "An example that does not stand out is not thereby safe: more models, or a stronger attack, may expose it.",
    ]
    missing = len(evidence.inputs.vulnerability) - measured
    if missing:
        has = "example has" if missing == 1 else "examples have"
        limits.append(f"{numbers.count(missing)} {has} too few models with or without them and are left out.")
    return limits


def _on_new_data(found: NewDataMeans | None) -> list[str]:
    """How much lower the AUCs are for training sets that do not come from one pool."""
    if found is None:
        return []
    corrected, low = found.mean_auc_new_data.value, found.mean_auc_new_data_low
    lead = (
        "These AUCs are of models trained on parts of one pool, which vary less than models trained on new data. With "
        "every training set drawn anew, the mean over examples"
    )
    if corrected is None:
        return [f"{lead} would lie between {low:.3f} and the {found.mean_auc:.3f} found here."]
    return [f"{lead} would be about {corrected:.3f} instead of {found.mean_auc:.3f} (at least {low:.3f})."]


def _vulnerability_figure(evidence: Evidence) -> Figure:
    vulnerability = evidence.inputs.vulnerability
    values = vulnerability[np.isfinite(vulnerability)]
    deviation = float(np.median(evidence.luck))
    x = np.linspace(0.5 - 4 * deviation, 0.5 + 4 * deviation, 121)
    harmless = np.exp(-0.5 * ((x - 0.5) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    figure = plots.histogram_figure(
        [plots.Sample("measured", values, palette.ACCENT)],
        xlabel="per-example AUC",
        bins=2 * plots.supported_bins([values]),
        overlay=("if no example leaked", x, harmless),
        clip=(0.0, 0.0),
    )
    return Figure(
        plots.figure_to_data_uri(figure),
        f"Histogram of the per-example AUC: median {np.median(values):.3f}, highest {values.max():.3f}.",
        "How exposed single examples are. The dashed line is what this many models would show if no example leaked.",
    )


def _gallery(evidence: Evidence, examples: Int[np.ndarray, " shown"], title: str, remark: str) -> Gallery:
    inputs = evidence.inputs
    signals = inputs.signals[:, examples].mean(axis=2)  # [M, shown]
    member, valid = inputs.membership[:, examples], inputs.valid
    shown, apart = _picture_uris(evidence, examples), _separation(evidence, examples)
    exhibits: list[Exhibit] = []
    for column, example in enumerate(examples):
        inside = signals[valid & member[:, column], column]
        outside = signals[valid & ~member[:, column], column]
        edges = plots.common_edges([inside, outside], min(24, 2 * plots.supported_bins([inside, outside])))
        alt = f"Scaled logits of example {example}: mean {_mean(inside)} in models with it, {_mean(outside)} without."
        lines = [] if inputs.redacted else [_class_name(evidence, int(inputs.labels[example]))]
        lines.append(f"AUC {inputs.vulnerability[example]:.3f}")
        if np.isfinite(apart[column]):
            lines.append(f"{numbers.fixed(apart[column], 1)} SD apart")
        exhibits.append(
            Exhibit(
                f"Example {example}",
                [*lines, f"{len(inside)} in, {len(outside)} out"],
                shown[column],
                (spark.two_histograms([outside, inside], edges), alt),
            )
        )
    caption = "Histograms of the example's scaled logit over all models." + remark
    return Gallery(exhibits, title, caption, key=_KEY)


def _picture_uris(evidence: Evidence, examples: Int[np.ndarray, " shown"]) -> list[list[tuple[str, str]]]:
    inputs = evidence.inputs
    if inputs.pictures is None or inputs.redacted:
        return [[] for _ in examples]
    chosen = pictures.as_bytes(inputs.pictures[examples], float(inputs.pictures.min()), float(inputs.pictures.max()))
    names = [_class_name(evidence, int(inputs.labels[example])) for example in examples]
    return [
        [(pictures.png_data_uri(picture), f"Picture of example {example}, {name}")]
        for picture, example, name in zip(chosen, examples, names, strict=True)
    ]


def _class_table(evidence: Evidence) -> Table:
    inputs, labels = evidence.inputs, evidence.inputs.labels
    finite = np.isfinite(inputs.vulnerability)
    rows: list[tuple[str, int, float | None, int]] = []
    for label in np.unique(labels):
        own = (labels == label) & finite
        mean = float(inputs.vulnerability[own].mean()) if own.any() else None
        exposed = int(np.count_nonzero(evidence.exposed & own))
        rows.append((_class_name(evidence, int(label)), int(np.count_nonzero(labels == label)), mean, exposed))
    rows.sort(key=lambda row: -(row[2] if row[2] is not None else -1.0))
    columns = [
        Column("Class"),
        Column("Examples", "count"),
        Column("Mean AUC", "number"),
        Column("Standing out", "count"),
    ]
    return Table(columns, rows)


def _class_name(evidence: Evidence, label: int) -> str:
    names = evidence.inputs.class_names
    return f"class {names[label] if label < len(names) else label}"


def _mean(values: Float[np.ndarray, " models"]) -> str:
    return f"{values.mean():.1f}" if len(values) else numbers.DASH
