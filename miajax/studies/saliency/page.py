"""The report on saliency: where models look, and what their having seen an example changes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from miajax.metrics.claims import against
from miajax.report import numbers, plots
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Column, Exhibit, Figure, Gallery, Page, Prose, Section, Table
from miajax.studies.campaign_page import Run, campaign_page, limits_section, sources_section
from miajax.studies.saliency import pictures as saliency_pictures
from miajax.studies.saliency.results import Compared, Mean, Related, Saliency
from miajax.studies.saliency.said import Said
from miajax.studies.saliency.side_by_side import Side, side_by_side_figure

_SIGNS = {"above": 1, "below": -1, "not shown": 0}
_SOURCES = (
    (
        "M. Khalil, A. Blanco-Justicia, N. Jebreel, J. Domingo-Ferrer: Membership Inference Attacks Beyond "
        "Overfitting, 2025.",
        "https://arxiv.org/abs/2511.16792",
    ),
    ("R. Selvaraju and others: Grad-CAM, 2017.", "https://arxiv.org/abs/1610.02391"),
    ("M. Sundararajan, A. Taly, Q. Yan: Axiomatic Attribution for Deep Networks, 2017.",
     "https://arxiv.org/abs/1703.01365"),
    ("D. Smilkov and others: SmoothGrad, 2017.", "https://arxiv.org/abs/1706.03825"),
)  # fmt: skip
_GROUPS = {
    "vulnerable": "Most vulnerable", "safe": "Least vulnerable",
    "nearest": "Nearest to their class's centroid", "farthest": "Farthest from their class's centroid",
}  # fmt: skip


_SIGNED_KEY = saliency_pictures.key(
    {"for the label": 1.0, "half as much": 0.5, "nothing": 0.0, "against it": -1.0, "no such model": np.nan}
)
_STRENGTH_KEY = saliency_pictures.key({"most relevant": 1.0, "half as much": 0.5, "nothing": 0.0})
_PAIRS = 4  # vulnerable and protected examples that stand side by side


@dataclasses.dataclass(frozen=True, eq=False)
class SaliencyReportInputs:
    """What the report is made from.

    Attributes:
      found: by the study.
      run: whose models they are.
      groups: ids of the galleries' examples.
      pictures: ``[N, H, W, K]``, or None where there are none or they may not be shown.
      labels, class_names: of the pool.
      vulnerability: ``[N]``.
      distance: ``[N]``, from the own class's centroid in one model's training set; NaN outside it.
      maps: by method and id, the mean map over models.
      counterfactuals: by method and id, mean maps of models that saw the example, that did not, and the difference.
      shifts: by method, ``(vulnerability, shift)`` of the examples drawn.
      said: of the galleries' vulnerable and safe examples, what LiRA says by the models of the maps.
    """

    found: Saliency
    run: Run
    groups: Mapping[str, np.ndarray]
    pictures: np.ndarray | None
    labels: np.ndarray
    class_names: Sequence[str]
    vulnerability: np.ndarray
    distance: np.ndarray
    maps: Mapping[str, Mapping[int, np.ndarray]]
    counterfactuals: Mapping[str, Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]]]
    shifts: Mapping[str, tuple[np.ndarray, np.ndarray]]
    said: Mapping[int, Said]


def render_saliency_report(inputs: SaliencyReportInputs) -> str:
    """Returns the report as one self-contained HTML document."""
    found = inputs.found
    counterfactual = _counterfactual_finding(found)
    sections = [
        Section("Summary", relevance_finding(found), [Prose([counterfactual + ".", _how(found)])]),
        _relevance(found), _counterfactual(inputs), *_side_by_side(inputs), *_features(found), *_by_group(found),
        _galleries(inputs),
    ]  # fmt: skip
    seen = inputs.pictures is not None or found.features is not None
    page = Page(
        kicker="Saliency of vulnerable predictions",
        title=f"Where models look, on {found.head.dataset}",
        subtitle=relevance_finding(found) + ".",
        facts=[
            ("Data set", found.head.dataset),
            ("Model", found.head.model),
            ("Models of the run", numbers.count(found.head.num_valid)),
            ("Methods", numbers.count(len(found.methods))),
        ],
        banners=[] if seen else ["Examples are not shown: the data set is yours. --show_records shows them."],
        sections=sections,
    )
    return campaign_page(
        page,
        found,
        inputs.run,
        _limits(found),
        [sources_section("Whose maps and claim these are", found.head.versions, _SOURCES)],
    )


def _short(method: str) -> str:
    """A name that fits over a small picture."""
    return {"gradient_times_input": "grad. x input", "integrated_gradients": "integrated"}.get(method, _named(method))


def _named(method: str) -> str:
    return {"grad_cam": "Grad-CAM", "smooth_grad": "SmoothGrad"}.get(method, method.replace("_", " "))


def _shown(mean: Mean) -> Estimate:
    return numbers.shown(mean, 3)


def _verdicts(found: Saliency) -> list[int]:
    """Of every method, 1 where vulnerable examples have more mass on the background, -1 less, 0 not told apart."""
    backgrounds = [of.background for of in found.methods.values()]
    differences = [of.excess.difference for of in backgrounds if of is not None]
    return [_SIGNS[against(each.interval, 0.0)] for each in differences if each.interval is not None]


def relevance_finding(found: Saliency) -> str:
    """Whether vulnerable predictions rest on the background, in one sentence without its full stop."""
    verdicts = _verdicts(found)
    if not verdicts:
        return _deletion_finding(found)
    total, more, less = len(verdicts), verdicts.count(1), verdicts.count(-1)
    every = "the one map" if total == 1 else f"all {total} maps"
    if more == total:
        return f"Vulnerable predictions rest more on the background than safe ones, by {every} that can tell"
    if less == total:
        return f"Vulnerable predictions rest less on the background than safe ones, by {every} that can tell"
    if more == less == 0:
        return "No map is shown to put vulnerable predictions more or less on the background than safe ones"
    return (
        f"Whether vulnerable predictions rest on the background depends on the map: more by {more} of {total}, "
        f"less by {less}"
    )


def _deletion_finding(found: Saliency) -> str:
    signs = [_SIGNS[against(of.deletion.difference.interval, 0.0)] for of in found.methods.values()]
    faster, slower = signs.count(-1), signs.count(1)
    if faster > slower and faster * 2 > len(signs):
        return "The label's probability of vulnerable examples falls faster as the most relevant inputs go"
    if slower > faster and slower * 2 > len(signs):
        return "The label's probability of vulnerable examples falls more slowly as the most relevant inputs go"
    return "Deleting the most relevant inputs is not shown to tell vulnerable from safe examples"


def _how(found: Saliency) -> str:
    count = len(found.groups["vulnerable"])
    return (
        f"Compared are the {count} most and the {count} least vulnerable examples by the AUC of their scaled logit "
        f"among even models; maps are those of {found.map_models} odd models, for the logit of the label, and "
        "count where a model trained on the example."
    )


def _relevance(found: Saliency) -> Section:
    methods = found.methods
    rows: list[list[Any]] = []
    for name, of in methods.items():
        why = found.background_not_measured.get(name, "")
        unseen = [Estimate(None, None, why[:1].upper() + why[1:] + ".")] * 3
        seen, left = of.background, of.deletion
        background = [] if seen is None else [seen.vulnerable, seen.safe, seen.excess.difference]
        shown = map(_shown, (*background, left.vulnerable, left.safe, left.difference))
        rows.append([_named(name), *(unseen if seen is None else []), *shown])
    columns = [
        Column("Map"), Column("Background", "number", "vulnerable"), Column("Background", "number", "safe"),
        Column("Difference", "number", "beyond the pixels' share"), Column("Left", "number", "vulnerable"),
        Column("Left", "number", "safe"), Column("Difference", "number"),
    ]  # fmt: skip
    shares = next((of.background.share for of in methods.values() if of.background is not None), None)
    text = (
        "Background is the share of a map's magnitude on pixels where nothing is drawn"
        + (f" ({numbers.percent(shares.vulnerable)} of the pixels of vulnerable, {numbers.percent(shares.safe)} "
           "of safe examples)" if shares else "")
        + ". Left is the mean probability of the label, over its start, while up to half of the pixels are deleted, "
        "the most relevant first: the lower, the more the prediction rests on them."
    )  # fmt: skip
    blocks: list[Block] = [
        Table(columns, rows, "Means over examples; brackets are 95 % intervals over examples."),
        Figure(
            plots.figure_to_data_uri(saliency_pictures.deletion_figure(methods)),
            "Deletion curves by map. " + _deletion_finding(found),
            _deletion_finding(found) + ".",
        ),
        Prose([text, *_completeness(found)]),
    ]
    return Section(
        "Relevance", relevance_finding(found), blocks,
        [
            "Background is what is empty, not what is irrelevant: a stroke's edge can matter.",
            "The two groups differ in class and difficulty too; nothing here says which of it makes the difference.",
        ],
    )  # fmt: skip


def _completeness(found: Saliency) -> list[str]:
    of = found.completeness
    if of is None:
        return []
    return [
        "Integrated gradients should add up to the change of the logit from nothing to the example: with at most "
        f"{numbers.counted(of.most_steps, 'point')}, {numbers.percent(of.share_within)} of the maps do to "
        f"{of.tolerance:g} of the logit; the median gap is {numbers.plain(of.median)} of it, the largest "
        f"{numbers.plain(of.largest)} (large where the logit is near 0). --most_steps allows more."
    ]


def _counterfactual_finding(found: Saliency) -> str:
    """One sentence on the first method, chosen before anything is measured; the others' figures stand beside it."""
    (name, first), *others = found.counterfactual.items()
    if first.spearman.value is None:
        return "Too few models on each side to tell what having seen an example changes"
    standing = against(first.spearman.interval, 0.0)
    interval = "; ".join(_spearman(*each) for each in ((name, first), *others))
    if standing == "above":
        return f"The more vulnerable an example, the more its presence in training moves where models look ({interval})"
    if standing == "below":
        return f"The more vulnerable an example, the less its presence in training moves where models look ({interval})"
    return f"How far presence in training moves a map is not shown to go with vulnerability ({interval})"


