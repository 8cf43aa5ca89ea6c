"""From stored rows to a network's input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from miajax.arrays import AnyArray
from miajax.data.bounds import FeatureBounds
from miajax.data.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class InputScaling:
    """How a stored row becomes the network's input: float rows as they are, uint8 images standardised by channel.

    Attributes:
      mean, std: per channel, of the pool or of public bounds, in units of 0..1; None for float rows.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @classmethod
    def of(cls, dataset: Dataset, bounds: FeatureBounds | None = None) -> "InputScaling":
        """Of the pool's pixels; where there are public ``bounds`` of these, by them alone: they become -1 and 1."""
        if dataset.features.dtype != np.uint8:
            return cls()
        if bounds is not None:
            pairs = bounds.of_channels(dataset.features.shape[-1] if dataset.features.ndim == 4 else 1)
            return cls(
                tuple((low + high) / 2 / 255 for low, high in pairs),
                tuple((high - low) / 2 / 255 for low, high in pairs),
            )
        channels = dataset.features.reshape(-1, dataset.features.shape[-1]) if dataset.features.ndim == 4 else None
        values = channels if channels is not None else dataset.features.reshape(-1, 1)
        # Sums of integers are exact, so the constants don't depend on the order of summation.
        total = values.sum(0, dtype=np.int64)
        squares = np.stack(
            [np.dot(np.bincount(v, minlength=256), np.arange(256, dtype=np.int64) ** 2) for v in values.T]
        )
        mean = total / len(values)
        std = np.sqrt(np.maximum(squares / len(values) - mean**2, 1.0))
        return cls(tuple(float(v) for v in mean / 255), tuple(float(v) for v in std / 255))

    def __call__(self, x: AnyArray) -> jax.Array:
        """``x [B, ...]`` as the network's float32 input."""
        if self.mean is None:
            return jnp.asarray(x.astype(jnp.float32))
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return (jnp.asarray(x.astype(jnp.float32)) / 255.0 - mean) / std
