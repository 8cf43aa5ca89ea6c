"""Arrays as functions take them; what they return is one or the other."""

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray
"""What may be read: on a device, in memory, or a memory map."""
