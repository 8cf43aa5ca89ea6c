"""The report on saliency: where models look, and what their having seen an example changes."""

from typing import Any

from miajax.metrics.claims import against
from miajax.report import numbers, plots
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Column, Figure, Gallery, Page, Prose, Section, Table
from miajax.studies.campaign_page import campaign_page, limits_section, sources_section
from miajax.studies.saliency import pictures as saliency_pictures
from miajax.studies.saliency.examples import (
    SIGNED_KEY,
    SaliencyReportInputs,
    counterfactual_exhibit,
    gallery_section,
    named,
    side_by_side_section,
)
from miajax.studies.saliency.results import Compared, Mean, Related, Saliency

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


def render_saliency_report(inputs: SaliencyReportInputs) -> str:
    """Returns the report as one self-contained HTML document."""
    found = inputs.found
    counterfactual = _counterfactual_finding(found)
    sections = [
        Section("Summary", relevance_finding(found), [Prose([counterfactual + ".", _how(found)])]),
        _relevance(found), _counterfactual(inputs), *side_by_side_section(inputs), *_features(found), *_by_group(found),
        gallery_section(inputs),
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
        rows.append([named(name), *(unseen if seen is None else []), *shown])
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
        return f"{named(name)} unknown"
    figure = str(numbers.shown(of.spearman, 2)).replace("-", "−")
    return f"Spearman {figure} by {named(name)}"


def _counterfactual(inputs: SaliencyReportInputs) -> Section:
    found = inputs.found
    rows = [
        [named(name), *map(_shown, (of.spearman, of.vulnerable, of.safe, of.difference)), of.num_examples]
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
        exhibits = [
            counterfactual_exhibit(inputs, int(i), maps[int(i)]) for i in inputs.groups["vulnerable"] if int(i) in maps
        ]
        blocks.append(
            Gallery(
                exhibits,
                f"{named(name)}: the most vulnerable examples",
                "Below each: mean map of models that saw it; of models that did not; the difference.",
                SIGNED_KEY,
            )
        )
    return Section(
        "Counterfactual", finding, blocks,
        ["The shift is estimated without bias, so that it can be negative where nothing changes."],
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
            compared.append((f"{named(name)}: background beyond the pixels' share", of.background.excess))
        compared.append((f"{named(name)}: left after deletion", of.deletion))
    compared += [(f"counterfactual {named(name)}: shift", of) for name, of in found.counterfactual.items()]
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
        body = [[named(n), _shown(one), _shown(of.spearman), of.num_examples] for n, one, of in ranked]
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
