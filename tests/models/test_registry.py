"""What networks are refused for before they are built."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.errors import UserError
from miajax.models.contract import check_model
from miajax.models.model import count_parameters
from miajax.models.registry import MODELS, build_model, check_pictures

FEWEST = {"cnn": 4, "fast_cifar": 9, "small_cifar": 15}
CONVOLUTIONAL = [name for name in MODELS if not name.endswith("mlp") and name != "linear"]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("shape", [(64,), (8, 8), (8, 8, 3, 1)])
def test_convolutional_networks_take_pictures_only(name, shape):
    with pytest.raises(UserError, match=rf"--model {name} on rows of shape .*expected pictures .*--model mlp"):
        check_pictures(name, shape)
    check_pictures("mlp", shape)


@pytest.mark.parametrize("name", FEWEST)
@pytest.mark.parametrize("tall", [False, True])
def test_the_smallest_picture_is_one_that_the_poolings_leave_a_pixel_of(name, tall):
    def shape(side):
        return (side, 2 * side, 3) if tall else (2 * side, side, 3)

    fits = shape(FEWEST[name])
    check_pictures(name, fits)
    images = np.random.default_rng(0).normal(size=(50, *fits)).astype(np.float32)
    check_model(build_model(name, 10, None, lambda: images), fits, 10)
    with pytest.raises(UserError, match=f"of {FEWEST[name]} pixels a side or more"):
        check_pictures(name, shape(FEWEST[name] - 1))
    with pytest.raises(UserError, match=r"init fails|has shape \(0, "):
        check_model(build_model(name, 10), shape(FEWEST[name] - 1), 10)


def test_the_linear_head_has_a_weight_for_every_feature_and_class_and_a_bias():
    x = jax.ShapeDtypeStruct((1, 512), jnp.float32)
    assert count_parameters(build_model("linear", 10), x) == 5_130
    check_model(build_model("linear", 10), (512,), 10)
