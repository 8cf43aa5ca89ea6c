"""Random changes to a minibatch, inside the compiled step; each model draws its own."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Images = Float[Array, "batch height width channels"]


def random_flip(key: jax.Array, images: Images) -> Images:
    """Each image mirrored left to right with probability 1/2."""
    flip = jax.random.bernoulli(key, 0.5, (images.shape[0], 1, 1, 1))
    return jnp.where(flip, images[:, :, ::-1], images)


def random_shift(key: jax.Array, images: Images, reach: int) -> Images:
    """Each image moved by up to ``reach`` pixels in each direction over reflected borders: pad and crop."""
    batch, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    corners = jax.random.randint(key, (batch, 2), 0, 2 * reach + 1)

    def crop(image, corner):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (height, width, channels))

    return jax.vmap(crop)(padded, corners)


def random_cutout(key: jax.Array, images: Images, size: int) -> Images:
    """A square of ``size`` x ``size`` pixels set to 0, its centre anywhere in the image (DeVries and Taylor 2017)."""
    batch, height, width, _ = images.shape
    rows, columns = jax.random.split(key)
    top = jax.random.randint(rows, (batch, 1, 1, 1), 0, height) - size // 2
    left = jax.random.randint(columns, (batch, 1, 1, 1), 0, width) - size // 2
    y, x = jnp.arange(height)[None, :, None, None], jnp.arange(width)[None, None, :, None]
    inside = (y >= top) & (y < top + size) & (x >= left) & (x < left + size)
    return jnp.where(inside, 0.0, images)


def mixup(
    key: jax.Array, x: Float[Array, "batch ..."], alpha: float
) -> tuple[Float[Array, "batch ..."], Float[Array, ""]]:
    """The batch mixed with its own reverse, and the share of the first: ``lam x + (1 - lam) x[::-1]``.

    ``lam`` is drawn once a batch from Beta(alpha, alpha) (Zhang et al. 2018); labels mix likewise, in the loss.
    """
    share = jax.random.beta(key, alpha, alpha)
    return share * x + (1.0 - share) * x[::-1], share
