import jax
import numpy as np
import pytest

from miajax.saliency.blocks import in_blocks
from miajax.saliency.gradients import gradient, smooth_grad
from tests.saliency.networks import Smooth, built, images

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

X, Y = images(7)


@pytest.mark.parametrize("block", [1, 3, 7, 50])
def test_blocks_give_what_one_call_gives(block):
    def both(x, y):
        return {"double": 2 * x, "row": y + 1}

    got = in_blocks(both, block, X, Y)
    np.testing.assert_array_equal(got["double"], 2 * X)
    np.testing.assert_array_equal(got["row"], Y + 1)


def test_maps_do_not_depend_on_the_block():
    _, _, logits_of = built(Smooth())
    keys = jax.random.split(jax.random.key(0), len(X))

    def both(x, y, key):
        return gradient(logits_of, x, y), smooth_grad(logits_of, x, y, key, samples=2)

    for got, want in zip(in_blocks(both, 3, X, Y, keys), both(X, Y, keys), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
