"""Private training: its limits, its noise, its bookkeeping."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.models.model import from_linen
from miajax.training.dp.mechanism import Privacy
from miajax.training.dp.noise import gaussian_like, public_key
from miajax.training.dp.threefry import step_key
from miajax.training.ensemble import Ensemble
from miajax.training.losses import cross_entropy
from miajax.training.parallel import Placement
from miajax.training.private import private_inputs
from miajax.training.recipe import Recipe
from tests.oracles.dp import explicit_clipped_sum
from tests.training.dp.networks import CHEAP
from tests.training.dp.runs import RECIPE, parameters, private_ensemble, private_trainer, started, trained, trainer
from tests.training.helpers import digits

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

PRIVACY = Privacy(noise_multiplier=1.0, clip_norm=0.5, overflow="microbatch", accountant="rdp")


@pytest.fixture(scope="module")
def ensemble(devices):
    return private_ensemble(devices[:1], PRIVACY)


@pytest.fixture(scope="module")
def finished(ensemble):
    return trained(ensemble)


def test_without_noise_and_with_a_huge_norm_private_training_is_plain_training(devices):
    """With all members in every batch, so that both see the same batches."""
    recipe = dataclasses.replace(RECIPE, batch_size=50)
    plain = trained(Ensemble(trainer(recipe), digits(101), Placement(devices[:1], 2)))
    free = Privacy(noise_multiplier=0.0, clip_norm=1e9, sampling="fixed_size", accountant="rdp")
    private = trained(private_ensemble(devices[:1], free, recipe=recipe))
    for model in (0, 1):
        np.testing.assert_allclose(parameters(private, model), parameters(plain, model), atol=2e-6)
    np.testing.assert_allclose(private.history.loss, plain.history.loss, rtol=1e-5)


def test_two_devices_equal_one(devices, finished):
    two = trained(private_ensemble(devices[:2], PRIVACY))
    for model in (0, 1):
        np.testing.assert_array_equal(parameters(two, model), parameters(finished, model))


def test_epsilon_and_bits_after_resume_are_those_of_an_uninterrupted_training(ensemble, finished):
    group = started(ensemble)
    ensemble.advance(group, 1)
    snapshot = ensemble.snapshot(group)
    member = np.zeros((2, 101), bool)
    for row, (ids, count) in enumerate(zip(group.members.ids, group.members.count, strict=True)):
        member[row, np.asarray(ids)[:count]] = True
    resumed = ensemble.resume(np.arange(2), member, snapshot)
    ensemble.advance(resumed, 3)
    np.testing.assert_array_equal(resumed.state.private_steps, finished.state.private_steps)
    np.testing.assert_array_equal(parameters(resumed, 1), parameters(finished, 1))
    mechanism = ensemble.trainer.private.mechanism
    steps = int(finished.state.private_steps[0])
    assert steps == mechanism.steps == 9
    assert mechanism.epsilon(int(snapshot.state.private_steps[0])) < mechanism.epsilon(steps)


def test_the_secret_is_in_no_snapshot(ensemble, finished):
    secret = public_key(0)
    for leaf in jax.tree.leaves(ensemble.snapshot(finished)):
        content = np.ascontiguousarray(leaf).tobytes()
        assert not any(content.find(secret[i : i + 1].tobytes()) >= 0 for i in range(2))


def test_another_key_gives_another_model_from_the_same_start(ensemble, finished):
    inputs = private_inputs([ensemble.trainer.private.mechanism], public_key(1))(np.arange(2))
    assert (parameters(trained(ensemble, private=inputs), 0) != parameters(finished, 0)).any()


def test_a_sweep_of_two_equals_two_single_runs(ensemble, finished):
    first = ensemble.trainer.private.mechanism
    second = dataclasses.replace(first, clip_norm=0.1, step=dataclasses.replace(first.step, noise_multiplier=4.0))
    sweep = trained(ensemble, private=private_inputs([first, second], public_key(0))(np.arange(2)))
    alone = trained(ensemble, private=private_inputs([second], public_key(0))(np.arange(2)))
    np.testing.assert_array_equal(parameters(sweep, 0), parameters(finished, 0))
    np.testing.assert_array_equal(parameters(sweep, 1), parameters(alone, 1))
    assert (parameters(alone, 1) != parameters(finished, 1)).any()


def test_a_sweep_over_sampling_is_refused(ensemble):
    first = ensemble.trainer.private.mechanism
    with pytest.raises(ValueError, match="share sampling"):
        private_inputs([first, dataclasses.replace(first, width=12)], public_key(0))


BIAS = 8 + 64 * 8  # where the last layer's bias stands in the flat parameters of the small network


def step_gradients(privacy, models=2, steps=200, **options):
    """``[models, steps, parameters]``: noisy gradients at the models' first parameters, one a step number."""
    private = private_trainer(trainer(**options), privacy)
    data = digits(101)
    features, labels = jnp.asarray(data.features), jnp.asarray(data.labels)
    params, _ = private.model.init(jax.random.key(0), jnp.zeros((1, 64)))
    inputs = private_inputs([private.private.mechanism], public_key(0))(np.arange(models))

    def one(model_id, inputs, number):
        out = private.private.gradient(
            lambda p, x, key: private.forward(p, {}, x, key)[0],
            lambda logits, y: 0.0 * logits.sum(-1) if privacy.noise_multiplier else logits.sum(-1),
            params,
            inputs,
            (model_id, jnp.int32(50), private.capacity),
            number,
            lambda rows, key: (features[rows][:, None], labels[rows], None),
            jax.random.key(1),
        )
        return jnp.concatenate([jnp.ravel(g) for g in jax.tree.leaves(out.gradient)])

    over = jax.vmap(jax.vmap(one, (None, None, 0)), (0, 0, None))
    return np.asarray(jax.jit(over, compiler_options=CHEAP)(jnp.arange(models), inputs, jnp.arange(steps)))


