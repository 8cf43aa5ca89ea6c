"""A model's bits are a function of its keys, the configuration and the plan; never of its company."""

import numpy as np
import pytest

from tests.training.helpers import train


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


def test_more_models_do_not_change_the_first_ones(reference, devices):
    same(tuple(leaf[:8] for leaf in reference), train(8, devices[:2]))


def test_another_seed_gives_another_model(reference, devices):
    other = train(4, devices[:1], seed=1)
    assert all((a[:4] != b).any() for a, b in zip(reference, other, strict=True))


@pytest.mark.parametrize("split", ["bernoulli", "balanced"])
def test_ragged_models_are_the_same_alone(devices, split):
    together = train(8, devices[:2], split=split)
    same(tuple(leaf[5:6] for leaf in together), train(8, devices[:1], split=split, models=[5]))
