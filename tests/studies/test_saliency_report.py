"""Sentences of the report on saliency."""

import pytest

from miajax.studies.saliency.page import _completeness, _counterfactual_finding, relevance_finding
from miajax.studies.saliency.results import Saliency
from tests.studies.made import made


def _related(spearman, low=None, high=None):
    return {"spearman": spearman, "spearman_ci": None if spearman is None else [low, high]}


def test_the_headline_is_the_first_method_however_strong_the_others():
    found = {"gradient": _related(0.02, -0.04, 0.08), "grad_cam": _related(0.4, 0.3, 0.5)}
    finding = _counterfactual_finding(made(Saliency, {"counterfactual": found}))
    assert "is not shown to go with" in finding
    assert finding.index("0.02 [−0.04, 0.08] by gradient") < finding.index("0.40 [0.30, 0.50] by Grad-CAM")
    assert "less its presence" in _counterfactual_finding(
        made(Saliency, {"counterfactual": {"gradient": _related(-0.2, -0.3, -0.1)}})
    )
    unknown = {"gradient": _related(None), "grad_cam": _related(0.4, 0.3, 0.5)}
    assert _counterfactual_finding(made(Saliency, {"counterfactual": unknown})).startswith("Too few models")


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        ([[0.1, 0.2], [0.1, 0.3]], "rest more on the background"),
        ([[-0.2, -0.1], [-0.3, -0.1]], "rest less on the background"),
        ([[-0.1, 0.1], [-0.3, 0.1]], "No map is shown to put"),
        ([[0.1, 0.2], [-0.3, -0.1]], "depends on the map"),
    ],
)
def test_maps_that_cannot_tell_have_no_say_on_the_background(intervals, words):
    blind = {"integrated_gradients": {"background": None}}
    seeing = {
        str(k): {"background": {"excess": {"difference": sum(ci) / 2, "difference_ci": ci}}}
        for k, ci in enumerate(intervals)
    }
    assert words in relevance_finding(made(Saliency, {"methods": blind | seeing}))


def test_the_gap_of_integrated_gradients_is_told():
    found = {"tolerance": 1e-3, "most_steps": 96, "share_within": 0.475, "median": 0.00123, "largest": 0.0123}
    [told] = _completeness(made(Saliency, {"completeness": found}))
    for words in ("96 points", "47.5\u00a0%", "0.001 of the logit", "0.0012 of it", "largest 0.012"):
        assert words in told
    assert _completeness(made(Saliency, {"completeness": None})) == []
