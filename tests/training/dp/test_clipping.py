"""Clipping from inputs and cotangents equals explicit per-example clipping, or says that it can't."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.models.layers import StandardizedConv
from miajax.models.registry import ModelOptions, build_model
from miajax.training.dp.clipping import clipped_sum, plan_clipping
from miajax.training.dp.gradients import LinearGradient, StandardizedGradient
from miajax.training.losses import cross_entropy
from miajax.training.parallel import OverModels, Placement
from tests.training.dp.networks import (
    CHEAP,
    IMAGE,
    BarelyReadsKernel,
    Behind,
    Grouped,
    Lifted,
    OwnParameter,
    Pictures,
    ReadsKernel,
    SeesOthers,
    Standardized,
    Table,
    Twice,
    assert_equal_to_explicit,
    batch,
    clipped,
    made,
)

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

KEY = jax.random.key(0)


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("network", [Pictures(), Standardized(), Table()], ids=lambda n: type(n).__name__)
def test_tapped_clipping_equals_explicit_clipping(network, views):
    apply, params = made(network)
    plan = plan_clipping(apply, params, IMAGE, views)
    assert plan.fallback is None
    x, y = batch(views=views)
    out = assert_equal_to_explicit(plan, apply, params, x, y, np.array([1, 1, 0, 1, 1, 0], bool), 1.5)
    assert (np.asarray(out.norms)[:2] > 1.5).any(), "nothing was clipped"


def test_every_method_of_every_layer_was_compared():
    plans = [
        plan_clipping(*made(network), IMAGE, views) for network in (Pictures(), Standardized()) for views in (1, 3)
    ]
    used = {(layer.layer, layer.method) for plan in plans for layer in plan.layers}
    assert used == {
        ("Conv", "explicit"),
        ("Conv", "ghost"),
        ("StandardizedConv", "explicit"),
        ("StandardizedConv", "ghost"),
        ("Dense", "product"),
        ("Dense", "ghost"),
        ("Dense", "explicit"),
        ("GroupNorm", "explicit"),
        ("LayerNorm", "explicit"),
    }


@pytest.mark.parametrize("name", ["cnn", "resnet20", "wrn16_4"])
def test_house_networks_with_group_norm_need_no_gradient_of_an_example(name):
    model = build_model(name, 10, ModelOptions(norm="group"))
    params, state = jax.jit(model.init)(KEY, jnp.zeros((1, 32, 32, 3)))
    assert not jax.tree.leaves(state)
    apply = lambda p, x, key: model.apply(p, {}, x, True, key)[0]  # noqa: E731
    # Compared with explicit gradients to 1e-4, which no rounding may fail in deep networks.
    plan = plan_clipping(apply, params, (32, 32, 3), check=cross_entropy)
    assert plan.fallback is None, plan.fallback
    assert {layer.layer for layer in plan.layers} == {"StandardizedConv", "GroupNorm", "Dense"}


def test_gradients_along_a_standardized_kernel_and_its_mean_count_as_nothing():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(1, 1, 6, 3))
    w = (kernel - kernel.mean(2)) / kernel.std(2)
    rows = np.stack([w[0, 0, :, :1].T, np.ones((1, 6)), rng.normal(size=(1, 6))])  # [3, 1, 6]
    cotangent = np.zeros((3, 1, 3))
    cotangent[:, 0, 0] = 1.0
    layer = StandardizedGradient(*map(jnp.asarray, (rows, cotangent, kernel)), 0.0, "ghost")
    norms = np.sqrt(layer.squared_norm())
    assert norms[0] < 1e-3 * norms[2] and norms[1] < 1e-3 * norms[2]


@pytest.mark.parametrize("method", ["product", "ghost", "explicit"])
def test_methods_agree_on_one_linear_layer(method):
    rng = np.random.default_rng(0)
    t = 1 if method == "product" else 4
    rows, cotangent = rng.normal(size=(5, t, 3)), rng.normal(size=(5, t, 2))
    layer = LinearGradient(jnp.asarray(rows), jnp.asarray(cotangent), (3, 2), True, method)
    kernels, biases = np.einsum("btp,btd->bpd", rows, cotangent), cotangent.sum(1)
    np.testing.assert_allclose(layer.squared_norm(), (kernels**2).sum((1, 2)) + (biases**2).sum(1), rtol=1e-5)
    factors = np.array([0.5, 0.0, 1.0, 2.0, 0.1])
    total = layer.weighted_sum(jnp.asarray(factors, jnp.float32))
    np.testing.assert_allclose(total["kernel"], np.tensordot(factors, kernels, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(total["bias"], factors @ biases, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["tapped", "explicit"])
@pytest.mark.parametrize(
    ("case", "size", "scale", "real"),
    [("one example", 1, 1.0, [1]), ("all padding", 3, 1.0, [0, 0, 0]), ("huge norms", 3, 1e6, [1, 1, 1])],
)
def test_awkward_batches(method, case, size, scale, real):
    apply, params = made(Table())
    plan = plan_clipping(apply, params, IMAGE)
    if method == "explicit":
        plan = dataclasses.replace(plan, fallback="asked for", microbatch=2)
    x, y = batch(size=size, scale=scale)
    assert_equal_to_explicit(plan, apply, params, x, y, np.array(real, bool), 0.5)


@pytest.mark.parametrize(
    ("size", "real", "scale", "half"),
    [
        (3, [1, 1, 1], 0.0, False),
        (1, [1], 1.0, False),
        (3, [0, 0, 0], 1.0, False),
        (3, [1, 0, 1], 1e6, False),
        (3, [1, 1, 1], 1.0, True),
    ],
    ids=["zero gradient", "one example", "all padding", "huge norms", "bfloat16"],
)
@pytest.mark.parametrize(
    "layer",
    [nn.Conv(4, (3, 3), strides=2), StandardizedConv(4, (3, 3), strides=2), nn.GroupNorm(3), nn.LayerNorm()],
    ids=lambda layer: type(layer).__name__,
)
def test_every_layer_takes_awkward_batches(layer, size, real, scale, half):
    apply, params = made(Behind(layer))
    plan = plan_clipping(apply, params, IMAGE)
    assert plan.fallback is None and len(plan.layers) == 2
    x, y = batch(size=size)
    scaled = lambda logits, labels: scale * cross_entropy(logits, labels)  # noqa: E731
    # Explicit gradients leave a backward pass in bfloat16 with 8 bits.
    run, rtol = (in_bfloat16(apply), 3e-2) if half else (apply, 1e-5)
    assert_equal_to_explicit(plan, run, params, x, y, np.array(real, bool), 0.5, rtol, scaled)


@pytest.mark.parametrize("fallback", [None, "asked for"])
def test_zero_gradient_stays_zero(fallback):
    apply, params = made(Table())
    plan = dataclasses.replace(plan_clipping(apply, params, IMAGE), fallback=fallback)
    x, y = batch()
    nothing = lambda logits, labels: 0.0 * cross_entropy(logits, labels)  # noqa: E731
    out = clipped(plan, apply, nothing, params, x, y, np.ones(6, bool), 1.0)
    assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(out.total))
    np.testing.assert_array_equal(out.norms, 0.0)


@pytest.mark.parametrize(
    ("poison", "fallback"),
    [(np.inf, None), (np.nan, None), (3e38, None), (np.inf, "asked for"), (np.nan, "asked for")],
)
def test_an_example_without_a_finite_gradient_counts_as_nothing(fallback, poison):
    apply, params = made(Table())
    plan = dataclasses.replace(plan_clipping(apply, params, IMAGE), fallback=fallback)
    x, y = batch()
    poisoned = clipped(plan, apply, cross_entropy, params, x.at[2].set(poison), y, np.ones(6, bool), 0.5).total
    without = clipped(plan, apply, cross_entropy, params, x, y, np.arange(6) != 2, 0.5).total
    for a, b in zip(jax.tree.leaves(poisoned), jax.tree.leaves(without), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def in_bfloat16(apply):
    """The network with activations of 8 bits, as training at that precision runs it."""
    return lambda p, x, key: apply(*jax.tree.map(lambda a: a.astype(jnp.bfloat16), (p, x)), key).astype(jnp.float32)


def test_bfloat16_signals_are_summed_and_measured_in_float32():
    apply, params = made(Table())
    half = in_bfloat16(apply)
    plan = plan_clipping(half, params, IMAGE, check=cross_entropy)
    assert plan.fallback is None
    x, y = batch()
    # Explicit gradients leave the backward pass as bfloat16, which keeps 8 bits.
    out = assert_equal_to_explicit(plan, half, params, x, y, np.ones(6, bool), 0.5, rtol=2e-2)
    run = jax.jit(lambda x, y: clipped_sum(plan, half, cross_entropy, params, x, y, jnp.ones(1, bool), 0.5, KEY))
    alone = [run(x[n : n + 1], y[n : n + 1]) for n in range(6)]
    for one in alone:  # what enters the sum is no longer than C, to float32
        length = np.sqrt(sum((np.asarray(g, np.float64) ** 2).sum() for g in jax.tree.leaves(one.total)))
        assert length <= 0.5 * (1 + 1e-5)
    summed = jax.tree.map(lambda *g: sum(g), *(one.total for one in alone))
    for a, b in zip(jax.tree.leaves(out.total), jax.tree.leaves(summed), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-2)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Twice(), "is called 2 times"),
        (OwnParameter(), "temperature belongs to no layer"),
        (ReadsKernel(), "differ from explicit"),
        (BarelyReadsKernel(), "differ from explicit"),
        (SeesOthers(), "differ from explicit"),
        (Lifted(), "lifted"),
        (Grouped(), "groups"),
    ],
    ids=["twice", "own parameter", "kernel read outside", "kernel read a little", "sees others", "lifted", "grouped"],
)
def test_what_taps_cannot_see_falls_back_and_says_so(network, reason):
    apply, params = made(network)
    plan = plan_clipping(apply, params, IMAGE, check=cross_entropy)
    assert plan.fallback is not None
    assert reason in plan.fallback
    assert plan.fallback in plan.lines()[0]
    x, y = batch(size=5)
    assert_equal_to_explicit(
        dataclasses.replace(plan, microbatch=2), apply, params, x, y, np.array([1, 0, 1, 1, 1], bool), 0.5
    )


def test_a_plain_function_falls_back():
    apply = lambda params, x, key: x.reshape(len(x), -1) @ params["w"]  # noqa: E731
    params = {"w": jnp.ones((192, 5)) / 100}
    plan = plan_clipping(apply, params, IMAGE, check=cross_entropy)
    assert plan.fallback == "w belongs to no layer that can be tapped"
    x, y = batch()
    assert_equal_to_explicit(plan, apply, params, x, y, np.ones(6, bool), 0.5)


@pytest.mark.parametrize("fallback", [None, "asked for"])
def test_two_devices_equal_one_and_each_model_has_its_own_clip_norm(devices, fallback):
    apply, _ = made(Pictures())
    models = [made(Pictures(), seed=seed)[1] for seed in range(4)]
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
    plan = dataclasses.replace(plan_clipping(apply, models[0], IMAGE), fallback=fallback)
    x, y = batch()
    clip_norms = jnp.array([0.1, 1.0, 2.0, 1e6])

    def one(_, per_model, shared):
        params, clip_norm = per_model
        return clipped_sum(plan, apply, cross_entropy, params, shared[0], shared[1], jnp.ones(6, bool), clip_norm, KEY)

    def over(count):
        # As a campaign compiles it. At optimisation level 1 (``runs_once``) the last bit is not the same on AMD: a
        # module for one device is not partitioned, so that its loops are fused otherwise.
        run = OverModels(one, Placement(devices[:count], 2))
        return run((), (params, clip_norms), (x, y)), run.compile((), (params, clip_norms), (x, y)).as_text()

    (of_one, _), (of_two, text) = over(1), over(2)
    assert "all-reduce" not in text and "all-gather" not in text
    for a, b in zip(jax.tree.leaves(of_one), jax.tree.leaves(of_two), strict=True):
        np.testing.assert_array_equal(a, b)
    of_one_model = jax.jit(lambda p, c: one((), (p, c), (x, y)).total, compiler_options=CHEAP)
    for m, clip_norm in enumerate(clip_norms):
        alone = of_one_model(models[m], clip_norm)
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(of_two.total), strict=True):
            np.testing.assert_allclose(a, b[m], atol=1e-5 * float(min(clip_norm, 10.0)))


def test_no_gradient_of_an_example_is_written_out_for_dense_layers():
    apply, params = made(Table(), (192,))
    plan = plan_clipping(apply, params, (192,))
    x, y = batch((192,), size=64)
    run = jax.jit(lambda p, x: clipped_sum(plan, apply, cross_entropy, p, x, y, jnp.ones(64, bool), 1.0, KEY).total)
    text = run.lower(params, x).compile().as_text()
    assert "64,192,12" not in text and "64,12,192" not in text