def _spearman(name: str, of: Related) -> str:
    if of.spearman.value is None or of.spearman.interval is None:
        return f"{_named(name)} unknown"
    figure = str(numbers.shown(of.spearman, 2)).replace("-", "−")
    return f"Spearman {figure} by {_named(name)}"


def _counterfactual(inputs: SaliencyReportInputs) -> Section:
    found = inputs.found
    rows = [
        [_named(name), *map(_shown, (of.spearman, of.vulnerable, of.safe, of.difference)), of.num_examples]
        for name, of in found.counterfactual.items()
    ]
    columns = [
        Column("Map"), Column("Spearman", "number", "shift and vulnerability"), Column("Shift", "number", "vulnerable"),
        Column("Shift", "number", "safe"), Column("Difference", "number"), Column("Examples", "count"),
    ]  # fmt: skip
    finding = _counterfactual_finding(found)
    blocks: list[Block] = [
        Figure(
            plots.figure_to_data_uri(saliency_pictures.shift_figure(inputs.shifts)),
            "Shift of each example's map against its vulnerability. " + finding,
            "One point an example, drawn at random. A shift of 1 moves the mean map as far as two models differ; "
            "0 is no change.",
        ),
        Table(
            columns, rows, "Maps of unit length, examples drawn at random. Brackets are 95 % intervals over examples."
        ),
    ]
    for name, maps in inputs.counterfactuals.items():
        if inputs.pictures is None:
            continue
        exhibits = [_triple(inputs, int(i), maps[int(i)]) for i in inputs.groups["vulnerable"] if int(i) in maps]
        blocks.append(
            Gallery(
                exhibits,
                f"{_named(name)}: the most vulnerable examples",
                "Below each: mean map of models that saw it; of models that did not; the difference.",
                _SIGNED_KEY,
            )
        )
    return Section(
        "Counterfactual", finding, blocks,
        ["The shift is estimated without bias, so that it can be negative where nothing changes."],
    )  # fmt: skip


