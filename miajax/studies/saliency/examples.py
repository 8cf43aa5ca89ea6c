"""Single examples in the report on saliency: side by side, in galleries, and under the maps of two kinds of models."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from miajax.report import numbers, plots
from miajax.report.page import Block, Exhibit, Figure, Gallery, Prose, Section
from miajax.studies.campaign_page import Run
from miajax.studies.saliency import pictures as saliency_pictures
from miajax.studies.saliency.results import Saliency
from miajax.studies.saliency.said import Said
from miajax.studies.saliency.side_by_side import Side, side_by_side_figure

_GROUPS = {
    "vulnerable": "Most vulnerable", "safe": "Least vulnerable",
    "nearest": "Nearest to their class's centroid", "farthest": "Farthest from their class's centroid",
}  # fmt: skip
SIGNED_KEY = saliency_pictures.key(
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


def short_name(method: str) -> str:
    """A name that fits over a small picture."""
    return {"gradient_times_input": "grad. x input", "integrated_gradients": "integrated"}.get(method, named(method))


def named(method: str) -> str:
    """A kind of map as sentences write it."""
    return {"grad_cam": "Grad-CAM", "smooth_grad": "SmoothGrad"}.get(method, method.replace("_", " "))


def side_by_side_section(inputs: SaliencyReportInputs) -> list[Section]:
    """The most vulnerable examples, each beside one of the least vulnerable; nothing where none may be shown."""
    methods = [name for name in ("grad_cam", *inputs.counterfactuals) if name in inputs.counterfactuals]
    if inputs.pictures is None or not methods:
        return []
    maps = inputs.counterfactuals[methods[0]]
    pairs = list(zip(inputs.groups["vulnerable"][:_PAIRS], inputs.groups["safe"][:_PAIRS], strict=False))
    scale = f"{named(methods[0])} of a pixel, in maps of length 1"
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
        blocks.append(Figure(plots.figure_to_data_uri(drawn), told, f"Mean {named(methods[0])} maps over models."))
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
    unseen = "unknown" if np.isnan(of.unseen) else numbers.fixed(of.unseen, 2)
    return [
        f"{_auc(inputs, i)}. LiRA's score: {numbers.fixed(of.seen, 2)} if trained on, {unseen} if not",
        f"A threshold at {numbers.fixed(of.seen, 2)} has FPR {numbers.rate(of.fpr)}, TPR {numbers.rate(of.tpr)}",
    ]


def counterfactual_exhibit(
    inputs: SaliencyReportInputs, i: int, maps: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> Exhibit:
    """An example over the maps of models that saw it, of models that did not, and of the difference, on one scale."""
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


def gallery_section(inputs: SaliencyReportInputs) -> Section:
    """The examples at the extremes of vulnerability and of distance, with their maps where they may be shown."""
    blocks: list[Block] = []
    order, titles = ", ".join(map(named, inputs.maps)), [short_name(name) for name in inputs.maps]
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
