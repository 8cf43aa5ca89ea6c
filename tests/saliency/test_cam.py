import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.saliency import cam
from tests.oracles import saliency as oracle
from tests.saliency.networks import Linear, Pooled, Smooth, Twice, built, closed, images

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

X, Y = images()


class Strided(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.Conv(4, (3, 3), strides=(2, 2), name="coarse")(x))
        return nn.Dense(4)(x.reshape(len(x), -1))


@pytest.mark.parametrize("variant", ["grad_cam", "grad_cam++"])
def test_maps_equal_the_naive_loop(variant):
    _, params, logits_of = built(Smooth())
    wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    got = cam.grad_cam(logits_of, X, Y, variant=variant)
    for example in range(3):
        maps = oracle.activation(wide, X[example].astype(np.float64))
        gradients = oracle.finite_differences(lambda a, y=Y[example]: oracle.head(wide, a, y), maps)
        want = oracle.cam(maps, gradients, variant == "grad_cam++")
        np.testing.assert_allclose(got[example], want, rtol=1e-4, atol=1e-4)


def test_activation_and_gradient_equal_finite_differences_through_the_head():
    _, params, logits_of = built(Smooth())
    wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    activation, gradients = cam.activation_and_gradient(logits_of, X, Y)
    maps = oracle.activation(wide, X[0].astype(np.float64))
    np.testing.assert_allclose(activation[0], maps, rtol=1e-4, atol=1e-5)
    want = oracle.finite_differences(lambda a: oracle.head(wide, a, Y[0]), maps)
    np.testing.assert_allclose(gradients[0], want, rtol=1e-4, atol=1e-6)


def test_mean_pooling_and_a_dense_layer_give_the_class_weight_map():
    _, params, logits_of = built(Pooled())
    activation, _ = cam.activation_and_gradient(logits_of, X, Y)
    weighted = np.maximum(np.einsum("bhwk,kb->bhw", activation, np.asarray(params["Dense_0"]["kernel"])[:, Y]), 0)
    weighted -= weighted.min((1, 2), keepdims=True)
    want = weighted / weighted.max((1, 2), keepdims=True)
    np.testing.assert_allclose(cam.grad_cam(logits_of, X, Y), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["grad_cam", "grad_cam++"])
def test_coarse_maps_are_enlarged_bilinearly_and_then_reach_from_0_to_1(variant):
    _, _, logits_of = built(Strided())
    activation, gradients = (np.asarray(a, np.float64) for a in cam.activation_and_gradient(logits_of, X, Y))
    assert activation.shape[1:3] == (3, 3)
    found = np.asarray(cam.grad_cam(logits_of, X, Y, variant=variant))
    shrunk = 0
    for got, maps, slopes in zip(found, activation, gradients, strict=True):
        enlarged = oracle.bilinear(oracle.cam(maps, slopes, variant == "grad_cam++"), 6, 5)
        shrunk += 0 < enlarged.max() < 0.99
        np.testing.assert_allclose(got, oracle.from_0_to_1(enlarged), rtol=1e-4, atol=1e-5)
        if enlarged.max() > 0:
            assert got.min() == 0 and abs(got.max() - 1) < 1e-6
    assert shrunk, "some map loses its maximum when it is enlarged"


def test_a_zero_gradient_gives_a_zero_map():
    model, params, _ = built(Smooth())
    mute = {**params, "Dense_0": jax.tree.map(jnp.zeros_like, params["Dense_0"])}
    for variant in ("grad_cam", "grad_cam++"):
        assert (np.asarray(cam.grad_cam(closed(model, mute), X, Y, variant=variant)) == 0).all()


@pytest.mark.parametrize("variant", ["grad_cam", "grad_cam++"])
def test_maps_of_many_models_are_the_maps_of_each(variant):
    model, params, logits_of = built(Smooth())
    _, other, other_logits_of = built(Smooth(), seed=7)
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), params, other)
    maps = jax.jit(jax.vmap(lambda p: cam.grad_cam(closed(model, p), X, Y, variant=variant)))(both)
    np.testing.assert_allclose(maps[0], cam.grad_cam(logits_of, X, Y, variant=variant), atol=1e-4)
    np.testing.assert_allclose(maps[1], cam.grad_cam(other_logits_of, X, Y, variant=variant), atol=1e-4)


def test_layers_are_listed_and_chosen_by_path():
    _, _, logits_of = built(Smooth())
    assert cam.convolutions(logits_of, X) == {"Conv_0": (5, 6, 5, 3), "Conv_1": (5, 6, 5, 5)}
    first, last = (cam.grad_cam(logits_of, X, Y, layer) for layer in ("Conv_0", "Conv_1"))
    np.testing.assert_array_equal(last, cam.grad_cam(logits_of, X, Y))
    assert np.abs(np.asarray(first - last)).max() > 0.1


def test_the_network_answers_as_before_beside_the_tap():
    _, _, logits_of = built(Smooth())
    before = logits_of(X)
    cam.grad_cam(logits_of, X, Y)
    np.testing.assert_array_equal(logits_of(X), before)


@pytest.mark.parametrize(
    ("module", "layer", "message"),
    [
        (Linear(), None, "without convolutions"),
        (Smooth(), "Conv_9", "Conv_9 has 0 outputs.*Convolutions here: Conv_0, Conv_1"),
        (Smooth(), "Dense_0", "Dense_0 has 1 outputs of rank .2."),
        (Twice(), None, "Conv_0 is called more than once"),
    ],
)
def test_a_layer_that_has_no_map_is_refused(module, layer, message):
    _, _, logits_of = built(module)
    with pytest.raises(UserError, match=message):
        cam.grad_cam(logits_of, X, Y, layer)
