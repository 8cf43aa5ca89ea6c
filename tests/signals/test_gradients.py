"""Gradient norms of kept models against one gradient an example."""

import jax
import numpy as np

from miajax.data.dataset import Dataset
from miajax.models.model import from_linen
from miajax.signals.gradients import gradient_norms
from miajax.training.losses import cross_entropy
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Members, Trainer
from tests.training.helpers import digits


def untrained(dataset: Dataset, num_models: int, network=None):
    """A trainer, and the parameters and state of models fresh from ``init``."""
    from miajax.models.registry import build_model

    trainer = Trainer(
        network or build_model("mlp", dataset.num_classes),
        Recipe(epochs=1, batch_size=8),
        InputScaling.of(dataset),
        16,
        False,
        dataset.features.shape[1:],
        0,
    )
    ids = np.zeros((num_models, 16), np.int32)
    members = Members(np.arange(num_models, dtype=np.int32), ids, np.full(num_models, 16, np.int32))
    state, _ = jax.vmap(trainer.init)(members)
    return trainer, jax.tree.map(np.asarray, trainer.evaluated(state))


def one_at_a_time(trainer, models, dataset) -> tuple[np.ndarray, np.ndarray]:
    """The naive way: a gradient for every model and example."""
    num_models = len(jax.tree.leaves(models)[0])
    norms = np.zeros((2, num_models, dataset.num_examples))

    @jax.jit
    def both(model, x, y):
        params, state = model
        loss = lambda p, x: cross_entropy(trainer.model.apply(p, state, x[None], False, None)[0], y[None])[0]  # noqa: E731
        return jax.grad(loss, argnums=(0, 1))(params, trainer.scaling(x))

    for m in range(num_models):
        model = jax.tree.map(lambda leaf, m=m: leaf[m], models)
        for n in range(dataset.num_examples):
            for side, gradient in enumerate(both(model, dataset.features[n], dataset.labels[n])):
                squares = sum((np.asarray(leaf, np.float64) ** 2).sum() for leaf in jax.tree.leaves(gradient))
                norms[side, m, n] = np.sqrt(squares)
    return norms[0], norms[1]


def test_norms_are_those_of_one_gradient_an_example(devices):
    dataset = digits(41)
    trainer, models = untrained(dataset, 3)
    found = gradient_norms(trainer, models, dataset.features, dataset.labels, Placement(devices[:2], 2), block=16)
    parameters, inputs = one_at_a_time(trainer, models, dataset)
    np.testing.assert_allclose(found.parameters, parameters, rtol=1e-5)
    np.testing.assert_allclose(found.inputs, inputs, rtol=1e-5)


def test_a_network_that_cannot_be_tapped_is_no_exception(devices):
    import flax.linen as nn

    class Network(nn.Module):
        """Has running statistics, and calls a layer twice, which no tap can tell apart."""

        @nn.compact
        def __call__(self, x, train: bool):
            x = nn.Conv(3, (3, 3))(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(x)).mean((1, 2))
            layer = nn.Dense(3)
            return nn.Dense(10)(layer(layer(x)))

    pictures = np.random.default_rng(0).integers(0, 256, (10, 6, 6, 2)).astype(np.uint8)
    dataset = Dataset(pictures, np.arange(10, dtype=np.int32), 10, "pictures")
    trainer, models = untrained(dataset, 2, from_linen(Network(), "network"))
    found = gradient_norms(trainer, models, dataset.features, dataset.labels, Placement(devices[:1], 2), block=4)
    parameters, inputs = one_at_a_time(trainer, models, dataset)
    np.testing.assert_allclose(found.parameters, parameters, rtol=2e-5)
    np.testing.assert_allclose(found.inputs, inputs, rtol=2e-5)
