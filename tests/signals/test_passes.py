"""Passes over examples: cut into calls by time, to the same bits as one call, and given up between two of them."""

import os
import signal
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.data.dataset import Dataset
from miajax.models.registry import build_model
from miajax.signals import passes as passes_module
from miajax.signals.features import penultimate, penultimate_features
from miajax.signals.gradients import GradientQuerier, gradient_norms
from miajax.signals.query import Querier, views
from miajax.signals.scaled_logit import scaled_logit
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import OverModels, Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer


class Clock:
    """A pass takes what it is told to; ``counts`` are the passes of each call."""

    def __init__(self, monkeypatch, seconds_a_pass: float):
        self.now, self.seconds, self.counts, real = 0.0, seconds_a_pass, [], OverModels.__call__

        def called(program, carried, per_model, shared):
            self.counts.append(int(shared[2]))
            self.now += self.seconds * self.counts[-1]
            return real(program, carried, per_model, shared)

        monkeypatch.setattr(OverModels, "__call__", called)
        monkeypatch.setattr(passes_module, "time", types.SimpleNamespace(perf_counter=lambda: self.now))


def trained(network: str, shape: tuple[int, ...], n: int, devices, chunk: int):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, *shape), dtype=np.uint8) if len(shape) == 3 else rng.normal(size=(n, *shape))
    dataset = Dataset(x if len(shape) == 3 else x.astype(np.float32), np.arange(n) % 3, 3, "noise")
    trainer = Trainer(
        build_model(network, 3), Recipe(epochs=1, batch_size=8), InputScaling.of(dataset), n // 2, False, shape, 0
    )
    ensemble = Ensemble(trainer, dataset, Placement(devices[:2], chunk))
    width = 2 * chunk
    group = ensemble.start(np.arange(width), np.broadcast_to(np.arange(n) % 2 == 1, (width, n)))
    ensemble.advance(group, 1)
    return dataset, trainer, ensemble.placement, group.state


