"""A model's bits are a function of its keys, the configuration and the plan; never of its company."""

import types

import jax
import numpy as np
import pytest

from miajax.data.validation import carve_validation
from miajax.training import ensemble as ensemble_module
from miajax.training.recipe import Recipe
from tests.training.helpers import digits, ensemble, train


def same(a, b):
    assert len(a) == len(b) > 0
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def reference(devices):
    return train(24, devices[:2])


def test_model_is_the_same_alone_and_in_any_chunk(reference, devices):
    alone = train(24, devices[:1], models=[17])
    same(tuple(leaf[17:18] for leaf in reference), alone)


def test_model_is_the_same_in_any_group(reference, devices):
    group = [3, 17, 5, 22, 1]
    same(tuple(leaf[group] for leaf in reference), train(24, devices[:2], models=group))


@pytest.mark.parametrize("count", [1, 3, 8])
def test_model_is_the_same_on_any_number_of_devices(reference, devices, count):
    same(reference, train(24, devices[:count]))


def test_pmap_equals_shard_map(reference, devices):
    same(reference, train(24, devices[:2], parallel="pmap"))


def test_cutting_a_training_into_calls_does_not_change_it(reference, devices):
    same(reference, train(24, devices[:2], cuts=(1, 2)))


@pytest.mark.parametrize(
    ("split", "recipe"),
    [
        ("fixed_size", Recipe(epochs=3, batch_size=32, ema=0.9)),
        ("bernoulli", Recipe(epochs=3, batch_size=32)),
        ("fixed_size", Recipe(epochs=8, batch_size=32, early_stopping=1, learning_rate=0.5)),
    ],
)
def test_cutting_a_training_within_epochs_does_not_change_it_nor_its_history(devices, split, recipe):
    dataset = carve_validation(digits(), 0.2, 0) if recipe.early_stopping else digits()
    group, member = ensemble(8, devices[:2], split=split, recipe=recipe, dataset=dataset)
    last = recipe.epochs
    found = []
    for cuts in ([(last, 0)], [(0, 1), (0, 2), (1, 0), (1, 2), (last - 1, 1), (last, 0)]):
        run = group.start(np.arange(8), member)
        for epoch, steps in cuts:
            group.advance(run, epoch, steps)
            assert (run.epoch, run.step) == (epoch, steps)
        found.append((run.state, run.history))
    if recipe.early_stopping:
        assert (np.asarray(found[0][0].best.waited) > 1).any(), "some model had stopped before the last epoch"
    same(*(jax.tree.leaves(one) for one in found))


@pytest.fixture(scope="module")
def stopping(devices):
    """Models under early stopping by four blocks of validation examples, the last one filled up."""
    recipe = Recipe(epochs=6, batch_size=64, early_stopping=1, learning_rate=0.5)
    dataset = carve_validation(digits(1797), 0.5, 0)
    group, member = ensemble(8, devices[:2], recipe=recipe, dataset=dataset)
    whole = group.start(np.arange(8), member)
    group.advance(whole, 6)
    assert (np.asarray(whole.state.best.waited) > 1).any() and len(dataset.validation_labels) == 898
    assert group.stages_per_epoch == group.trainer.steps_per_epoch + 4
    return group, member, whole


def test_cutting_the_validation_of_an_epoch_changes_no_bit(stopping):
    group, member, whole = stopping
    steps, cut = group.trainer.steps_per_epoch, group.start(np.arange(8), member)
    for epoch in range(6):
        for stage in range(steps - 1, group.stages_per_epoch):
            group.advance(cut, epoch, stage)
    group.advance(cut, 6)
    same(*(jax.tree.leaves((run.state, run.history)) for run in (cut, whole)))


