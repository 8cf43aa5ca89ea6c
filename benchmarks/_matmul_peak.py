"""The ceiling: the fastest big matrix product that each library manages on all cores, or on the accelerator."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

Library = Literal["jax", "numpy", "torch"]
SIZES = (1024, 2048, 4096)
ACCELERATOR_SIZES = (4096, 8192, 16384)


class MatmulPeak:
    """Square products of the size that suits the library best; units are FLOPs.

    Args:
      library: who multiplies.
      threads: of PyTorch; the others take what the machine has.
      half: bfloat16 instead of float32 (of jax: as networks multiply it, in TF32 where a GPU has it).
      sizes: sides of the matrices to choose from; None: what suits the device.
    """

    compile_seconds = 0.0
    facts: Mapping[str, int] = {}

    def __init__(self, library: Library, threads: int, half: bool = False, sizes: Sequence[int] | None = None):
        product = _PRODUCTS[library](threads, half)
        speeds: dict[int, float] = {}
        work: dict[int, Callable[[], Any]] = {}
        for size in sizes or _sizes(library):
            work[size] = product(np.random.default_rng(0).standard_normal((2, size, size), np.float32))
            work[size]()
            begin = time.perf_counter()
            work[size]()
            speeds[size] = size**3 / (time.perf_counter() - begin)
        self.size = max(speeds, key=speeds.__getitem__)
        self._product = work[self.size]

    def run(self) -> int:
        self._product()
        return 2 * self.size**3

    def outcome(self) -> None:
        return None


Product = Callable[[np.ndarray], Callable[[], Any]]


def _sizes(library: Library) -> tuple[int, ...]:
    if library != "jax":
        return SIZES
    import jax

    return SIZES if jax.default_backend() == "cpu" else ACCELERATOR_SIZES


def _numpy(threads: int, half: bool) -> Product:
    return lambda factors: lambda: factors[0] @ factors[1]


def _jax(threads: int, half: bool) -> Product:
    import jax

    def product(factors: np.ndarray) -> Callable[[], Any]:
        a, b = (jax.device_put(f.astype(jax.numpy.bfloat16) if half else f) for f in factors)
        multiply = jax.jit(jax.numpy.matmul).lower(a, b).compile()
        return lambda: jax.block_until_ready(multiply(a, b))

    return product


def _torch(threads: int, half: bool) -> Product:
    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(threads)

    def product(factors: np.ndarray) -> Callable[[], Any]:
        a, b = torch.from_numpy(factors)
        return lambda: a @ b

    return product


_PRODUCTS: dict[Library, Callable[[int, bool], Product]] = {"jax": _jax, "numpy": _numpy, "torch": _torch}
