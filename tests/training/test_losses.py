import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.training import hamp
from miajax.training.losses import batch_loss, cross_entropy
from miajax.training.recipe import Recipe
from miajax.training.relaxloss import flattened_posteriors, relax_loss
from tests.oracles import defenses as oracle

RNG = np.random.default_rng(0)
LABELS = np.arange(12).astype(np.int32) % 4
SURE = (RNG.normal(size=(12, 4)) + 4 * np.eye(4)[LABELS]).astype(np.float32)
UNSURE = RNG.normal(size=(12, 4)).astype(np.float32)


@pytest.mark.parametrize("logits", [SURE, UNSURE], ids=["below the target", "above the target"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_relax_loss_equals_the_naive_loop(logits, epoch):
    got = relax_loss(logits, LABELS, epoch, alpha=0.6, upper=0.7)
    np.testing.assert_allclose(got, oracle.relax_loss(logits.astype(np.float64), LABELS, epoch, 0.6, 0.7), rtol=1e-5)


def test_relax_loss_climbs_below_its_target_and_descends_above_it():
    plain = jax.grad(lambda z: cross_entropy(z, jnp.asarray(LABELS)).mean())
    relaxed = jax.grad(lambda z: relax_loss(z, LABELS, 0, alpha=0.6))
    np.testing.assert_allclose(relaxed(SURE), -plain(SURE), atol=1e-7)
    np.testing.assert_allclose(relaxed(UNSURE), plain(UNSURE), atol=1e-7)


def test_relax_loss_with_target_zero_is_plain_training():
    plain = jax.grad(lambda z: cross_entropy(z, jnp.asarray(LABELS)).mean())(SURE)
    for epoch in (0, 1):
        relaxed = jax.grad(lambda z, e=epoch: relax_loss(z, LABELS, e, alpha=0.0))(SURE)
        np.testing.assert_allclose(relaxed, plain, atol=1e-7)


def test_flattened_targets_are_constants_to_the_gradient():
    one_hot = jax.nn.one_hot(LABELS, 4)
    targets = flattened_posteriors(jax.nn.log_softmax(SURE), one_hot, 0.7)
    np.testing.assert_allclose(targets.sum(-1), 1.0, rtol=1e-6)
    assert targets.max() <= 0.7 + 1e-6
    want = jax.grad(lambda z: -(targets * jax.nn.log_softmax(z)).sum(-1).mean())(SURE)
    got = jax.grad(lambda z: relax_loss(z, LABELS, 1, alpha=0.6, upper=0.7))(SURE)
    np.testing.assert_allclose(got, want, atol=1e-7)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_soft_labels_have_the_wanted_entropy_and_no_more(share):
    soft = np.asarray(hamp.soft_labels(LABELS, 4, share), np.float64)
    np.testing.assert_allclose(-(soft * np.log(soft)).sum(-1), share * np.log(4), rtol=1e-4)
    np.testing.assert_array_equal(soft.argmax(-1), LABELS)


def test_soft_labels_reach_from_the_hard_label_to_the_uniform_one():
    np.testing.assert_array_equal(hamp.soft_labels(LABELS, 4, 0.0), np.eye(4)[LABELS])
    np.testing.assert_allclose(hamp.soft_labels(LABELS, 4, 1.0), 0.25, rtol=1e-6)
    with pytest.raises(ValueError, match=r"1\.5"):
        hamp.label_probability(1.5, 4)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_hamp_loss_equals_the_naive_loop(penalty, share):
    targets = np.asarray(hamp.soft_labels(LABELS, 4, share), np.float64)
    want = [oracle.hamp_loss(z, t, penalty) for z, t in zip(SURE.astype(np.float64), targets, strict=True)]
    np.testing.assert_allclose(hamp.hamp_loss(SURE, targets, penalty), want, rtol=1e-4, atol=1e-5)


def test_hamp_without_smoothing_and_penalty_is_cross_entropy():
    targets = hamp.soft_labels(LABELS, 4, 0.0)
    np.testing.assert_allclose(
        hamp.hamp_loss(SURE, targets, 0.0), cross_entropy(jnp.asarray(SURE), jnp.asarray(LABELS)), rtol=1e-5
    )


def test_losses_work_under_jit_and_vmap():
    both = np.stack([SURE, UNSURE])
    targets = hamp.soft_labels(LABELS, 4, 0.6)
    relaxed = jax.jit(jax.vmap(lambda z: relax_loss(z, LABELS, 1, alpha=0.6, upper=0.7)))(both)
    np.testing.assert_allclose(relaxed[1], relax_loss(UNSURE, LABELS, 1, alpha=0.6, upper=0.7), rtol=1e-5)
    hampered = jax.jit(jax.vmap(lambda z: hamp.hamp_loss(z, targets, 0.3)))(both)
    np.testing.assert_allclose(hampered[1], hamp.hamp_loss(UNSURE, targets, 0.3), rtol=1e-5)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_recipe_with_relaxloss_minimises_relaxloss(epoch):
    recipe = Recipe(relaxloss=0.6, relaxloss_upper=0.7)
    got = batch_loss(recipe, jnp.asarray(SURE), jnp.asarray(LABELS), jnp.int32(epoch))
    np.testing.assert_allclose(got, oracle.relax_loss(SURE.astype(np.float64), LABELS, epoch, 0.6, 0.7), rtol=1e-5)


def test_a_recipe_with_hamp_minimises_its_loss_on_soft_labels():
    targets = np.asarray(hamp.soft_labels(LABELS, 4, 0.6), np.float64)
    want = [oracle.hamp_loss(z, t, 0.3) for z, t in zip(SURE.astype(np.float64), targets, strict=True)]
    got = batch_loss(Recipe(hamp=0.6, hamp_penalty=0.3), jnp.asarray(SURE), jnp.asarray(LABELS), 0)
    np.testing.assert_allclose(got, np.mean(want), rtol=1e-4)


def test_weights_scale_each_example_and_not_the_divisor():
    weights = np.linspace(0, 1, 12, dtype=np.float32)
    want = (weights * np.asarray(cross_entropy(jnp.asarray(UNSURE), jnp.asarray(LABELS)))).sum() / 12
    got = batch_loss(Recipe(), jnp.asarray(UNSURE), jnp.asarray(LABELS), 0, weights=jnp.asarray(weights))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    ones = batch_loss(Recipe(), jnp.asarray(UNSURE), jnp.asarray(LABELS), 0, weights=jnp.ones(12))
    assert ones == batch_loss(Recipe(), jnp.asarray(UNSURE), jnp.asarray(LABELS), 0)


def test_a_mixed_examples_weight_goes_with_its_label():
    weights = np.linspace(0, 1, 12, dtype=np.float32)
    own, other = (np.asarray(cross_entropy(jnp.asarray(UNSURE), jnp.asarray(y))) for y in (LABELS, LABELS[::-1]))
    want = (0.7 * weights * own + 0.3 * weights[::-1] * other).mean()
    share = jnp.float32(0.7)
    got = batch_loss(
        Recipe(mixup=1.0), jnp.asarray(UNSURE), jnp.asarray(LABELS), 0, share=share, weights=jnp.asarray(weights)
    )
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_losses_that_set_the_targets_exclude_one_another():
    with pytest.raises(UserError, match="one of them"):
        Recipe(relaxloss=1.0, label_smoothing=0.1)
    with pytest.raises(UserError, match="--hamp with it"):
        Recipe(hamp_penalty=0.1)


def test_losses_that_are_not_used_leave_the_recipe_that_runs_recorded_before_them():
    assert not {"relaxloss", "relaxloss_upper", "hamp", "hamp_penalty"} & set(Recipe().identity())
    assert Recipe(relaxloss=1.0).identity()["relaxloss_upper"] == 1.0
    assert Recipe(hamp=0.5).identity()["hamp"] == 0.5
