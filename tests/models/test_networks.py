"""Every network: its published size, its contract, its features, its last convolution, its dropout."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.models.cnn import CNN
from miajax.models.contract import check_model
from miajax.models.densenet import DenseNet, densenet_bc_100_12
from miajax.models.layers import Layers
from miajax.models.model import count_parameters, from_linen
from miajax.models.purchase_mlp import purchase_mlp
from miajax.models.resnet import ResNet, resnet18, resnet20
from miajax.models.wide_resnet import WideResNet, wrn16_4, wrn28_2
from miajax.saliency.cam import convolutions

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

CIFAR, FASHION = (32, 32, 3), (28, 28, 1)

# name: network, input, parameters (published for 10 classes, 100 for Purchase), width of the features, last convolution
NETWORKS = {
    "cnn, 28x28": (CNN(10), FASHION, 421_642, 128, "Conv_1"),
    "cnn, 32x32": (CNN(10), CIFAR, 545_098, 128, "Conv_1"),
    "resnet20": (resnet20(10), CIFAR, 269_722, 64, "BasicBlock_8/Conv_1"),
    "resnet18": (resnet18(10), CIFAR, 11_173_962, 512, "BasicBlock_7/Conv_1"),
    "wrn16_4": (wrn16_4(10), CIFAR, 2_748_890, 256, "WideBlock_5/Conv_1"),
    "wrn28_2": (wrn28_2(10), CIFAR, 1_467_610, 128, "WideBlock_11/Conv_1"),
    "densenet_bc_100_12": (densenet_bc_100_12(10), CIFAR, 769_162, 342, "Bottleneck_47/Conv_1"),
    "purchase_mlp": (purchase_mlp(), (600,), 1_317_348, 128, None),
}


@pytest.mark.parametrize(("network", "shape", "parameters", "width", "last"), NETWORKS.values(), ids=NETWORKS)
def test_networks_have_their_published_sizes_features_and_last_convolutions(network, shape, parameters, width, last):
    x = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    variables = jax.eval_shape(lambda key, x: network.init(key, x, train=False), jax.random.key(0), x)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == parameters

    def apply(variables, x):
        return network.apply(variables, x, train=False, mutable=["intermediates"])

    logits, sown = jax.eval_shape(apply, variables, x)
    assert logits.shape == (2, 100 if last is None else 10)
    (features,) = sown["intermediates"]["features"]
    assert (features.shape, features.dtype) == ((2, width), jnp.float32)
    if last is not None:
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), variables)
        assert list(convolutions(lambda x: network.apply(zeros, x, train=False), x))[-1] == last


SMALL = {
    "cnn": lambda layers: CNN(3, (4, 4), 8, layers=layers),
    "resnet, padded shortcuts": lambda layers: ResNet(3, (1, 1), (4, 7), projection=False, layers=layers),
    "resnet, projections": lambda layers: ResNet(3, (1, 1), (4, 8), projection=True, layers=layers),
    "wide resnet": lambda layers: WideResNet(3, 10, 1, layers=layers),
    "densenet": lambda layers: DenseNet(3, 10, 4, layers=layers),
}


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_networks_keep_the_contract_with_either_norm_and_in_bfloat16(make, norm):
    plain = from_linen(make(Layers(norm)), "small")
    half = from_linen(make(Layers(norm, jnp.bfloat16)), "small")
    x = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
    for model in (plain, half):
        check_model(model, (8, 8, 3), 3)
    assert count_parameters(plain, x) == count_parameters(half, x)
    params, state = jax.eval_shape(half.init, jax.random.key(0), x)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, state))} == {jnp.dtype(jnp.float32)}
    assert (state == {}) == (norm == "group")
    logits, _ = jax.eval_shape(lambda *a: half.apply(*a, False, None), params, state, x)
    assert logits.dtype == jnp.float32
    jaxpr = jax.make_jaxpr(lambda *a: half.apply(*a, False, None)[0])(params, state, x)
    assert "bf16[3,3," in str(jaxpr), "the kernels of the convolutions are cast"


@pytest.mark.parametrize(
    "network",
    [CNN(3, (4,), 8, 0.5), WideResNet(3, 10, 1, 0.5), DenseNet(3, 10, 2, dropout=0.5)],
    ids=lambda network: type(network).__name__,
)
def test_dropout_is_drawn_in_training_only(network):
    x = jax.random.normal(jax.random.key(0), (2, 4, 4, 3))

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": "0"})
    def outputs(key):
        variables = network.init(key, x, train=False)
        return [network.apply(variables, x, train=True, rngs={"dropout": jax.random.key(seed)}) for seed in (2, 2, 3)]

    one, again, two = outputs(jax.random.key(1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - two).max() > 1e-3
    variables = jax.eval_shape(lambda key: network.init(key, x, train=False), jax.random.key(1))
    jax.eval_shape(lambda v: network.apply(v, x, train=False), variables)  # raises where it asks for a key
