"""The fast network: its size, its whitened first layer, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.data.dataset import Dataset
from miajax.models.contract import check_model
from miajax.models.fast_cifar import FastCifar
from miajax.models.model import count_parameters, from_linen
from miajax.models.registry import build_model
from miajax.models.whitening import whitening_kernel
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe

CIFAR = (32, 32, 3)


def coloured(n: int = 256, size: int = 32, seed: int = 0) -> Dataset:
    """CIFAR-shaped: four classes of stripes, two directions of two widths, in noise that neighbours share."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    phase = rng.random((n, 1, 1, 1)) * 2 * np.pi
    rows, columns = np.mgrid[:size, :size][..., None]
    along = np.where((labels % 2)[:, None, None, None], rows, columns)
    stripes = np.sin(along * np.where(labels < 2, 0.8, 1.6)[:, None, None, None] + phase)
    noise = rng.normal(size=(n, size // 4, size // 4, 1)).repeat(4, 1).repeat(4, 2)
    x = 128 + 30 * stripes + 25 * noise + 6 * rng.normal(size=(n, size, size, 3))
    return Dataset(x.clip(0, 255).astype(np.uint8), labels, 4, "stripes")


@pytest.mark.parametrize(("name", "parameters"), [("fast_cifar", 1_972_514), ("small_cifar", 629_930)])
def test_sizes_and_contract(name, parameters):
    images = coloured(64).features.astype(np.float32)
    model = build_model(name, 10, None, lambda: images)
    check_model(model, CIFAR, 10)
    assert count_parameters(model, jax.ShapeDtypeStruct((1, *CIFAR), jnp.float32)) == parameters
    check_model(build_model(name, 10), (28, 28, 1), 10)


def test_the_small_network_does_ten_million_multiply_adds_an_image():
    images = coloured(64).features.astype(np.float32)
    model = build_model("small_cifar", 10, None, lambda: images)
    x = jnp.zeros((1, *CIFAR))
    params, state = model.init(jax.random.key(0), x)
    jaxpr = jax.make_jaxpr(lambda x: model.apply(params, state, x, False, None)[0])(x)
    assert 10.0e6 < multiply_adds(jaxpr.jaxpr) < 10.8e6


def multiply_adds(jaxpr) -> int:
    """Of every convolution and matrix product of a program, inner programs included."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            total += int(np.prod(equation.outvars[0].aval.shape)) * int(np.prod(kernel[:3]))
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            inner = np.prod([equation.invars[0].aval.shape[axis] for axis in contracted])
            total += int(np.prod(equation.outvars[0].aval.shape)) * int(inner)
        for value in equation.params.values():
            inner_program = getattr(value, "jaxpr", value)
            if hasattr(inner_program, "eqns"):
                total += multiply_adds(inner_program)
    return total


def test_whitened_patches_are_uncorrelated_and_alike_in_size():
    images = coloured().features.astype(np.float32) / 255 - 0.5
    kernel = whitening_kernel(images, epsilon=0.0)
    assert kernel.shape == (2, 2, 3, 24)
    patches = np.lib.stride_tricks.sliding_window_view(images, (2, 2), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    patches = patches.reshape(-1, 12).astype(np.float64)
    raw, white = (np.cov(p.T) for p in (patches, patches @ kernel.reshape(12, 24)[:, :12]))
    assert np.abs(raw - np.diag(np.diag(raw))).max() > 0.5 * np.diag(raw).max()
    np.testing.assert_allclose(white, np.eye(12), atol=0.02)
    np.testing.assert_array_equal(kernel[..., 12:], -kernel[..., :12])


def test_the_directions_kept_are_those_of_the_greatest_variance():
    images = coloured().features.astype(np.float32) / 255 - 0.5
    whole, kept = whitening_kernel(images, 4), whitening_kernel(images, 4, directions=5)
    assert whole.shape == (4, 4, 3, 96) and kept.shape == (4, 4, 3, 10)
    patches = np.lib.stride_tricks.sliding_window_view(images, (4, 4), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    patches = patches.reshape(-1, 48).astype(np.float64)
    directions = whole.reshape(48, 96)[:, :48]
    variance = ((patches @ (directions / np.linalg.norm(directions, axis=0))) ** 2).mean(0)
    largest = np.argsort(variance)[-5:]
    np.testing.assert_array_equal(kept.reshape(48, 10)[:, :5], directions[:, np.sort(largest)])


def test_the_first_layer_is_the_same_for_every_order_of_models_and_every_call():
    images = coloured(64).features.astype(np.float32)
    np.testing.assert_array_equal(whitening_kernel(images), whitening_kernel(images.copy()))


def test_a_campaign_whitens_what_its_networks_see():
    dataset = coloured(64)
    setup = Setup.of(CampaignConfig(model="fast_cifar", recipe=Recipe(batch_size=8)), dataset)
    seen = np.asarray(setup.trainer.scaling(jnp.asarray(dataset.features)))
    expected = from_linen(FastCifar(4, tuple(whitening_kernel(seen).ravel().tolist())), "fast_cifar")
    variables = jax.eval_shape(expected.init, jax.random.key(0), jnp.zeros((1, *CIFAR)))
    zeros = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01), variables)
    ours, theirs = (
        jax.make_jaxpr(lambda x, m=m: m.apply(*zeros, x, False, None)[0])(jnp.zeros((1, *CIFAR)))
        for m in (setup.trainer.model, expected)
    )
    assert str(ours) == str(theirs)
    for a, b in zip(ours.consts, theirs.consts, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_stripes_in_few_epochs(precision, devices):
    dataset = coloured(256, 16)
    recipe = Recipe(
        epochs=6, batch_size=32, learning_rate=0.1, nesterov=True, schedule="one_cycle", precision=precision
    )
    setup = Setup.of(CampaignConfig(model="fast_cifar", num_shadows=2, recipe=recipe), dataset)
    ensemble = Ensemble(setup.trainer, dataset, Placement(devices[:1], 1))
    group = ensemble.start(np.arange(2), setup.membership(2))
    ensemble.advance(group, 6)
    accuracy = np.asarray(group.history.accuracy)
    assert (accuracy[:, -1] > 0.9).all(), accuracy
    assert {leaf.dtype for leaf in jax.tree.leaves(group.state)} <= {jnp.dtype(t) for t in ("float32", "int32")}
