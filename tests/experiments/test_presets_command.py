"""Every preset, end to end on official files of a few hundred rows: its own network, recipe, split and queries."""

import json

import numpy as np
import pytest

from miajax.campaign.presets import PRESETS
from tests.data.official_files import cifar_files, write_fashion_mnist, write_tar
from tests.studies.helpers import command

pytestmark = pytest.mark.slow  # compiles the largest networks

# Few steps: models, epochs, batch and, for large networks, examples are cut; everything else is the preset's.
CUT = ("--num_shadows", "2", "--epochs", "1", "--batch_size", "16")
EXAMPLES = {
    "cifar10_resnet18": 40, "cifar10_densenet": 40, "cifar10_wrn28_2": 80, "cifar10_fast": 40,
    "cifar10_small": 80,
    "fashion_mnist_resnet20": 120,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """``{data set: --data_path}`` of files as the publishers made them."""
    folder = tmp_path_factory.mktemp("official")
    write_fashion_mnist(folder, train=320, test=60)
    write_tar(folder / "cifar-10-python.tar.gz", *cifar_files("cifar10", "python", batch=60, test=60))
    bought = np.random.default_rng(0).integers(0, 2, (400, 600))
    np.save(folder / "purchase.npy", np.concatenate([np.arange(400)[:, None] % 100 + 1, bought], 1))
    return {"fashion_mnist": folder, "cifar10": folder, "purchase100": folder / "purchase.npy"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_runs_end_to_end_on_official_files(name, files, tmp_path):
    campaign = PRESETS[name].campaign
    flags = ["--preset", name, *CUT, "--max_examples", str(EXAMPLES.get(name, 320)), "--out", str(tmp_path)]
    if campaign.dataset in files:
        flags += ["--data_path", str(files[campaign.dataset])]
    done = command(*flags)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["model"] == campaign.model and results["num_valid"] == 2
    assert results["num_examples"] == EXAMPLES.get(name, 320)
    signals = np.load(tmp_path / "signals.npy")
    assert signals.shape == (2, results["num_examples"], campaign.queries) and np.isfinite(signals).all()
    member = np.load(tmp_path / "membership.npy")
    expected = campaign.member_fraction * results["num_examples"]
    if campaign.split == "bernoulli":  # each example by a coin of its own
        assert np.abs(member.sum(1) - expected).max() < 6 * expected**0.5
    else:
        assert set(member.sum(1)) == {int(expected)}
    assert f"gap {results['generalization_gap']:.4f}" in done.stdout
    assert (tmp_path / "report.html").stat().st_size > 10_000
    for entry in results["published"]:
        assert not entry["comparable"] and any("num_shadows" in reason for reason in entry["why_not"])
    assert ("Not comparable" in done.stdout) == bool(results["published"])
    beside = campaign.data.pool == "train" and campaign.dataset in ("fashion_mnist", "cifar10")
    assert (results["official_test_accuracy"] is not None) == beside