def _side_by_side(inputs: SaliencyReportInputs) -> list[Section]:
    """The most vulnerable examples, each beside one of the least vulnerable; nothing where none may be shown."""
    methods = [name for name in ("grad_cam", *inputs.counterfactuals) if name in inputs.counterfactuals]
    if inputs.pictures is None or not methods:
        return []
    maps = inputs.counterfactuals[methods[0]]
    pairs = list(zip(inputs.groups["vulnerable"][:_PAIRS], inputs.groups["safe"][:_PAIRS], strict=False))
    scale = f"{_named(methods[0])} of a pixel, in maps of length 1"
    blocks: list[Block] = []
    for left, right in pairs:
        ids = int(left), int(right)
        if not all(i in maps for i in ids):
            continue
        sides = [
            Side(f"{kind}: {_title(inputs, i)}", _said(inputs, i), inputs.pictures[i], *maps[i][:2])
            for kind, i in zip(("Vulnerable", "Protected"), ids, strict=True)
        ]
        told = "; ".join(f"{side.heading}. {' '.join(side.lines)}" for side in sides)
        drawn = side_by_side_figure(sides, scale=scale)
        blocks.append(Figure(plots.figure_to_data_uri(drawn), told, f"Mean {_named(methods[0])} maps over models."))
    if not blocks:
        return []
    finding = (
        f"{numbers.counted(len(blocks), 'vulnerable example')} beside protected ones, as models see them that trained "
        "on them and that did not"
    )
    text = (
        "LiRA's scores are medians over the models of the maps as targets; none of them chose the examples. A "
        "threshold at the score of models that trained on the example has the false-positive and the true-positive "
        "rate that stand beside it, over all examples."
    )
    return [Section("Side by side", finding, [Prose([text]), *blocks], ["A few extremes, not a measurement."])]


