"""Campaigns on real Ray clusters: of several nodes on this machine, which come and go while models train."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from miajax.campaign.cluster.flags import ClusterFlags, training_on
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.run import run_campaign
from miajax.data.registry import DataOptions
from miajax.models.registry import ModelOptions
from miajax.training.recipe import Recipe
from tests.studies.helpers import ROOT

pytestmark = pytest.mark.slow


def small(**changes):
    config = CampaignConfig(
        data=DataOptions(max_examples=60), model_options=ModelOptions(widths=(8,)), num_shadows=12,
        recipe=Recipe(epochs=3, batch_size=16), chunk=1, group=2, keep=("logits", "losses", "parameters"),
    )  # fmt: skip
    return Setup.of(dataclasses.replace(config, **changes))


@pytest.fixture
def cluster(monkeypatch):
    """A head without cores, and a node with one."""
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's workers give way to everybody else otherwise
    utils = pytest.importorskip("ray.cluster_utils")
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.node = made.add_node(num_cpus=1)
    yield made
    made.shutdown()


class Heard:
    """Keeps what was said, and does something once so many models are done."""

    def __init__(self, at=None, act=None):
        self.lines, self.seen, self._at, self._act = [], [], at, act

    def say(self, line):
        self.lines.append(line)

    def advance(self, done, total, loss, accuracy):
        self.seen.append((done, total, loss))
        if self._act is not None and done >= self._at:
            act, self._act = self._act, None
            act()

    def close(self):
        pass

    def told(self, part):
        return [line for line in self.lines if part in line]


def the_same(run, other, kinds=("signals", "correct", "valid", "logits", "losses", "training_loss")):
    for kind in kinds:
        first, second = (each.folder.gather(kind, len(each.valid)) for each in (run, other))
        np.testing.assert_array_equal(first, second, err_msg=kind)
    for _, path in run.folder.checkpoints(len(run.valid)):
        assert path.is_dir()


def test_a_node_killed_and_another_added_change_no_bit(cluster, tmp_path, capfd):
    long = small(recipe=Recipe(epochs=300, batch_size=16))  # a second a group, which is cut in its midst
    here = run_campaign(long, tmp_path / "here")

    def change():
        cluster.remove_node(cluster.node, allow_graceful=False)
        cluster.add_node(num_cpus=1)

    heard = Heard(at=3, act=change)
    capfd.readouterr()
    with training_on(ClusterFlags(cluster.address)):
        there = run_campaign(long, tmp_path / "there", heard)
    assert "raylet" not in "".join(capfd.readouterr()), "what died is said in our words"
    the_same(there, here)
    assert there.trained == 12 and there.notes == here.notes
    assert heard.told("is gone") and len(heard.told("worker on")) >= 2
    assert max(done for done, _, _ in heard.seen) <= 12
    assert (tmp_path / "there" / "run.log").read_text().count("is gone") == len(heard.told("is gone"))


def test_a_run_is_gone_on_with_on_a_cluster_and_here_again(cluster, tmp_path):
    whole = run_campaign(small(), tmp_path / "whole")
    from miajax.campaign.runner import Incomplete

    with pytest.raises(Incomplete):
        run_campaign(small(models="0:4"), tmp_path / "r")
    with training_on(ClusterFlags(cluster.address)), pytest.raises(Incomplete):
        run_campaign(small(models="4:8"), tmp_path / "r")
    the_same(run_campaign(small(), tmp_path / "r"), whole)


def test_estimators_train_on_a_cluster_to_the_same_bits(cluster, tmp_path):
    forest = {
        "model": "sklearn.ensemble:RandomForestClassifier",
        "model_options": ModelOptions(model_args=json.dumps({"n_estimators": 5})),
        "recipe": Recipe(), "keep": ("logits",), "chunk": None,
    }  # fmt: skip
    here = run_campaign(small(**forest), tmp_path / "here")

    def change():
        cluster.remove_node(cluster.node, allow_graceful=False)
        cluster.add_node(num_cpus=2)

    with training_on(ClusterFlags(cluster.address)):
        there = run_campaign(small(**forest), tmp_path / "there", Heard(at=2, act=change))
    the_same(there, here, ("signals", "correct", "valid", "logits"))


def test_ctrl_c_saves_what_workers_have_and_the_run_goes_on_from_there(tmp_path):
    pytest.importorskip("ray")
    command = [
        sys.executable, "-m", "miajax", "lira", "--num_shadows", "4", "--epochs", "3000", "--max_examples", "200",
        "--batch_size", "32", "--cluster", "local", "--out", str(tmp_path / "r"),
    ]  # fmt: skip
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "1"}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "models/s" in line:
            break
    asked = time.monotonic()
    process.send_signal(2)
    lines += process.stderr.readlines()
    assert process.wait(60) == 130, "".join(lines)
    assert time.monotonic() - asked < 60
    assert "what was finished is kept" in lines[-1]
    assert list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))
    noise = [line for line in lines if "ray" in line.lower() and "worker on" not in line]
    assert not noise, "Ray's own lines stay out of the terminal"


def test_studies_killed_at_random_moments_go_on_to_the_same_bits(tmp_path, request):
    """``--kills`` says how often."""
    pytest.importorskip("ray")
    kills = request.config.getoption("--kills")
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign.ray_kills", str(tmp_path), str(kills)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=7200,
        env={**os.environ, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert told["kills"] == kills and told["finished"] >= 1 and told["differ"] == 0
