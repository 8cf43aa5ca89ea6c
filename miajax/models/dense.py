"""The product of wide dense layers, whose weight gradient XLA:CPU then multiplies by its fast kernels.

JAX forms the weight gradient as ``(dy.T @ x).T``. Of such a product XLA:CPU (jax 0.10.2) makes a matmul by Eigen,
contracted over the rows of both factors, and reads the result across its rows in the optimizer's update. With ``x``
transposed beforehand it is a matmul of its faster library, and lies as the weights do: a step of the Purchase MLP with
64 examples is 1.22 times faster. Layers of few outputs don't earn the copy back (64 to
128: 4 % slower; 3136 to 128: 3 %).
"""

from typing import Any

import jax
from jax import lax
from jaxtyping import Array, Float

_WIDE = 256
"""Outputs that pay for the transposed copy of a layer's inputs."""


def dense_product(inputs: jax.Array, kernel: jax.Array, dimension_numbers: Any, precision=None, **options) -> jax.Array:
    """What to pass to ``nn.Dense(..., dot_general=dense_product)``: ``lax.dot_general`` with the gradients above."""
    plain = precision is None and not any(value is not None for value in options.values())
    if plain and inputs.ndim == 2 and kernel.shape[1] >= _WIDE and dimension_numbers == (((1,), (0,)), ((), ())):
        return _product(inputs, kernel)
    return lax.dot_general(inputs, kernel, dimension_numbers, precision=precision, **options)


@jax.custom_vjp
def _product(x: Float[Array, "B p"], kernel: Float[Array, "p d"]) -> Float[Array, "B d"]:
    return x @ kernel


def _forward(x, kernel):
    return x @ kernel, (x, kernel)


def _backward(saved, dy):
    x, kernel = saved
    # The barrier keeps the transposition out of the matmul; only XLA:CPU needs it.
    turned = lax.platform_dependent(x, cpu=lambda x: lax.optimization_barrier(x.T), default=lambda x: x.T)
    return lax.dot_general(dy, kernel, (((1,), (1,)), ((), ()))), turned @ dy


_product.defvjp(_forward, _backward)