def _said(inputs: SaliencyReportInputs, i: int) -> list[str]:
    """What LiRA says of an example, in two short lines."""
    of = inputs.said.get(i)
    if of is None or np.isnan(of.seen):
        return [f"{_auc(inputs, i)}; LiRA's score is not known"]
    unseen = "unknown" if np.isnan(of.unseen) else _score(of.unseen)
    return [
        f"{_auc(inputs, i)}. LiRA's score: {_score(of.seen)} if trained on, {unseen} if not",
        f"A threshold at {_score(of.seen)} has FPR {numbers.rate(of.fpr)}, TPR {numbers.rate(of.tpr)}",
    ]


def _score(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _triple(inputs: SaliencyReportInputs, i: int, maps: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Exhibit:
    assert inputs.pictures is not None
    picture, shape = inputs.pictures[i], inputs.pictures.shape[1:]
    largest = max(float(np.nanmax(np.abs(a.reshape(*shape[:2], -1).sum(-1)), initial=0.0)) for a in maps)
    drawn = [saliency_pictures.signed(a, shape, largest) for a in maps]
    told = f"example {i}: maps of models that saw it, that did not, and the difference"
    titles = ("saw it", "did not", "difference")
    return Exhibit(
        _title(inputs, i),
        [_auc(inputs, i)],
        [(saliency_pictures.plain(picture), f"example {i}")],
        (saliency_pictures.strip(drawn, titles), told),
    )


def _auc(inputs: SaliencyReportInputs, i: int) -> str:
    auc = numbers.finite(inputs.vulnerability[i])
    return "AUC unknown" if auc is None else f"AUC {auc:.2f}"


def _title(inputs: SaliencyReportInputs, i: int) -> str:
    names = inputs.class_names
    return f"{i}: {names[inputs.labels[i]] if len(names) else inputs.labels[i]}"


def _galleries(inputs: SaliencyReportInputs) -> Section:
    blocks: list[Block] = []
    order, titles = ", ".join(map(_named, inputs.maps)), [_short(name) for name in inputs.maps]
    for group, ids in inputs.groups.items():
        exhibits: list[Exhibit] = []
        for i in map(int, ids):
            distance = numbers.finite(inputs.distance[i])
            lines = [_auc(inputs, i), *([] if distance is None else [f"distance {distance:.3g}"])]
            if inputs.pictures is None:
                exhibits.append(Exhibit(_title(inputs, i), lines))
                continue
            picture = inputs.pictures[i]
            overlays = [saliency_pictures.overlay(picture, maps[i]) for maps in inputs.maps.values()]
            told = f"example {i} under the maps {order}"
            exhibits.append(
                Exhibit(
                    _title(inputs, i), lines, [(saliency_pictures.plain(picture), f"example {i}")],
                    (saliency_pictures.strip(overlays, titles), told),
                )
            )  # fmt: skip
        blocks.append(Gallery(exhibits, _GROUPS[group], key=() if inputs.pictures is None else _STRENGTH_KEY))
    centroid = inputs.found.centroid
    space = {"feature": "penultimate features", "logit": "logits"}[centroid.space]
    where = f"Near and far are meant in the {space} of model {centroid.model}, class by class of its training set."
    caption = "Ids, vulnerability and distance only."
    if inputs.pictures is not None:
        caption = f"Below each example its maps: {order}. Redder is more relevant; means over models."
    apart = inputs.vulnerability[inputs.groups["farthest"]], inputs.vulnerability[inputs.groups["nearest"]]
    known = [side[np.isfinite(side)] for side in apart]
    finding = "Examples at the extremes of vulnerability and of distance"
    if all(map(len, known)):
        far, near = (float(side.mean()) for side in known)
        finding = (
            f"The {len(known[0])} examples farthest from their class's centroid have a mean AUC of {far:.2f}, the "
            f"{len(known[1])} nearest {near:.2f}"
        )
    return Section(
        "Examples", finding,
        [Prose([caption, where]), *blocks],
        ["A few chosen extremes show what maps look like; the tables above carry the comparison."],
    )  # fmt: skip


def _features(found: Saliency) -> list[Section]:
    features = found.features
    if features is None:
        return []
    told = sum(against(feature.difference.interval, 0.0) != "not shown" for feature in features)
    finding = f"{told} of the {len(features)} features that maps rest on most weigh otherwise in vulnerable examples"
    figure = Figure(
        plots.figure_to_data_uri(saliency_pictures.feature_figure(features)),
        finding,
        "Mean share of the magnitude of integrated gradients; lines are 95 % intervals over examples.",
    )
    return [Section("Features", finding, [figure], ["Intervals hold for one feature at a time."])]


def _by_group(found: Saliency) -> list[Section]:
    """Means over groups, each weighing once, beside those over rows; nothing where members are rows."""
    compared: list[tuple[str, Compared]] = []
    for name, of in found.methods.items():
        if of.background is not None:
            compared.append((f"{_named(name)}: background beyond the pixels' share", of.background.excess))
        compared.append((f"{_named(name)}: left after deletion", of.deletion))
    compared += [(f"counterfactual {_named(name)}: shift", of) for name, of in found.counterfactual.items()]
    known = [(title, of, of.per_group) for title, of in compared if of.per_group is not None]
    if not known:
        return []
    alike = sum(_side(of.difference) == _side(by_group.difference) for _, of, by_group in known)
    rows = [
        [title, *map(_shown, (of.difference, by_group.vulnerable, by_group.safe, by_group.difference))]
        for title, of, by_group in known
    ]
    columns = [
        Column("Vulnerable against safe"), Column("Difference", "number", "by row"),
        Column("Vulnerable", "number", "by group"), Column("Safe", "number", "by group"),
        Column("Difference", "number", "by group"),
    ]  # fmt: skip
    caption = "By group each group weighs once on a side, by the mean of its rows. All intervals resample groups."
    blocks: list[Block] = [Table(columns, rows, caption)]
    ranked = [(name, of.spearman, of.per_group) for name, of in found.counterfactual.items() if of.per_group]
    if ranked:
        heads = [
            Column("Counterfactual"), Column("Spearman", "number", "by row"), Column("Spearman", "number", "by group"),
            Column("Groups", "count"),
        ]  # fmt: skip
        body = [[_named(n), _shown(one), _shown(of.spearman), of.num_examples] for n, one, of in ranked]
        blocks.append(Table(heads, body, "A group's shift and vulnerability are the means over its rows."))
    finding = f"By group, {alike} of {numbers.counted(len(known), 'difference')} point where they do by row"
    return [Section("By group", finding, blocks)]


def _side(mean: Mean) -> str:
    return "not shown" if mean.interval is None else against(mean.interval, 0.0)


def _limits(found: Saliency) -> Section:
    points = [
        "Maps are explanations of a logit, not of an attack; methods disagree, and none is the truth.",
        "Intervals let examples vary; all rest on the same models.",
        "They hold for this data, recipe and network.",
    ]
    if found.head.unit == "group":
        points.append(
            "Members are drawn by group, and all intervals resample groups. Maps are of rows, so that findings are on "
            "means over rows; those over groups, each weighing once, stand beside them. Which rows are compared "
            "follows from the rows' own vulnerability: a group may have rows on both sides."
        )
    return limits_section("Maps show where a model looks, not why", points, found.notes)
