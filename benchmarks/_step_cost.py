"""What one training step must do at least, counted from the traced network."""

import math
from typing import Any, NamedTuple

import jax

from miajax.models.conv_lowerings import lowered_by
from miajax.models.model import count_parameters
from miajax.training.trainer import Trainer


class StepCost(NamedTuple):
    """Of one step of one model.

    Attributes:
      flops: multiplications and additions of its products: forward, weight gradients, and input gradients of all but
        the first.
      bytes: moved at least: what goes into and comes out of each product, three times, and six passes over float32
        parameters (read in three products, updated with their momentum). What stays in a cache moves less.
    """

    flops: int
    bytes: int


def step_cost(trainer: Trainer) -> StepCost:
    """Counted from ``trainer``'s forward pass over one batch; nothing is computed."""
    half = trainer.recipe.precision == "bfloat16"
    products = forward_products(trainer, trainer.recipe.batch_size)
    flops = [flops for flops, _ in products]
    elements = sum(moved for _, moved in products)
    weights = count_parameters(trainer.model, jax.ShapeDtypeStruct((1, *trainer.example_shape), "float32"))
    return StepCost(3 * sum(flops) - flops[0], 3 * (2 if half else 4) * elements + 6 * 4 * weights)


def forward_products(trainer: Trainer, batch: int) -> list[tuple[int, int]]:
    """``(flops, elements of activations in and out)`` of every product of a forward pass, in order."""
    one, x = (jax.ShapeDtypeStruct((n, *trainer.example_shape), "float32") for n in (1, batch))
    key = jax.eval_shape(lambda: jax.random.key(0))
    params, state = jax.eval_shape(trainer.model.init, key, one)
    with lowered_by("grouped"):  # one convolution each
        forward = lambda params, state, x, key: trainer.model.apply(params, state, x, True, key)[0]  # noqa: E731
        traced = jax.make_jaxpr(forward)(params, state, x, key)
    return _products(traced.jaxpr)


def _products(jaxpr: Any) -> list[tuple[int, int]]:
    found = []
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in ("dot_general", "conv_general_dilated"):
            first, second = (v.aval.shape for v in equation.invars[:2])
            out = equation.outvars[0].aval.shape
            if name == "dot_general":
                (contracted, _), _ = equation.params["dimension_numbers"]
                terms = math.prod(first[i] for i in contracted)
            else:
                terms = math.prod(second) // second[equation.params["dimension_numbers"].rhs_spec[0]]
            found.append((2 * math.prod(out) * terms, math.prod(first) + math.prod(out)))
            continue
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                found += _products(inner)
    return found
