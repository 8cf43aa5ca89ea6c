"""The convolution comparison: every side trains the same network from the same weights to the same losses."""

import numpy as np
import pytest

from benchmarks import conv
from benchmarks._conv_sides import Ours, Torch, Work

pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them


@pytest.mark.parametrize("network", ["cnn", "resnet20"])
def test_both_sides_and_plain_convolutions_end_with_the_same_losses(network):
    work = Work(network, steps=3, batch=8, images=16)
    sides = [Ours(work, models=2), Torch(work, threads=1), Torch(work, threads=1, channels_last=False)]
    if network == "cnn":
        sides.append(Ours(work, models=2, lax_conv=True))
    losses = []
    for side in sides:
        assert side.run() == (6 if isinstance(side, Ours) else 3)
        losses.append(side.outcome().loss.mean())
        assert side.facts["parameters"] == {"cnn": 421_642, "resnet20": 269_722}[network]
    np.testing.assert_allclose(losses[1:], losses[0], rtol=1e-4)
    assert losses[0] != pytest.approx(np.log(10), rel=1e-3), "it has trained"


def test_an_unknown_part_is_refused_by_name(tmp_path):
    with pytest.raises(SystemExit, match="lenet is unknown: one of cnn, resnet20"):
        conv.main(tmp_path / "rows.json", only="lenet")
    assert not (tmp_path / "rows.json").exists()
