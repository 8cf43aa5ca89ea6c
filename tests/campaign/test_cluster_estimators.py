"""Estimators on a cluster whose machines are threads: what dies is trained again, what differs is told."""

import collections
import dataclasses
import json

import numpy as np
import pytest

from miajax.campaign.cluster import estimators as cluster_estimators
from miajax.campaign.cluster.estimators import ClusterEstimatorRunner
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.progress import Silent
from miajax.campaign.run import run_campaign
from miajax.data.registry import DataOptions
from miajax.models.registry import ModelOptions
from tests.campaign.pretended_ray import PretendedConnection, PretendedRay

OWN = """
from sklearn.tree import DecisionTreeClassifier


def tree(depth=3):
    return DecisionTreeClassifier(max_depth=depth)
"""


def small(**changes):
    config = CampaignConfig(
        data=DataOptions(max_examples=60), num_shadows=6, keep=("logits",), model="sklearn.tree:DecisionTreeClassifier",
        model_options=ModelOptions(model_args=json.dumps({"max_depth": 3})),
    )  # fmt: skip
    return Setup.of(dataclasses.replace(config, **changes))


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return run_campaign(small(), tmp_path_factory.mktemp("runs") / "here")


def on(ray, setup, path, **flags):
    return ClusterEstimatorRunner(setup, path, Silent(), PretendedConnection(ray, **flags))


def test_a_cluster_gives_the_bits_of_one_machine(here, tmp_path):
    there = on(PretendedRay({"a": 2, "b": 1}), small(), tmp_path / "r").run()
    for kind in ("signals", "correct", "valid", "logits", "unclipped_signals"):
        np.testing.assert_array_equal(there.folder.gather(kind, 6), here.folder.gather(kind, 6), err_msg=kind)
    assert there.plan.num_devices == 3 and there.notes == here.notes
    again = on(ray := PretendedRay({}), small(), tmp_path / "r").run()
    assert again.trained == 0 and not ray.actors


def test_the_users_own_file_goes_along(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    setup = small(model=f"{tmp_path / 'own.py'}:tree", model_options=ModelOptions(model_args="{}"))
    here = run_campaign(setup, tmp_path / "here")
    runner = on(PretendedRay({"a": 1}), setup, tmp_path / "there")
    assert runner._code == OWN.encode()
    (tmp_path / "own.py").unlink()  # as on a machine that never had it
    np.testing.assert_array_equal(runner.run().signals, here.signals)


@pytest.mark.parametrize("times", [2, 99])
def test_a_model_whose_process_dies_is_trained_again_and_fails_in_the_end(here, tmp_path, monkeypatch, times):
    tried = collections.Counter()
    ray = PretendedRay({"a": 1})

    def train(job, arrays, code, packages):
        tried[job.model] += 1
        if job.model == 3 and tried[3] <= times:
            raise ray.exceptions.WorkerCrashedError
        return real(job, arrays, code, packages)

    def get(call):
        error = call.exception()
        if error is not None and isinstance(error.cause, ray.exceptions.WorkerCrashedError):
            raise error.cause
        return call.result()

    real = cluster_estimators._train
    monkeypatch.setattr(cluster_estimators, "_train", train)
    ray.get = get
    there = on(ray, small(), tmp_path / "r").run()
    sound = times < 5
    assert there.valid.tolist() == [True] * 3 + [sound] + [True] * 2
    assert tried[3] == (3 if sound else 5)
    np.testing.assert_array_equal(there.signals[:3], here.signals[:3])
    assert bool([note for note in there.notes if "5 processes that trained it were killed" in note]) is not sound


def test_a_machine_with_other_packages_is_told_of(tmp_path, monkeypatch):
    real = cluster_estimators._train
    monkeypatch.setattr(
        cluster_estimators, "_train", lambda *given: dataclasses.replace(real(*given), packages="numpy 0.1")
    )
    there = on(PretendedRay({"a": 1}), small(), tmp_path / "r").run()
    (note,) = [note for note in there.notes if "numpy 0.1" in note]
    assert note.endswith("their bits may differ.")
