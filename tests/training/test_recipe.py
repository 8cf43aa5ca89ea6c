"""Recipes: schedules at known steps, optimisers against their formulas, bad values refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.training.losses import cross_entropy
from miajax.training.recipe import Recipe, build_optimizer, learning_rate_schedule


@pytest.mark.parametrize(
    ("schedule", "at"),
    [
        ("constant", {0: 0.2, 99: 0.2}),
        ("cosine", {0: 0.2, 50: 0.1, 100: 0.0}),
        ("step", {49: 0.2, 50: 0.02, 75: 0.002}),
        ("one_cycle", {24: 0.2, 100: 0.0}),
    ],
)
def test_schedules_pass_through_known_points(schedule, at):
    rate = learning_rate_schedule(Recipe(learning_rate=0.2, schedule=schedule), 100)
    for step, expected in at.items():
        assert float(rate(jnp.int32(step))) == pytest.approx(expected, abs=1e-6)


def test_the_step_schedule_falls_at_the_milestones_of_the_recipe():
    rate = learning_rate_schedule(Recipe(learning_rate=0.2, schedule="step", milestones=(0.3, 0.6, 0.9)), 100)
    expected = {0: 0.2, 29: 0.2, 30: 0.02, 59: 0.02, 60: 0.002, 90: 0.0002, 99: 0.0002}
    assert {at: float(rate(jnp.int32(at))) for at in expected} == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_a_warm_up_scales_the_schedule_from_nothing(schedule):
    plain = learning_rate_schedule(Recipe(schedule=schedule), 100)
    warm = learning_rate_schedule(Recipe(schedule=schedule, warmup=0.2), 100)
    for step, factor in {0: 0.0, 5: 0.25, 19: 0.95, 20: 1.0, 80: 1.0}.items():
        assert float(warm(jnp.int32(step))) == pytest.approx(factor * float(plain(jnp.int32(step))), abs=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize(
    ("decayed", "shrinks"),
    [
        ("all", {"kernel", "scale", "bias"}),
        ("not_biases", {"kernel", "scale"}),
        ("kernels", {"kernel"}),
    ],
)
def test_weight_decay_acts_on_what_the_recipe_names(optimizer, decayed, shrinks):
    recipe = Recipe(optimizer=optimizer, learning_rate=0.1, weight_decay=0.1, decayed=decayed, schedule="constant")
    params = {"norm": {"scale": jnp.ones(3), "bias": jnp.ones(3)}, "dense": {"kernel": jnp.ones((2, 3))}}
    chain = build_optimizer(recipe, 10)
    updates, _ = chain.update(jax.tree.map(jnp.zeros_like, params), chain.init(params), params)
    moved = {path[-1].key for path, leaf in jax.tree_util.tree_leaves_with_path(updates) if (leaf != 0).any()}
    assert moved == shrinks


def test_younger_settings_leave_the_identity_of_runs_that_do_not_use_them():
    assert not {"milestones", "warmup", "decayed"} & set(Recipe().identity())
    used = Recipe(schedule="step", milestones=(0.3,), warmup=0.1, decayed="kernels").identity()
    assert (used["milestones"], used["warmup"], used["decayed"]) == ((0.3,), 0.1, "kernels")


def test_sgd_is_its_formula():
    recipe = Recipe(learning_rate=0.5, momentum=0.9, weight_decay=0.1, schedule="constant")
    optimizer = build_optimizer(recipe, 10)
    p, velocity = np.array([1.0, -2.0]), np.zeros(2)
    params, state = jnp.asarray(p, jnp.float32), optimizer.init(jnp.asarray(p, jnp.float32))
    for g in (np.array([0.3, 0.1]), np.array([-0.2, 0.4])):
        updates, state = optimizer.update(jnp.asarray(g, jnp.float32), state, params)
        params = params + updates
        velocity = 0.9 * velocity + g + 0.1 * p
        p = p - 0.5 * velocity
    np.testing.assert_allclose(params, p, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_optimiser_descends(optimizer):
    chain = build_optimizer(Recipe(optimizer=optimizer, learning_rate=0.05, weight_decay=1e-3), 50)
    params = {"w": jnp.ones(3)}
    state = chain.init(params)
    for _ in range(50):
        gradient = jax.grad(lambda p: (p["w"] ** 2).sum())(params)
        updates, state = chain.update(gradient, state, params)
        params = jax.tree.map(jnp.add, params, updates)
    assert float((params["w"] ** 2).sum()) < 1.0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_its_definition(smoothing):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(7, 5)) * 3, rng.integers(0, 5, 7)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    target = (1 - smoothing) * np.eye(5)[y] + smoothing / 5
    expected = -(target * log_p).sum(1)
    np.testing.assert_allclose(
        cross_entropy(jnp.asarray(z, jnp.float32), jnp.asarray(y), smoothing), expected, rtol=1e-5
    )


def test_cross_entropy_is_finite_for_huge_logits():
    loss = cross_entropy(jnp.asarray([[1e4, -1e4], [1e4, -1e4]], jnp.float32), jnp.asarray([0, 1]))
    np.testing.assert_allclose(loss, [0.0, 2e4])


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"momentum": 1.0},
        {"weight_decay": -1.0},
        {"label_smoothing": 1.0},
        {"optimizer": "lion"},
        {"schedule": "none"},
        {"milestones": (0.6, 0.3)},
        {"milestones": (0.5, 1.0)},
        {"warmup": 1.0},
        {"decayed": "weights"},
    ],
)
def test_bad_values_are_refused_by_flag(bad):
    (name,) = bad
    with pytest.raises(UserError, match=f"--{name}"):
        dataclasses.replace(Recipe(), **bad)
