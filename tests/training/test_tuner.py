"""The search for an execution plan: what is tried, what is left out by name, what comes first."""

import dataclasses

import numpy as np
import pytest

from miajax.data.dataset import Dataset
from miajax.data.validation import carve_validation
from miajax.errors import UserError
from miajax.models.cnn import CNN
from miajax.models.model import from_linen
from miajax.models.registry import build_model
from miajax.training import tuner
from miajax.training.plan import choose_plan
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer
from miajax.training.tuner import Candidate, Measured, candidates, has_convolutions, tune, worth_tuning
from tests.training.helpers import digits


def images(n: int = 64) -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (n, 6, 6, 1)).astype(np.uint8), np.arange(n) % 2, 2, "noise")


def trainer_of(dataset: Dataset, model=None) -> Trainer:
    model = model or build_model("mlp", dataset.num_classes)
    shape = dataset.features.shape[1:]
    recipe = Recipe(epochs=2, batch_size=8)
    return Trainer(model, recipe, InputScaling.of(dataset), dataset.num_examples // 2, False, shape, 0)


SMALL_CNN = from_linen(CNN(2, (2, 2), 4), "cnn")


@pytest.fixture
def table():
    dataset = digits(64)
    trainer = trainer_of(dataset)
    return dataset, trainer, choose_plan(trainer, 64, 1, 10, chunk=2)


def test_a_network_convolves_or_not():
    assert has_convolutions(trainer_of(images(), SMALL_CNN))
    assert not has_convolutions(trainer_of(images()))  # an MLP over images
    assert not has_convolutions(trainer_of(digits(64)))


def test_tables_vary_the_chunk_and_images_the_lowering_too(table):
    _, trainer, plan = table
    found = candidates(trainer, plan, 256)
    assert found[0] == (plan.lowering, 2)
    assert {c.chunk for c in found} == {1, 2, 4, 8} and {c.lowering for c in found} == {"cpu"}
    dataset = images()
    trainer = trainer_of(dataset, SMALL_CNN)
    plan = choose_plan(trainer, 64, 1, 2)
    found = candidates(trainer, plan, 256)
    assert found[0] == ("cpu", 1) and len(found) == len(set(found))
    assert {c.lowering for c in found} == {"cpu", "grouped", "patches", "unrolled"}


def test_no_chunk_is_wider_than_the_models_and_flags_leave_no_choice(table, devices):
    _, trainer, plan = table
    assert {c.chunk for c in candidates(trainer, plan, len(devices))} == {1, 2}
    assert candidates(trainer, dataclasses.replace(plan, chunk=4), 256, plan.lowering, 4) == [(plan.lowering, 4)]


def test_a_chunk_that_no_list_holds_leaves_the_lowerings_to_be_tried():
    dataset = images()
    trainer = trainer_of(dataset, SMALL_CNN)
    plan = choose_plan(trainer, 64, 1, 2, chunk=3)
    for platform in ("cpu", "gpu"):
        found = candidates(trainer, dataclasses.replace(plan, platform=platform), 256, chunk=3)
        assert {c.chunk for c in found} == {3} and {c.lowering for c in found} >= {"grouped", "patches", "unrolled"}


def test_trials_of_a_training_that_stops_early_validate_nothing(table):
    dataset, trainer, plan = table
    dataset = carve_validation(dataset, 0.2, 0)
    stops = dataclasses.replace(trainer, recipe=dataclasses.replace(trainer.recipe, early_stopping=1), capacity=24)
    measured = Measured(stops, dataset, plan, Candidate("cpu", 2))
    assert measured._data.validation_features is None and measured.speed(epochs=1) > 0


def test_only_convolutions_on_accelerators_are_tuned_unasked():
    convolves = trainer_of(images(), SMALL_CNN)
    assert worth_tuning(convolves, "gpu") and worth_tuning(convolves, "tpu")
    assert not worth_tuning(convolves, "cpu") and not worth_tuning(trainer_of(digits(64)), "gpu")


def test_trials_come_fastest_first_and_what_does_not_run_is_named(table, monkeypatch):
    dataset, trainer, plan = table
    # What the first call and the one that finds its length say does not count.
    speeds = {1: iter([1.0, 40.0, 50.0, 50.0, 50.0]), 2: iter([9.0, 99.0, 10.0, 30.0, 20.0])}

    class Timed:
        placement, device_bytes, compile_seconds, seconds = plan.placement(), 0, 1.0, 0.01

        def __init__(self, trainer, dataset, plan, candidate):
            if candidate.chunk == 4:
                raise ValueError("INTERNAL: this backend\ndoes not know it")
            self.speeds = speeds[candidate.chunk]

        def speed(self, epochs=None):
            return next(self.speeds)

    monkeypatch.setattr(tuner, "Measured", Timed)
    heard = []
    trials = tune(trainer, dataset, plan, [Candidate("cpu", c) for c in (2, 4, 1)], listen=heard.append)
    assert [(t.chunk, t.steps_per_second) for t in trials] == [(1, 50.0), (2, 20.0), (4, None)]
    assert trials[2].left_out == "INTERNAL: this backend does not know it"
    assert [t.chunk for t in heard] == [2, 4, 1]
    assert "left out, INTERNAL" in trials[2].line() and "50 model-steps/s" in trials[0].line()


def test_a_long_first_call_that_is_far_behind_is_enough(table, monkeypatch):
    dataset, trainer, plan = table
    calls = []

    class Slow:
        placement, device_bytes, compile_seconds, seconds = plan.placement(), 0, 1.0, 9.0

        def __init__(self, trainer, dataset, plan, candidate):
            self.speed_of = {1: 2.0, 2: 30.0}[candidate.chunk]

        def speed(self, epochs=None):
            calls.append(self.speed_of)
            return self.speed_of

    monkeypatch.setattr(tuner, "Measured", Slow)
    trials = tune(trainer, dataset, plan, [Candidate("cpu", 2), Candidate("cpu", 1)])
    assert [t.steps_per_second for t in trials] == [30.0, 2.0] and calls.count(2.0) == 1 < calls.count(30.0)


def test_what_does_not_fit_and_what_comes_too_late_is_left_out(table, monkeypatch):
    dataset, trainer, plan = table
    monkeypatch.setattr(tuner, "free_memory", lambda device: 10)
    with pytest.raises(UserError, match=r"no execution plan runs.*chunks of 2: left out, needs .* GB"):
        tune(trainer, dataset, plan, [Candidate("cpu", 2)])
    monkeypatch.undo()
    trials = tune(trainer, dataset, plan, [Candidate("cpu", 2), Candidate("cpu", 1)], budget=0.0)
    assert trials[0].steps_per_second and trials[1].left_out == "the 0 s for trials were over"


def test_a_trial_runs_real_steps(table):
    dataset, trainer, plan = table
    measured = Measured(trainer, dataset, plan, Candidate("cpu", 2))
    before = np.asarray(measured._state[0].params["Dense_0"]["kernel"]).copy()
    assert measured.speed(epochs=2) > 0 and measured.compile_seconds > 0
    after, history, _ = measured._state
    assert (np.asarray(after.params["Dense_0"]["kernel"]) != before).any()
    assert np.isfinite(np.asarray(history.loss)).all()
