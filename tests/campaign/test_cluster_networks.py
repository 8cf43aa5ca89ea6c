"""Who trains which group, and what becomes of it when workers die or fail: on workers that are threads."""

import dataclasses

import numpy as np
import pytest

from miajax.campaign import planning
from miajax.campaign.cluster import crew as crew_module
from miajax.campaign.cluster import worker as worker_module
from miajax.campaign.cluster.connection import Node
from miajax.campaign.cluster.networks import ClusterNetworkRunner
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.failures import DoesNotFit
from miajax.campaign.group_trainer import GroupTrainer
from miajax.campaign.interrupt import Stopped
from miajax.campaign.progress import Silent
from miajax.campaign.run import run_campaign
from miajax.campaign.runner import Incomplete
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.training.recipe import Recipe
from tests.campaign.pretended_ray import PretendedConnection, PretendedRay


def small(**changes):
    config = CampaignConfig(
        data=DataOptions(max_examples=60), model_options=ModelOptions(widths=(8,)), num_shadows=8,
        recipe=Recipe(epochs=2, batch_size=16), chunk=1, group=2, keep=("logits", "losses"),
    )  # fmt: skip
    return Setup.of(dataclasses.replace(config, **changes))


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return run_campaign(small(), tmp_path_factory.mktemp("runs") / "here")


class Lines(Silent):
    def __init__(self):
        self.lines, self.seen = [], []

    def say(self, line):
        self.lines.append(line)

    def advance(self, done, total, loss, accuracy):
        self.seen.append((done, total))


def on(ray, setup, path, reporter=None, **flags):
    return ClusterNetworkRunner(setup, path, reporter or Silent(), PretendedConnection(ray, **flags))


def on_one_device(setup, stored, **rest):
    return dataclasses.replace(planning.on_this_machine(setup, stored, **rest), num_devices=1, group=2)


@pytest.fixture(autouse=True)
def small_workers(monkeypatch):
    """Workers of one device, however many this process has."""
    monkeypatch.setattr(crew_module, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(worker_module, "on_this_machine", on_one_device)


def the_same(run, other):
    for kind in ("signals", "correct", "valid", "logits", "losses", "training_loss"):
        first, second = (each.folder.gather(kind, 8) for each in (run, other))
        np.testing.assert_array_equal(first, second, err_msg=kind)


def test_two_workers_give_the_bits_of_one_machine(here, tmp_path):
    heard = Lines()
    there = on(PretendedRay({"a": 1, "b": 1}), small(), tmp_path / "r", heard).run()
    the_same(there, here)
    assert there.trained == 8 and there.notes == here.notes
    assert [line for line in heard.lines if line.startswith("worker on a")]
    assert [line for line in heard.lines if line.startswith("worker on b")]
    assert there.timing.train_s > 0 and there.timing.compile_s > 0
    assert not list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))


def test_a_finished_run_needs_no_cluster(here):
    ray = PretendedRay({})
    again = on(ray, small(), here.folder.path).run()
    assert again.trained == 0 and not ray.actors
    np.testing.assert_array_equal(again.signals, here.signals)


def test_the_group_of_a_worker_that_dies_is_trained_again_elsewhere(here, tmp_path):
    deaths = []

    def called(actor, name):
        if name == "train" and len(deaths) < 3:
            deaths.append(actor)
            actor.die()

    heard = Lines()
    there = on(PretendedRay({"a": 2}, called), small(), tmp_path / "r", heard, cpus_per_task=1).run()
    the_same(there, here)
    assert len([line for line in heard.lines if "is gone: models" in line]) == 3


def test_machines_that_leave_take_no_group_with_them_and_those_that_join_get_some(here, tmp_path):
    ray = PretendedRay({"a": 1})

    def called(actor, name):
        if name == "train" and "a" in ray.machines:
            ray.machines = {"b": 1}

    ray.called = called
    heard = Lines()
    there = on(ray, small(), tmp_path / "r", heard).run()
    the_same(there, here)
    assert [line for line in heard.lines if line.startswith("worker on b")]


def test_models_over_which_every_worker_dies_are_left_out_and_named(here, tmp_path, monkeypatch):
    def train(self, models, *rest):
        if models.start == 4:
            ray.actors[-1].die()  # the only one alive
        return real(self, models, *rest)

    real = worker_module.Worker.train
    monkeypatch.setattr(worker_module.Worker, "train", train)
    ray = PretendedRay({"a": 1})
    there = on(ray, small(), tmp_path / "r").run()
    assert there.valid.tolist() == [True] * 4 + [False] * 2 + [True] * 2
    np.testing.assert_array_equal(there.signals[:4], here.signals[:4])
    assert [note for note in there.notes if "Models 4, 5 failed: 5 workers died over it" in note]
    with pytest.raises(UserError, match="2 models failed"):
        on(ray, small(strict=True), tmp_path / "r").run()