def test_noise_has_its_standard_deviation_and_differs_between_models_and_steps():
    drawn = step_gradients(Privacy(noise_multiplier=2.0, clip_norm=0.5, overflow="microbatch", accountant="rdp"))
    np.testing.assert_allclose(drawn.std(), 2.0 * 0.5 / 16, rtol=0.01)  # over the expected batch of 16
    flat = drawn.reshape(-1, drawn.shape[-1])
    correlation = np.corrcoef(flat) - np.eye(len(flat))
    assert np.abs(correlation).max() < 6 / np.sqrt(flat.shape[1])


@pytest.mark.parametrize(("overflow", "slots"), [("microbatch", 40), ("truncate", 40), ("truncate", 12)])
def test_a_sample_worked_off_in_blocks_sums_to_the_same(overflow, slots):
    accountant = "rdp" if overflow == "microbatch" else "pld"
    base = Privacy(noise_multiplier=0.0, clip_norm=0.5, overflow=overflow, accountant=accountant, slots=slots)
    whole = step_gradients(dataclasses.replace(base, microbatch=50), models=1, steps=30)
    blocks = step_gradients(dataclasses.replace(base, microbatch=7), models=1, steps=30)
    np.testing.assert_allclose(blocks, whole, atol=1e-6)
    assert np.abs(whole).max() > 0
    # Every example adds the same bias gradient of (1, ..., 1), cut to the norm: the sums count the examples.
    uncut = step_gradients(dataclasses.replace(base, clip_norm=1e9, microbatch=7), models=1, steps=30)
    sizes = uncut[0, :, BIAS] * 16
    assert (sizes.max() == pytest.approx(12, abs=1e-3)) if slots == 12 else (sizes.max() > 17)


def test_models_of_different_size_run_the_same_number_of_steps(devices):
    run = trained(private_ensemble(devices[:1], PRIVACY, split="bernoulli"), split="bernoulli")
    counts = np.asarray(run.members.count)
    assert counts[0] != counts[1]
    np.testing.assert_array_equal(run.state.private_steps, run.state.private_steps[0])


def test_early_stopping_counts_the_steps_that_ran(devices):
    data = digits(101)
    data = dataclasses.replace(data, validation_features=data.features[:10], validation_labels=data.labels[:10])
    recipe = dataclasses.replace(RECIPE, epochs=6, early_stopping=1)
    loud = dataclasses.replace(PRIVACY, noise_multiplier=1e3)  # so that some epoch is worse than the one before
    ensemble = private_ensemble(devices[:1], loud, recipe=recipe, dataset=data)
    run = trained(ensemble)
    steps = np.asarray(run.state.private_steps)
    ran = np.isfinite(np.asarray(run.history.loss)).sum(1)
    np.testing.assert_array_equal(steps, ran * 3)
    assert steps.min() < 18


def test_views_of_pictures_are_averaged_before_clipping(devices):
    rng = np.random.default_rng(0)
    data = dataclasses.replace(
        digits(101), features=rng.integers(0, 255, (101, 8, 8, 1)).astype(np.uint8), image_shape=(8, 8, 1)
    )
    recipe = dataclasses.replace(RECIPE, epochs=1, shift=1)
    privacy = dataclasses.replace(PRIVACY, augmentation_multiplicity=3, noise_multiplier=0.0)
    ensemble = private_ensemble(devices[:1], privacy, recipe=recipe, dataset=data)
    assert {layer.method for layer in ensemble.trainer.private.plan.layers} <= {"ghost", "explicit"}
    assert np.isfinite(parameters(trained(ensemble), 0)).all()


