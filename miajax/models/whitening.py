"""The whitening of image patches that a first layer starts from, instead of learning it."""

import numpy as np
from jaxtyping import Float

_IMAGES = 5000  # enough for the covariance of so few pixels
_DIGITS = 4  # kept of a kernel, so that other LAPACKs, which round elsewhere, give the same constants


def whitening_kernel(
    images: Float[np.ndarray, "N H W K"], window: int = 2, epsilon: float = 5e-4, directions: int | None = None
) -> Float[np.ndarray, "window window K outputs"]:
    """A convolution kernel whose outputs are uncorrelated over the images' patches, each beside its negative.

    The eigenvectors of the patches' uncentred covariance over ``sqrt(eigenvalue + epsilon)``, as airbench (Jordan,
    arXiv 2404.00498) starts its networks; ``outputs`` is ``2·directions``. It is a pure function of the pool, members
    and non-members alike, so it is the same for every model and tells nobody who was a member; like the scaling of
    pixels it lies outside of what a private training protects.

    Args:
      images: as the network sees them; 5,000 of them, evenly spread, are looked at.
      window: side of a patch.
      epsilon: keeps faint directions from being blown up.
      directions: how many eigenvectors to keep, those of the greatest variance; all ``window²·K`` if None.
    """
    chosen = images[:: max(1, len(images) // _IMAGES)][:_IMAGES].astype(np.float64)
    patches = np.lib.stride_tricks.sliding_window_view(chosen, (window, window), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    patches = patches.reshape(-1, window * window * images.shape[-1])
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    # An eigenvector's sign is anybody's choice: the largest entry is positive.
    vectors *= np.sign(vectors[np.abs(vectors).argmax(0), np.arange(len(values))])
    kernel = np.round(vectors / np.sqrt(values + epsilon), _DIGITS)
    if directions is not None:
        kernel = kernel[:, -directions:]  # eigenvalues ascend
    kernel = np.concatenate([kernel, -kernel], 1)
    return kernel.reshape(window, window, images.shape[-1], -1).astype(np.float32)
