"""The comparison with Opacus compares equal work."""

import dataclasses

import pytest

from benchmarks import dpsgd
from benchmarks._same_work import DifferentWork

pytestmark = pytest.mark.slow  # torch, and compiling


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_clipped_gradients_are_those_of_opacus(name):
    pytest.importorskip("opacus")
    dpsgd.require_equal_clipping(dpsgd.workload_of(name))


def test_another_clipping_norm_is_refused(monkeypatch):
    pytest.importorskip("opacus")
    monkeypatch.setattr(dpsgd, "CLIP_NORM", 0.9)
    with pytest.raises(DifferentWork, match="differ by"):
        dpsgd.require_equal_clipping(dpsgd.workload_of("mlp"))


def test_all_sides_draw_batches_of_one_mean_from_as_many_members():
    pytest.importorskip("opacus")
    from benchmarks._opacus import OpacusSteps
    from benchmarks._private_ours import PrivateTraining

    workload = dpsgd.workload_of("mlp")
    short = dataclasses.replace(workload.campaign.recipe, epochs=1)
    workload = dataclasses.replace(workload, campaign=dataclasses.replace(workload.campaign, recipe=short))
    ours = PrivateTraining(workload, 1, "noisy_poisson")
    theirs = OpacusSteps(workload, "ghost", 1, steps=2)
    assert dict(ours.facts) == dict(theirs.facts)
    assert theirs.run() == 2 and ours.run() == 14