def in_one_call(trainer, dataset, placement, state, block: int, queries: int) -> np.ndarray:
    """Scaled logits ``[G, N, Q]`` by one program of static loops over blocks and views."""
    n = len(dataset.labels)
    rows = np.arange(-(-n // block) * block) % n
    features = jnp.asarray(dataset.features[rows].reshape(-1, block, *dataset.features.shape[1:]))
    labels, reach = jnp.asarray(dataset.labels[rows].reshape(-1, block)), {1: 0, 18: 1}[queries]

    def of_model(_, model, shared):
        def of_block(batch):
            def of_view(view):
                x = batch[0]
                if queries > 1:
                    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
                    cut = jax.lax.dynamic_slice(padded, (0, reach + view[1], reach + view[2], 0), x.shape)
                    x = jnp.where(view[0] > 0, cut[:, :, ::-1], cut)
                return scaled_logit(trainer.model.apply(*model, trainer.scaling(x), False, None)[0], batch[1])

            return jax.lax.map(of_view, shared[2]).T

        return jax.lax.map(of_block, shared[:2]).reshape(-1, queries)[:n]

    shared = placement.share((features, labels, jnp.asarray(views(queries))))
    return np.asarray(OverModels(of_model, placement)((), trainer.evaluated(state), shared))


@pytest.mark.parametrize(
    ("network", "shape", "chunk", "block", "queries"),
    [
        ("mlp", (12,), 4, 37, 1),  # one block of all examples
        ("mlp", (12,), 4, 5, 1),  # two examples in the last of them
        ("mlp", (12,), 1, 1, 1),
        ("mlp", (6, 5, 2), 2, 8, 18),
        ("cnn", (12, 12, 1), 1, 16, 1),
    ],
)
def test_how_a_query_is_cut_into_calls_changes_no_bit(monkeypatch, devices, network, shape, chunk, block, queries):
    dataset, trainer, placement, state = trained(network, shape, 37, devices, chunk)
    whole = in_one_call(trainer, dataset, placement, state, block, queries)
    querier = Querier(trainer, dataset.features, dataset.labels, placement, block=block, queries=queries)
    for seconds in (10.0, 0.25, 1e-3):
        with monkeypatch.context() as patch:
            clock = Clock(patch, seconds)
            querier._passes._rate = 0.0
            np.testing.assert_array_equal(querier(state).scaled_logit, whole)
        assert sum(clock.counts) == -(-37 // block) * queries and clock.counts[0] == 1
        assert max(clock.counts) <= max(1, 1.0 / seconds)
    assert querier.program.compilations == 1


def test_a_call_is_a_pass_at_first_and_then_a_second(monkeypatch, devices):
    dataset, trainer, placement, state = trained("mlp", (12,), 37, devices, 1)
    clock = Clock(monkeypatch, 0.25)
    querier = Querier(trainer, dataset.features, dataset.labels, placement, block=2)
    querier(state)
    assert clock.counts == [1, 4, 4, 4, 4, 2]
    querier(state)  # the next one knows
    assert clock.counts[6:] == [4, 4, 4, 4, 3]


class Enough(Exception):
    """Somebody asked to stop."""


@pytest.mark.parametrize("what", ["logits", "gradients"])
def test_a_request_to_stop_is_honoured_after_one_pass_of_a_slow_query(monkeypatch, devices, what):
    dataset, trainer, placement, state = trained("mlp", (12,), 37, devices, 1)
    clock = Clock(monkeypatch, 60.0)

    def stop():
        if len(clock.counts) == 3:
            raise Enough

    if what == "logits":
        ask = Querier(trainer, dataset.features, dataset.labels, placement, block=4)
        models = state
    else:
        models = trainer.evaluated(state)
        one = jax.tree.map(lambda leaf: leaf[0], models)
        ask = GradientQuerier(trainer, one, dataset.features, dataset.labels, placement, block=4)
    with pytest.raises(Enough):
        ask(models, stop)
    assert clock.counts == [1, 1, 1]


@pytest.mark.parametrize(("network", "shape", "chunk"), [("mlp", (12,), 4), ("mlp", (12,), 1), ("cnn", (12, 12, 1), 1)])
def test_penultimate_features_of_all_models_at_once_are_those_of_calls_cut_by_time(
    monkeypatch, devices, network, shape, chunk
):
    dataset, trainer, placement, state = trained(network, shape, 37, devices, chunk)
    twice = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf[::-1]]), trainer.evaluated(state))
    read, rows = penultimate(trainer.model), np.minimum(np.arange(40), 36)
    folded = placement.share(dataset.features[rows].reshape(5, 8, *shape))

    def of_model(_, model, shared):
        found = jax.lax.map(lambda x: read(*model, trainer.scaling(x)), shared)
        return found.reshape(40, -1)[:37]

    whole = np.asarray(OverModels(of_model, placement)((), twice, folded))[:-1]
    some = jax.tree.map(lambda leaf: leaf[:-1], twice)  # the last group is not full
    for seconds in (10.0, 0.5):
        with monkeypatch.context() as patch:
            clock = Clock(patch, seconds)
            found = penultimate_features(trainer, some, dataset.features, placement, block=8)
        np.testing.assert_array_equal(found, whole)
        assert sum(clock.counts) == 2 * 5 and max(clock.counts) == max(1, int(1 / seconds))


@pytest.mark.parametrize("what", ["features", "gradients"])
def test_ctrl_c_ends_what_a_whole_pool_of_models_answers_after_one_call(monkeypatch, devices, what):
    dataset, trainer, placement, state = trained("mlp", (12,), 37, devices, 1)
    models = jax.tree.map(lambda leaf: np.concatenate([leaf] * 8), trainer.evaluated(state))
    clock, called = Clock(monkeypatch, 60.0), OverModels.__call__

    def interrupted(*args):
        answers = called(*args)
        if len(clock.counts) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return answers

    monkeypatch.setattr(OverModels, "__call__", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            if what == "features":
                penultimate_features(trainer, models, dataset.features, placement, block=16)
            else:
                gradient_norms(trainer, models, dataset.features, dataset.labels, placement, block=16)
    finally:
        signal.signal(signal.SIGINT, before)
    assert clock.counts == [1, 1, 1], "of 3 blocks and 16 models"
