"""The shared convolution against pixel loops and ``lax.conv``, in every lowering and order of transforms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from miajax.errors import UserError
from miajax.models.conv import LOWERINGS, conv, default_lowering
from miajax.training.parallel import OverModels, Placement
from tests.oracles import conv as oracle

MODELS = 3
# Those that a default plan chooses are tested at once, the others by continuous integration.
EVERY = [pytest.param(n, marks=() if n in ("cpu", "grouped") else pytest.mark.slow) for n in LOWERINGS]
compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": "1"})
SAME3, SAME5 = (((n, n), (n, n)) for n in (1, 2))

# image, window, channels, outputs, strides, padding
CASES = {
    "3x3 strided": ((8, 7), (3, 3), 2, 3, (2, 2), SAME3),
    "1x1": ((4, 5), (1, 1), 5, 3, (1, 1), ((0, 0), (0, 0))),
    "1x1 strided": ((5, 6), (1, 1), 2, 3, (2, 2), ((0, 0), (0, 0))),
    "5x5, one channel": ((8, 8), (5, 5), 1, 4, (1, 1), SAME5),
    "uneven padding": ((6, 7), (3, 5), 2, 2, (1, 2), ((0, 2), (3, 1))),
    "few outputs": ((6, 4), (3, 3), 18, 16, (1, 1), SAME3),
    "few outputs of few channels": ((5, 8), (3, 3), 3, 16, (1, 1), SAME3),
    "few outputs, odd width": ((5, 5), (5, 3), 16, 4, (1, 1), ((2, 1), (1, 0))),
    "few channels": ((4, 6), (3, 3), 17, 33, (1, 1), SAME3),
}


def reference(x, kernel, strides, padding):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def draw(case, seed=0, batch=4, models=MODELS):
    image, window, channels, outputs, strides, padding = case
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(models, batch, *image, channels))
    kernel = rng.normal(size=(models, *window, channels, outputs))
    dy = rng.normal(size=jax.eval_shape(lambda: reference(x[0], kernel[0], strides, padding)).shape)
    return x, kernel, rng.normal(size=(models, *dy.shape)), strides, padding


def pull_backs(function, axes):
    """``(x, kernel, dy) -> (y, gradients)`` with models under ``vmap`` outside and inside of ``grad``."""

    def one(x, kernel, dy):
        y, pull_back = jax.vjp(function, x, kernel)
        return y, pull_back(dy)

    def all_at_once(x, kernel, dy):
        y, pull_back = jax.vjp(jax.vmap(function, axes), x, kernel)
        return y, pull_back(dy)

    return compiled(jax.vmap(one, (*axes, 0))), compiled(all_at_once)


@pytest.mark.parametrize("lowering", EVERY)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_products_equal_pixel_loops_whatever_the_order_of_vmap_and_grad(case, lowering):
    x, kernel, dy, strides, padding = draw(case)
    with jax.enable_x64(True):
        function = functools.partial(conv, strides=strides, padding=padding, lowering=lowering)
        for pull_back in pull_backs(function, (0, 0)):
            y, (dx, dkernel) = jax.tree.map(np.asarray, pull_back(x, kernel, dy))
            for m in range(MODELS):
                np.testing.assert_allclose(y[m], oracle.conv(x[m], kernel[m], strides, padding), atol=1e-12)
                expected = oracle.input_gradient(dy[m], kernel[m], case[0], strides, padding)
                np.testing.assert_allclose(dx[m], expected, atol=1e-12)
                expected = oracle.weight_gradient(x[m], dy[m], case[1], strides, padding)
                np.testing.assert_allclose(dkernel[m], expected, atol=1e-11)


@pytest.mark.parametrize("lowering", EVERY)
@pytest.mark.parametrize("axes", [(None, 0), (0, None)], ids=["shared input", "shared kernel"])
@pytest.mark.parametrize("name", ["3x3 strided", "few outputs"])
def test_models_may_share_an_input_or_a_kernel(name, axes, lowering):
    x, kernel, dy, strides, padding = draw(CASES[name])
    x, kernel = (a if axis == 0 else a[0] for a, axis in zip((x, kernel), axes, strict=True))
    with jax.enable_x64(True):
        ours = pull_backs(functools.partial(conv, strides=strides, padding=padding, lowering=lowering), axes)
        theirs = pull_backs(functools.partial(reference, strides=strides, padding=padding), axes)
        for our, their in zip(ours, theirs, strict=True):
            jax.tree.map(
                functools.partial(np.testing.assert_allclose, atol=1e-11), our(x, kernel, dy), their(x, kernel, dy)
            )


@pytest.mark.parametrize(
    ("inner", "axes"), [((0, 0), (0, 0)), ((None, 0), (0, 0)), ((0, 0), (None, 0)), ((0, None), (None, 0))]
)
@pytest.mark.parametrize("lowering", EVERY)
def test_vmaps_nest(inner, axes, lowering):
    rng = np.random.default_rng(0)
    shapes = ((2, 5, 6, 2), (3, 3, 2, 3))
    lead = [(2,) * (o == 0) + (3,) * (i == 0) for o, i in zip(axes, inner, strict=True)]
    x, kernel = (rng.normal(size=(*n, *shape)) for n, shape in zip(lead, shapes, strict=True))

    def gradient(function):
        twice = jax.vmap(jax.vmap(lambda x, kernel: jax.vjp(function, x, kernel)[1](dy), inner), axes)
        return compiled(twice)(x, kernel)

    with jax.enable_x64(True):
        dy = rng.normal(size=(2, 5, 6, 3))
        ours = gradient(functools.partial(conv, lowering=lowering))
        theirs = gradient(functools.partial(reference, strides=(1, 1), padding="SAME"))
        jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-11), ours, theirs)


@pytest.mark.parametrize("order", ["vmap(grad)", "grad(vmap)"])
def test_grouped_weight_gradient_is_a_batch_grouped_convolution_in_either_order(order):
    x, kernel, dy, _, padding = draw(CASES["few channels"])
    pull_back = pull_backs(functools.partial(conv, padding=padding, lowering="grouped"), (0, 0))
    text = pull_back[order != "vmap(grad)"].lower(x, kernel, dy).as_text()
    assert text.count(f"batch_group_count = {MODELS}") == 1
    assert text.count(f"feature_group_count = {MODELS}") == 2


def test_shared_input_costs_one_convolution_without_groups():
    x, kernel, *_ = draw(CASES["5x5, one channel"])
    for lowering in ("cpu", "grouped", "unrolled"):
        text = jax.jit(jax.vmap(functools.partial(conv, lowering=lowering), (None, 0))).lower(x[0], kernel).as_text()
        assert text.count("stablehlo.convolution") == 1
        assert "feature_group_count = 1" in text
        assert "while" not in text


def test_lowering_in_force_where_a_program_is_traced_is_the_default(devices):
    x, kernel, *_ = draw(CASES["5x5, one channel"], models=2)
    grouped = OverModels(lambda _, operands, __: conv(*operands), Placement(devices[:1], 2, lowering="grouped"))
    default = OverModels(lambda _, operands, __: conv(*operands), Placement(devices[:1], 2))
    named = OverModels(
        lambda _, operands, __: conv(*operands, lowering="cpu"), Placement(devices[:1], 2, lowering="grouped")
    )
    texts = [program.lower((), (x, kernel), ()).as_text() for program in (grouped, default, named)]
    assert ["feature_group_count = 2" in text for text in texts] == [True, False, False]


@pytest.mark.parametrize("lowering", EVERY)
def test_training_in_a_scan_on_two_devices_equals_lax(lowering, devices):
    mesh = Mesh(np.array(devices[:2]), ("models",))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3, 4, 6, 6, 2)).astype(np.float32)  # models, steps
    kernel = rng.normal(size=(4, 3, 3, 2, 2)).astype(np.float32)

    def train(function):
        def one(x, kernel):
            def step(kernel, x):
                gradient = jax.grad(lambda kernel: jnp.tanh(function(jnp.tanh(function(x, kernel)), kernel)).sum())
                return kernel - 0.01 * gradient(kernel), None

            return lax.scan(step, kernel, x)[0]

        chunk = lambda operands: jax.vmap(one)(*operands)  # noqa: E731
        chunks = lambda *operands: lax.map(chunk, jax.tree.map(lambda a: a[:, None], operands))[:, 0]  # noqa: E731
        sharded = jax.shard_map(chunks, mesh=mesh, in_specs=P("models"), out_specs=P("models"), check_vma=False)
        return compiled(sharded).lower(x, kernel).compile()

    ours = train(functools.partial(conv, lowering=lowering))
    theirs = train(functools.partial(reference, strides=(1, 1), padding="SAME"))
    np.testing.assert_allclose(ours(x, kernel), theirs(x, kernel), rtol=1e-4, atol=1e-5)
    assert not any(word in ours.as_text() for word in ("all-reduce", "all-gather", "collective-permute"))


@pytest.mark.parametrize("lowering", EVERY)
@pytest.mark.parametrize("name", ["few channels", "few outputs"])
def test_bfloat16_stays_bfloat16_and_sums_in_float32(name, lowering):
    case = CASES[name]
    x, kernel, dy, strides, padding = draw(case, batch=64, models=1)
    x, kernel, dy = (jnp.asarray(a[0], jnp.bfloat16) for a in (x, kernel, dy))
    y, pull_back = jax.vjp(functools.partial(conv, strides=strides, padding=padding, lowering=lowering), x, kernel)
    dx, dkernel = pull_back(dy)
    assert y.dtype == dx.dtype == dkernel.dtype == jnp.bfloat16
    x, kernel, dy = (np.asarray(a, np.float64) for a in (x, kernel, dy))
    for ours, expected in (
        (y, oracle.conv(x, kernel, strides, padding)),
        (dx, oracle.input_gradient(dy, kernel, case[0], strides, padding)),
        (dkernel, oracle.weight_gradient(x, dy, case[1], strides, padding)),
    ):
        error = np.abs(np.asarray(ours, np.float64) - expected).max() / np.abs(expected).max()
        assert error < 2**-8, "one rounding to 8 bits, not one a term"


def test_operands_of_two_dtypes_are_promoted_and_gradients_keep_their_own():
    x, kernel = jnp.ones((1, 4, 4, 1), jnp.bfloat16), jnp.ones((3, 3, 1, 2), jnp.float32)
    y, pull_back = jax.vjp(conv, x, kernel)
    assert y.dtype == jnp.float32
    assert [g.dtype for g in pull_back(y)] == [jnp.bfloat16, jnp.float32]


def test_an_unknown_lowering_is_refused_by_name():
    with pytest.raises(UserError, match=r"fft.*cpu or grouped or patches or unrolled"):
        conv(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2)), lowering="fft")


def test_cpus_and_accelerators_have_lowerings_of_their_own():
    assert [default_lowering(platform) for platform in ("cpu", "gpu", "tpu")] == ["cpu", "grouped", "grouped"]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    image=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    window=st.sampled_from([1, 3, 5, 7]),
    channels=st.sampled_from([1, 3, 16, 20]),
    outputs=st.sampled_from([1, 4, 12, 16, 24, 33]),
    stride=st.sampled_from([1, 2]),
    padding=st.sampled_from(["SAME", "VALID"]),
    batch=st.integers(1, 7),
    lowering=st.sampled_from(LOWERINGS),
    seed=st.integers(0, 1000),
)
def test_random_shapes_equal_lax(image, window, channels, outputs, stride, padding, batch, lowering, seed):
    case = (image, (window, window), channels, outputs, (stride, stride), padding)
    x, kernel, dy, strides, padding = draw(case, seed, batch, models=2)
    with jax.enable_x64(True):
        ours = pull_backs(functools.partial(conv, strides=stride, padding=padding, lowering=lowering), (0, 0))
        theirs = pull_backs(functools.partial(reference, strides=strides, padding=padding), (0, 0))[0]
        for pull_back in ours:
            jax.tree.map(
                functools.partial(np.testing.assert_allclose, atol=1e-10),
                pull_back(x, kernel, dy), theirs(x, kernel, dy),
            )  # fmt: skip
