"""Penultimate features: what the last dense layer reads, of every model."""

import jax
import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from miajax.models.bring_your_own import from_functions
from miajax.models.registry import ModelOptions, build_model
from miajax.signals.features import penultimate, penultimate_features
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Members, Trainer

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them


def test_the_last_layer_makes_the_logits_of_them(devices):
    data = load_dataset("digits", DataOptions(max_examples=50))
    model = build_model("mlp", 10, ModelOptions(widths=(16, 7)))
    trainer = Trainer(model, Recipe(), InputScaling.of(data), 20, False, data.features.shape[1:], 0)
    members = Members(np.arange(3), np.zeros((3, 20), np.int32), np.full(3, 20))
    params, state = trainer.evaluated(jax.vmap(trainer.init)(members)[0])
    found = penultimate_features(trainer, (params, state), data.features, Placement(devices[:2], 1), block=16)
    assert found.shape == (3, 50, 7)
    last = params[max(params)]
    for place in range(3):
        one = jax.tree.map(lambda leaf: leaf[place], (params, state))  # noqa: B023
        logits, _ = model.apply(*one, trainer.scaling(data.features), False, None)
        by_hand = found[place] @ np.asarray(last["kernel"][place]) + np.asarray(last["bias"][place])
        np.testing.assert_allclose(by_hand, logits, rtol=1e-4, atol=1e-4)


def test_a_network_without_a_dense_layer_is_told_so():
    model = from_functions(lambda key, x: {"w": x[0] * 0}, lambda params, x: x * params["w"], "plain")
    with pytest.raises(UserError, match="plain calls no Linen Dense layer"):
        penultimate(model)({"w": np.ones(3, np.float32)}, {}, np.ones((2, 3), np.float32))