class Grouped(nn.Module):
    """A convolution under GroupNorm, as De et al. 2022 train them."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.GroupNorm(num_groups=2)(nn.Conv(4, (3, 3), strides=(2, 2))(x)))
        return nn.Dense(10)(x.reshape(len(x), -1))


def test_the_recipe_of_de_et_al_is_what_a_plain_loop_computes(devices):
    """Views averaged before clipping, parts of a batch added up, noise added once, and the moving average."""
    rng = np.random.default_rng(0)
    data = dataclasses.replace(
        digits(101), features=rng.integers(0, 255, (101, 8, 8, 1)).astype(np.uint8), image_shape=(8, 8, 1)
    )
    recipe = Recipe(epochs=2, batch_size=16, learning_rate=0.5, momentum=0.0, shift=1, flip=True, ema=0.2)
    privacy = dataclasses.replace(PRIVACY, augmentation_multiplicity=2, microbatch=4)
    ensemble = private_ensemble(
        devices[:1], privacy, recipe=recipe, dataset=data, model=from_linen(Grouped(), "grouped")
    )
    trainer, run = ensemble.trainer, started(ensemble)
    assert trainer.private.plan.fallback is None and trainer.private.block == 4
    model = 1
    members = jax.tree.map(lambda leaf: jnp.asarray(leaf)[model], run.members)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64)[model], run.state.params)
    ensemble.advance(run, recipe.epochs)

    @jax.jit
    def drawn(step, epoch, number):
        """``(x [blocks, 4, 2, 8, 8, 1], y, mask)`` of a step, and its secret."""
        key = jax.random.fold_in(jax.random.fold_in(trainer.key(members.model_id, 2), epoch), number)
        secret = step_key(members.private.key, members.model_id, step)
        sample = trainer.private._sample(secret, members.count, trainer.capacity)
        blocks = -(-len(sample.rows) // 4)
        rows = jnp.pad(sample.rows, (0, 4 * blocks - len(sample.rows))).reshape(blocks, 4)
        mask = (jnp.arange(4 * blocks) < sample.used).reshape(blocks, 4)

        def views(block, rows):
            draws, _ = jax.random.split(jax.random.fold_in(key, block))
            twice = jnp.repeat(trainer.scaling(jnp.asarray(data.features)[members.ids[rows]]), 2, 0)
            return trainer._augmented(draws, twice).reshape(4, 2, 8, 8, 1)

        x = jnp.stack([views(block, rows[block]) for block in range(blocks)])
        return x, jnp.asarray(data.labels)[members.ids[rows]], mask, secret

    def gradient_of_one(params, x, label):
        logits = lambda p: trainer.forward(p, {}, x, jax.random.key(0))[0]  # noqa: E731
        return jax.grad(lambda p: cross_entropy(logits(p), jnp.broadcast_to(label, (2,))).mean())(params)

    average, steps = params, recipe.epochs * trainer.steps_per_epoch
    for step in range(steps):
        x, y, mask, secret = drawn(step, *divmod(step, trainer.steps_per_epoch))
        now = jax.tree.map(lambda p: jnp.asarray(p, jnp.float32), params)
        total = gaussian_like(secret, now, 1.0 * 0.5)
        for block in range(len(x)):
            clipped, _ = explicit_clipped_sum(gradient_of_one, now, x[block], y[block], mask[block], 0.5)
            total = jax.tree.map(np.add, total, clipped)
        rate = 0.5 * 0.5 * (1 + np.cos(np.pi * step / steps))
        params = jax.tree.map(lambda p, g, rate=rate: p - rate * np.asarray(g) / 16, params, total)
        decay = min(0.2, (1 + step) / (10 + step))
        average = jax.tree.map(lambda a, p, d=decay: d * a + (1 - d) * p, average, params)
    for found, expected in ((run.state.params, params), (run.state.ema, average)):
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(np.asarray(a)[model], b, atol=1e-5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="blocks are as large as asked for elsewhere")
def test_a_cpu_clips_few_images_at_a_time_and_tables_whole():
    data = dataclasses.replace(digits(101), features=np.zeros((101, 8, 8, 1), np.uint8), image_shape=(8, 8, 1))
    for privacy, block in ((PRIVACY, 8), (dataclasses.replace(PRIVACY, augmentation_multiplicity=2), 4)):
        of_images = trainer(dataset=data, model=from_linen(Grouped(), "grouped"), recipe=Recipe(batch_size=16, shift=1))
        assert private_trainer(of_images, privacy).private.block == block
    of_table = private_trainer(trainer(), PRIVACY)
    assert of_table.private.block == of_table.private.mechanism.block > 8


def test_batch_norm_is_refused_and_says_why():
    class Normalised(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            return nn.Dense(10)(nn.BatchNorm(use_running_average=not train)(x))

    with pytest.raises(UserError, match=r"running statistics.*GroupNorm"):
        private_trainer(trainer(model=from_linen(Normalised(), "normalised")), PRIVACY)