def test_where_every_worker_dies_over_the_first_group_the_run_ends_with_one_line(tmp_path):
    ray = PretendedRay({"a": 1}, lambda actor, name: actor.die() if name == "train" else None)
    with pytest.raises(UserError, match="no group of mlp could be trained"):
        on(ray, small(), tmp_path / "r").run()


def test_a_group_too_large_for_a_worker_is_cut(here, tmp_path, monkeypatch):
    real = GroupTrainer.train

    def train(self, models, member, width, progress, watch):
        if width > 1:
            raise DoesNotFit(2 << 30, 1 << 30)
        return real(self, models, member, width, progress, watch)

    monkeypatch.setattr(GroupTrainer, "train", train)
    heard = Lines()
    there = on(PretendedRay({"a": 1}), small(), tmp_path / "r", heard).run()
    np.testing.assert_array_equal(there.signals, here.signals)
    assert [len(models) for models in there.folder.done()] == [1] * 8
    assert [line for line in heard.lines if "groups of 1 from now on (it needs 2.15 GB" in line]


def test_asked_to_stop_states_are_saved_and_trained_on_from_there(here, tmp_path, monkeypatch):
    runner = on(PretendedRay({"a": 1}), small(), tmp_path / "r")
    asked = []

    def stop():
        under_way = [task for task in runner._tasks if task.result is not None]
        if under_way and not asked:
            asked.append(True)
            runner._crew.members[0].actor._object.result().end()
        return bool(asked)

    monkeypatch.setattr("miajax.campaign.runner.asked_to_stop", lambda: Always(stop))
    with pytest.raises(Stopped):
        runner.run()
    monkeypatch.undo()
    assert len(list((tmp_path / "r" / "checkpoints").glob("in-progress-*"))) == 1
    the_same(on(PretendedRay({"a": 1}), small(), tmp_path / "r").run(), here)


class Always:
    def __init__(self, stop):
        self._stop = stop

    def __enter__(self):
        return self._stop

    def __exit__(self, *error):
        return None


def test_a_worker_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(crew_module.miajax, "__version__", "0.0.1")
    monkeypatch.setattr(worker_module.miajax, "__version__", "0.0.1")
    real = worker_module.Worker.about
    monkeypatch.setattr(worker_module.Worker, "about", lambda self: dataclasses.replace(real(self), version="0.0.2"))
    with pytest.raises(UserError, match=r"a of the cluster has miajax 0.0.2; expected 0.0.1, as here"):
        on(PretendedRay({"a": 1}), small(), tmp_path / "r").run()


def test_a_worker_whose_bits_may_differ_is_told_of_and_its_effect_measured(here, tmp_path, monkeypatch):
    with pytest.raises(Incomplete):
        run_campaign(small(models="0:4"), tmp_path / "r")
    real = worker_module.on_this_machine
    monkeypatch.setattr(
        worker_module, "on_this_machine",
        lambda *given, **rest: dataclasses.replace(real(*given, **rest), instruction_set="another"),
    )  # fmt: skip
    there = on(PretendedRay({"a": 1}), small(), tmp_path / "r").run()
    np.testing.assert_array_equal(there.signals, here.signals)  # the same processor, after all
    assert [note for note in there.notes if "instruction_set" in note and "another now" in note]
    assert [note for note in there.notes if "Effect of the changed plan on" in note and "at most 0," in note]
    (entry,) = there.folder.manifest["changed_plans"]
    assert entry["effect"]["max_difference"] == 0.0


@pytest.mark.parametrize(
    ("flags", "cpus", "gpus", "places"),
    [
        ({}, 8, 0, 1),
        ({"cpus_per_task": 2}, 8, 0, 4),
        ({"cpus_per_task": 16}, 8, 0, 0),
        ({"gpus_per_task": 1.0}, 8, 4, 4),
        ({"gpus_per_task": 0.5}, 8, 4, 8),
        ({"gpus_per_task": 0.5, "cpus_per_task": 2}, 8, 4, 4),
        ({"gpus_per_task": 2.0}, 8, 4, 2),
        ({"gpus_per_task": 1.0}, 8, 0, 0),
        ({}, 0, 0, 0),
    ],
)
def test_a_machine_holds_as_many_workers_as_its_devices_allow(flags, cpus, gpus, places):
    crew = crew_module.Crew(PretendedConnection(PretendedRay({}), **flags))
    assert crew._places(Node("n", "n", cpus, gpus)) == places
