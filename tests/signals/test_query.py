"""Views and queries: every model sees the same views of the same examples, whatever the blocks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.models.batch_norm import BatchNorm
from miajax.models.model import from_linen
from miajax.models.registry import build_model
from miajax.signals.query import Querier, views
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer


def images(n: int = 37) -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (n, 6, 5, 2), dtype=np.uint8), np.arange(n) % 3, 3, "noise")


@pytest.fixture(scope="module")
def trained(devices):
    dataset = images()
    trainer = Trainer(
        build_model("mlp", 3), Recipe(epochs=2, batch_size=8), InputScaling.of(dataset), 18, False, (6, 5, 2), 0
    )
    ensemble = Ensemble(trainer, dataset, Placement(devices[:2], 2))
    member = np.zeros((4, 37), bool)
    member[:, ::2] = True
    member[:, 0] = False
    group = ensemble.start(np.arange(4), member)
    ensemble.advance(group, 2)
    return dataset, trainer, ensemble.placement, group.state


def test_the_published_view_sets_are_flips_times_shifts():
    assert views(1).tolist() == [[0, 0, 0]]
    assert views(2).tolist() == [[0, 0, 0], [1, 0, 0]]
    for queries, reach in ((18, 1), (50, 2)):
        found = views(queries)
        assert found[0].tolist() == [0, 0, 0] and len({tuple(v) for v in found.tolist()}) == queries
        assert np.abs(found[:, 1:]).max() == reach
    with pytest.raises(UserError, match="1, 2, 18, 50"):
        views(3)


def shown(image, view):
    """One view of one image, the slow way."""
    flip, dy, dx = view
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    height, width = image.shape[:2]
    cut = padded[2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
    return cut[:, ::-1] if flip else cut


@pytest.mark.parametrize("queries", [1, 2, 18])
def test_each_query_asks_about_its_view(trained, queries):
    dataset, trainer, placement, state = trained
    querier = Querier(trainer, dataset.features, dataset.labels, placement, block=8, queries=queries)
    answers = querier(state)
    assert answers.logits is not None and answers.logits.shape == (4, 37, queries, 3)
    for model, example, query in [(0, 0, 0), (3, 36, queries - 1), (2, 17, queries // 2)]:
        x = shown(dataset.features[example], views(queries)[query])[None]
        params = {k: {n: np.asarray(a)[model] for n, a in layer.items()} for k, layer in state.params.items()}
        logits, _ = trainer.model.apply(params, {}, trainer.scaling(x), False, None)
        np.testing.assert_allclose(answers.logits[model, example, query], logits[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(answers.correct, np.argmax(answers.logits[:, :, 0], -1) == dataset.labels)


def test_uneven_blocks_change_nothing_but_rounding(trained):
    dataset, trainer, placement, state = trained
    whole, parts = (
        Querier(trainer, dataset.features, dataset.labels, placement, block=block)(state).scaled_logit
        for block in (64, 5)
    )
    assert whole.shape == (4, 37, 1)
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-5)


class Normalised(nn.Module):
    """A network whose logits depend on the batch they are asked in."""

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(3)(BatchNorm()(x.reshape(len(x), -1), train))


def test_batch_stats_mode_normalises_by_the_queried_block_and_evaluation_mode_does_not(devices):
    dataset = images()
    trainer = Trainer(
        from_linen(Normalised(), "normalised"), Recipe(epochs=1, batch_size=8), InputScaling.of(dataset), 18, False,
        (6, 5, 2), 0,
    )  # fmt: skip
    placement = Placement(devices[:1], 1)
    group = Ensemble(trainer, dataset, placement).start(np.arange(1), np.arange(37)[None] % 2 == 1)

    def answer(mode):
        querier = Querier(trainer, dataset.features, dataset.labels, placement, block=10, mode=mode)
        return np.asarray(querier(group.state).logits)[0, :, 0]

    params, state = jax.tree.map(lambda a: jnp.asarray(np.asarray(a)[0]), (group.state.params, group.state.model_state))

    def alone(rows, train):
        key = jax.random.key(0) if train else None
        return trainer.model.apply(params, state, trainer.scaling(dataset.features[rows]), train, key)[0]

    np.testing.assert_allclose(answer("evaluation"), alone(np.arange(37), False), rtol=1e-4, atol=1e-5)
    by_block = answer("batch_stats")
    np.testing.assert_allclose(by_block[10:20], alone(np.arange(10, 20), True), rtol=1e-4, atol=1e-4)
    last = np.r_[30:37, 0:3]  # filled up with the first examples
    np.testing.assert_allclose(by_block[30:], alone(last, True)[:7], rtol=1e-4, atol=1e-4)


def test_tables_have_one_view(trained):
    _, trainer, placement, _ = trained
    with pytest.raises(UserError, match="images"):
        Querier(trainer, np.zeros((5, 4), np.float32), np.zeros(5, np.int32), placement, block=8, queries=2)


def test_images_reach_the_network_standardised_by_channel():
    dataset = images(200)
    scaled = np.asarray(InputScaling.of(dataset)(dataset.features), np.float64)
    np.testing.assert_allclose(scaled.mean((0, 1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(scaled.std((0, 1, 2)), 1.0, atol=1e-5)
