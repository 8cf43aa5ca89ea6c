"""The other ceiling: how many bytes a second the memory moves, on all devices together."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from miajax import compat
from miajax.training.devices import usable_cores

_CPU_FLOATS, _FLOATS = 1 << 25, 1 << 28  # of an array on each device: far more than any cache holds


class StreamPeak:
    """``a += b`` over arrays that fit no cache; units are bytes: two arrays are read and one is written."""

    def __init__(self):
        compat.set_cpu_device_count(usable_cores())
        self.facts: Mapping[str, int] = {}
        self.compile_seconds = 0.0
        devices = jax.devices()
        size = (_CPU_FLOATS if devices[0].platform == "cpu" else _FLOATS) * len(devices)
        split = NamedSharding(Mesh(np.array(devices), ("models",)), PartitionSpec("models"))  # pyright: ignore
        self._a, self._b = (jax.device_put(jnp.ones(size, jnp.float32), split) for _ in range(2))
        # In place: fresh memory for every result would measure the system's page faults.
        self._add = jax.jit(lambda a, b: a + b, donate_argnums=0).lower(self._a, self._b).compile()
        self._bytes = 3 * 4 * size

    def run(self) -> int:
        self._a = jax.block_until_ready(self._add(self._a, self._b))
        return self._bytes

    def outcome(self) -> None:
        return None
