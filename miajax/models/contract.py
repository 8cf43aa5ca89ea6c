"""Whether a network keeps its side of the bargain; who breaks it is told which part."""

from typing import Any

import jax
import jax.numpy as jnp

from miajax.errors import UserError
from miajax.models.model import Model

_PAGE = "docs/models.md says what a model must do"


def _attempt(name: str, part: str, fn, *args) -> Any:
    try:
        return jax.eval_shape(fn, *args)
    except UserError:
        raise
    except Exception as error:  # the user's own code runs here: whatever it raises is the answer
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"model {name}: {part} fails with {type(error).__name__}: {reason}",
            expected="a function that jax can trace",
            remedy=_PAGE,
        ) from error


def check_model(model: Model, example_shape: tuple[int, ...], num_classes: int) -> None:
    """Traces ``init`` and ``apply`` once, computing nothing.

    Args:
      model: the network.
      example_shape: of one input, without the batch.
      num_classes: C.

    Raises:
      UserError: naming the part that is not as ``Model`` demands.
    """
    broken = f"model {model.name}: "
    key = jax.eval_shape(lambda: jax.random.key(0))
    one = jax.ShapeDtypeStruct((1, *example_shape), jnp.float32)
    batch = jax.ShapeDtypeStruct((3, *example_shape), jnp.float32)
    made = _attempt(model.name, "init", model.init, key, one)
    if not (isinstance(made, tuple) and len(made) == 2):
        raise UserError(f"{broken}init returns {type(made).__name__}", expected="(params, state)", remedy=_PAGE)
    params, state = made
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise UserError(f"{broken}init returns no parameters", expected="a pytree with arrays", remedy=_PAGE)
    for where, leaf in leaves:
        if 0 in leaf.shape:  # older versions of JAX fail while such a parameter is drawn
            raise UserError(
                f"{broken}parameter {jax.tree_util.keystr(where)} has shape {leaf.shape}",
                expected="no empty parameter",
                remedy="Inputs may be too small for the network's poolings.",
            )
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise UserError(
                f"{broken}parameter {jax.tree_util.keystr(where)} has dtype {leaf.dtype}",
                expected="floating point, with everything else in the state",
                remedy=_PAGE,
            )
    for train in (False, True):
        call = f"apply(..., train={train})"
        out = _attempt(
            model.name,
            call,
            lambda p, s, x, k, t=train: model.apply(p, s, x, t, k if t else None),
            params,
            state,
            batch,
            key,
        )
        if not (isinstance(out, tuple) and len(out) == 2):
            raise UserError(f"{broken}{call} returns {type(out).__name__}", expected="(logits, state)", remedy=_PAGE)
        logits, after = out
        shape = getattr(logits, "shape", None)
        if shape != (3, num_classes):
            raise UserError(
                f"{broken}{call} gives logits of shape {shape} for a batch of 3",
                expected=f"(3, {num_classes})",
                remedy=_PAGE,
            )
        if jax.tree.map(lambda a: (a.shape, a.dtype), after) != jax.tree.map(lambda a: (a.shape, a.dtype), state):
            raise UserError(
                f"{broken}{call} returns a state of another structure, shape or dtype than init's",
                expected="the same pytree with new values",
                remedy=_PAGE,
            )