def test_validation_losses_are_means_over_all_validation_examples(stopping):
    group, member, _ = stopping
    run, data = group.start(np.arange(8), member), group.dataset
    group.advance(run, 1)
    params, state = group.trainer.evaluated(run.state._replace(best=None))
    for model in range(8):
        one = jax.tree.map(lambda leaf, model=model: np.asarray(leaf)[model], (params, state))
        logits = np.float64(group.trainer.model.apply(*one, data.validation_features, False, None)[0])
        losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(898), data.validation_labels]
        np.testing.assert_allclose(np.asarray(run.history.validation_loss)[model, 0], losses.mean(), rtol=1e-5)


@pytest.mark.parametrize("amid", ["validation", "steps", "steps of an earlier version"])
def test_a_group_under_early_stopping_goes_on_from_within_its_epoch(stopping, amid):
    group, member, whole = stopping
    begun = group.start(np.arange(8), member)
    group.advance(begun, 1, group.trainer.steps_per_epoch + 2 if amid == "validation" else 2)
    within = group.within_epoch(begun)
    if amid.endswith("version"):
        within = within._replace(so_far=within.so_far._replace(validation=None))
        shapes = group.abstract_within_steps(8)
        assert jax.tree.map(np.shape, within) == jax.tree.map(lambda leaf: leaf.shape, shapes)
    resumed = group.resume(np.arange(8), member, group.snapshot(begun), within=within)
    group.advance(resumed, 6)
    same(*(jax.tree.leaves((run.state, run.history)) for run in (resumed, whole)))


def test_calls_are_a_stage_at_first_and_then_as_long_as_asked(monkeypatch, devices):
    group, member = ensemble(8, devices[:2])  # 4 steps an epoch, 3 epochs
    run, now = group.start(np.arange(8), member), [0.0]
    advance = group.advance

    def slow(run, until, steps=0):
        before = group.steps_done(run)
        advance(run, until, steps)
        now[0] += group.steps_done(run) - before  # a second a step

    monkeypatch.setattr(group, "advance", slow)
    monkeypatch.setattr(ensemble_module, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    assert [ran for ran, _ in group.calls(run, 2.0)] == [1, 2, 1, 2, 2, 2, 2]
    assert run.epoch == 3


def test_a_group_goes_on_within_an_epoch_from_its_snapshot(devices):
    group, member = ensemble(8, devices[:2])
    whole = group.start(np.arange(8), member)
    group.advance(whole, 3)
    begun = group.start(np.arange(8), member)
    group.advance(begun, 1, 2)
    resumed = group.resume(np.arange(8), member, group.snapshot(begun), within=group.within_epoch(begun))
    assert (resumed.epoch, resumed.step) == (1, 2)
    group.advance(resumed, 3)
    same(*(jax.tree.leaves((run.state, run.history)) for run in (whole, resumed)))


def test_calls_end_with_an_epoch_where_they_are_long_enough(devices):
    group, member = ensemble(8, devices[:2])  # 4 steps an epoch, 3 epochs
    run = group.start(np.arange(8), member)
    assert group.next_cut(run, 1, one_epoch=False) == (0, 1)
    assert group.next_cut(run, 9, one_epoch=False) == (2, 0)
    assert group.next_cut(run, 9, one_epoch=True) == (1, 0)
    assert group.next_cut(run, 100, one_epoch=False) == (3, 0)
    group.advance(run, 1, 3)
    assert group.next_cut(run, 1, one_epoch=False) == (2, 0)
    assert group.steps_done(run) == 7


def test_more_models_do_not_change_the_first_ones(reference, devices):
    same(tuple(leaf[:8] for leaf in reference), train(8, devices[:2]))


def test_another_seed_gives_another_model(reference, devices):
    other = train(4, devices[:1], seed=1)
    assert all((a[:4] != b).any() for a, b in zip(reference, other, strict=True))


@pytest.mark.parametrize("split", ["bernoulli", "balanced"])
def test_ragged_models_are_the_same_alone(devices, split):
    together = train(8, devices[:2], split=split)
    same(tuple(leaf[5:6] for leaf in together), train(8, devices[:1], split=split, models=[5]))
