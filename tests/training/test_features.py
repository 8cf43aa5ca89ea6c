"""What a recipe may ask for beside plain training, each against its limit or its definition."""

import dataclasses
from operator import itemgetter

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from miajax.data.validation import carve_validation
from miajax.training import trainer as trainer_module
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer
from tests.signals.test_query import images
from tests.training.helpers import digits, ensemble

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

BASE = Recipe(epochs=3, batch_size=32)


def run(devices, recipe: Recipe, models: int = 4, dataset=None, cuts=(), **options):
    group, member = ensemble(models, devices[:2], recipe=recipe, dataset=dataset, chunk=2, **options)
    state = group.start(np.arange(models), member)
    for until in (*cuts, recipe.epochs):
        group.advance(state, until)
    return group, state


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def same(a, b):
    return all((x == y).all() for x, y in zip(leaves(a), leaves(b), strict=True))


@pytest.mark.slow
def test_moving_average_is_the_sum_of_all_past_parameters_under_a_decay_that_warms_up(devices):
    recipe = dataclasses.replace(BASE, epochs=1, batch_size=50, ema=0.2, schedule="constant")
    _, averaged = run(devices, recipe, cuts=())
    plain = []
    for steps in range(4):  # 150 members: 3 steps an epoch
        group, member = ensemble(4, devices[:2], recipe=dataclasses.replace(recipe, ema=0.0), chunk=2)
        trainer = group.trainer

        def partly(members, steps=steps, trainer=trainer, group=group):
            state, _ = trainer.init(members)
            order = trainer._shuffle(members, 0)
            keys = jax.random.fold_in(trainer.key(members.model_id, 2), 0)
            for i in range(steps):
                state, _ = trainer._step(
                    trainer._optimizer(members.count), group.data, members, 0, keys, state, (np.int32(i), order[i])
                )
            return state.params

        plain.append(leaves(jax.vmap(partly)(group.start(np.arange(4), member).members)))
    expected = plain[0]
    for decay, step in zip((1 / 10, 2 / 11, 0.2), plain[1:], strict=True):
        expected = [decay * e + (1 - decay) * p for e, p in zip(expected, step, strict=True)]
    for a, b in zip(leaves(averaged.state.ema), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_evaluated_model_is_the_average(devices):
    group, state = run(devices, dataclasses.replace(BASE, ema=0.9))
    params, _ = group.trainer.evaluated(state.state)
    assert same(params, state.state.ema) and not same(params, state.state.params)


def early(patience: int, epochs: int = 12, rate: float = 0.5) -> Recipe:
    return dataclasses.replace(BASE, epochs=epochs, early_stopping=patience, learning_rate=rate, schedule="constant")


def test_early_stopping_keeps_the_epoch_with_the_lowest_validation_loss(devices):
    dataset = carve_validation(digits(), 0.2, 0)
    group, stopped = run(devices, early(2), dataset=dataset)
    history = np.asarray(stopped.history.validation_loss)
    assert np.isnan(history).any(1).any(), "the rate is large enough for some model to stop before the end"
    best = np.nanargmin(history, 1)
    for model, losses in enumerate(history):
        ran = np.flatnonzero(np.isfinite(losses))
        assert ran.tolist() == list(range(len(ran)))
        assert len(ran) == min(best[model] + 3, 12)
    np.testing.assert_array_equal(np.asarray(stopped.state.best.loss), np.nanmin(history, 1))
    params, _ = group.trainer.evaluated(stopped.state)
    x, y = dataset.validation_features, dataset.validation_labels
    for model in range(4):
        weights = jax.tree.map(itemgetter(model), params)
        logits, _ = group.trainer.model.apply(weights, {}, x, False, None)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        np.testing.assert_allclose(loss, stopped.state.best.loss[model], rtol=1e-4)


@pytest.mark.parametrize("total", [5, 7, 10])
def test_the_validation_loss_is_the_whole_parts_mean_whatever_the_block(devices, monkeypatch, total):
    monkeypatch.setattr(trainer_module, "_VALIDATION_BLOCK", 4)
    x, y = jnp.asarray(digits().features[-total:]), jnp.asarray(digits().labels[-total:])
    group, member = ensemble(2, devices[:1], chunk=2)
    state = group.start(np.arange(2), member).state
    data = group.data._replace(validation_features=x, validation_labels=y)
    found = jax.vmap(lambda params: group.trainer._validation_loss(params, {}, data))(state.params)
    for model in range(2):
        logits, _ = group.trainer.model.apply(jax.tree.map(itemgetter(model), state.params), {}, x, False, None)
        expected = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        np.testing.assert_allclose(found[model], expected, rtol=1e-5)


def test_a_model_that_stopped_does_not_change_any_more(devices):
    dataset = carve_validation(digits(), 0.2, 0)
    group, member = ensemble(4, devices[:2], recipe=early(1, epochs=30, rate=2.0), dataset=dataset, chunk=2)
    state = group.start(np.arange(4), member)
    for until in range(1, 31):
        group.advance(state, until)
        if group.stopped(state):
            break
    assert until < 30
    before = leaves((state.state.params, state.state.best.params))
    group.advance(state, until + 1)
    assert all(
        (a == b).all() for a, b in zip(before, leaves((state.state.params, state.state.best.params)), strict=True)
    )


def test_patience_longer_than_training_is_plain_training(devices):
    dataset = carve_validation(digits(), 0.2, 0)
    _, patient = run(devices, dataclasses.replace(BASE, early_stopping=50), dataset=dataset)
    _, plain = run(devices, BASE, dataset=dataset)
    assert same(patient.state.params, plain.state.params)


def test_bfloat16_keeps_float32_weights_and_lands_near_float32(devices):
    _, half = run(devices, dataclasses.replace(BASE, precision="bfloat16"))
    _, full = run(devices, BASE)
    assert all(leaf.dtype == np.float32 for leaf in leaves(half.state.params))
    assert not same(half.state.params, full.state.params)
    np.testing.assert_allclose(half.history.loss, full.history.loss, rtol=0.1)


@pytest.mark.parametrize("changes", [{"flip": True}, {"shift": 1}, {"cutout": 2}, {"mixup": 0.2}])
def test_augmentation_changes_training_and_only_by_the_models_own_keys(devices, changes):
    recipe = Recipe(epochs=2, batch_size=8)
    _, plain = run(devices, recipe, dataset=images())
    _, changed = run(devices, dataclasses.replace(recipe, **changes), dataset=images())
    assert not same(plain.state.params, changed.state.params)
    group, member = ensemble(4, devices[:1], recipe=dataclasses.replace(recipe, **changes), dataset=images(), chunk=2)
    alone = group.start(np.array([2]), member[2:3])
    group.advance(alone, 2)
    assert all(
        (a[2] == b[0]).all() for a, b in zip(leaves(changed.state.params), leaves(alone.state.params), strict=True)
    )


def test_any_optax_chain_trains(devices):
    dataset = digits()

    def lion(rate):
        return optax.lion(rate)

    member = ensemble(4, devices[:2])[1]
    trainer = Trainer(
        ensemble(4, devices[:2])[0].trainer.model,
        dataclasses.replace(BASE, learning_rate=3e-3),
        InputScaling.of(dataset),
        150,
        False,
        (64,),
        0,
        lion,
    )
    group = Ensemble(trainer, dataset, Placement(devices[:2], 2))
    state = group.start(np.arange(4), member)
    group.advance(state, 3)
    accuracy = np.asarray(state.history.accuracy)
    assert (accuracy[:, -1] > accuracy[:, 0] + 0.1).all()


def test_nothing_moves_between_host_and_device_inside_a_call(devices):
    group, member = ensemble(4, devices[:2], chunk=2)
    state = group.start(np.arange(4), member)
    group.advance(state, 1)
    with jax.transfer_guard("disallow"):
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            state.state.params["Dense_0"]["bias"] + np.float32(1)
        group.advance(state, 2)
        jax.block_until_ready(state.state)
    assert np.isfinite(np.asarray(state.history.loss)[:, :2]).all()
