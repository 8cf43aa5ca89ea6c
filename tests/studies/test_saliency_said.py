"""What LiRA says of single examples, beside a slow twin; deletion curves and their bands."""

import json

import numpy as np
import pytest

from miajax.metrics.json_form import from_json, to_json
from miajax.studies.saliency import side_by_side
from miajax.studies.saliency.figures import _with_bands, two_groups
from miajax.studies.saliency.results import Curves
from miajax.studies.saliency.said import said


def test_scores_and_places_on_the_roc_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    scores, member = rng.normal(size=(9, 40)).round(1), rng.random((9, 40)) < 0.5  # with ties
    scores[2, 3] = np.nan
    found = said(scores, member, [3, 17])
    for i, of in found.items():
        seen = np.median([scores[t, i] for t in range(9) if member[t, i] and not np.isnan(scores[t, i])])
        unseen = np.median([scores[t, i] for t in range(9) if not member[t, i] and not np.isnan(scores[t, i])])
        cells = [(scores[t, n], member[t, n]) for t in range(9) for n in range(40) if not np.isnan(scores[t, n])]
        fpr, tpr = (np.mean([s >= seen for s, m in cells if m is np.bool_(side)]) for side in (False, True))
        np.testing.assert_allclose([of.seen, of.unseen, of.fpr, of.tpr], [seen, unseen, fpr, tpr])


def test_an_example_that_no_target_trained_on_has_no_place():
    scores, member = np.ones((3, 2)), np.array([[False, True]] * 3)
    found = said(scores, member, [0, 1])
    assert np.isnan([found[0].seen, found[0].fpr, found[0].tpr, found[1].unseen]).all()
    assert found[0].unseen == found[1].seen == 1.0


def test_bands_of_deletion_curves_are_intervals_over_examples_and_survive_the_file():
    rng = np.random.default_rng(1)
    curves = rng.uniform(size=(12, 4))
    found = _with_bands(curves, 6, None)
    for k in range(4):
        of = two_groups(curves[:6, k], curves[6:, k])
        assert found.vulnerable_ci[k] == of.vulnerable.interval and found.safe_ci[k] == of.safe.interval
        low, high = found.vulnerable_ci[k]
        assert low < found.vulnerable[k] < high
    assert from_json(Curves, json.loads(json.dumps(to_json(found)))) == found
    before = {"vulnerable": [1.0], "safe": [0.5]}
    assert from_json(Curves, before) == Curves((1.0,), (0.5,))
    assert _with_bands(curves[:2], 1, None).safe_ci == (None,) * 4  # one example has no interval


@pytest.mark.parametrize("channels", [1, 3])
def test_both_examples_stand_with_all_their_maps_on_one_colour_scale(channels):
    rng = np.random.default_rng(2)
    sides = [
        side_by_side.Side(
            f"Example {k}", ["LiRA says", "much"], rng.integers(0, 255, (8, 8, channels)).astype(np.uint8),
            scale * rng.normal(size=(8, 8, channels)), np.full((8, 8, channels), np.nan),
        )
        for k, scale in enumerate((1.0, 0.1))
    ]  # fmt: skip
    figure = side_by_side.side_by_side_figure(sides, scale="gradient")
    assert len(figure.axes) == 9  # four pictures each and the scale
    unknown = [axes.get_title(loc="left") for axes in figure.axes if axes.texts]
    assert unknown == ["map, models not trained on it"] * 2  # a map that is not known is not drawn as one of nothing
    assert [text.get_text() for text in figure.texts] == [
        "Example 0",
        "LiRA says",
        "much",
        "Example 1",
        "LiRA says",
        "much",
    ]
    largest = max(np.abs(side.seen.sum(-1)).max() for side in sides)
    ticks = [float(tick.get_text().replace("−", "-")) for tick in figure.axes[-1].get_yticklabels()]
    np.testing.assert_allclose(ticks, [-largest, 0, largest], rtol=0.05)
