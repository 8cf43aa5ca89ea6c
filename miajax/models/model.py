"""The contract between a network and the engine: two pure functions."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

Params = Any
ModelState = Any


class Model(NamedTuple):
    """What the engine trains.

    Attributes:
      name: what the configuration and reports call it.
      init: ``(key, x) -> (params, state)``. ``x`` is one batch of one example ``[1, ...]``, float32; ``state`` is
        whatever else changes in training (running statistics), ``{}`` where nothing does.
      apply: ``(params, state, x, train, key) -> (logits, state)``. ``x`` is ``[B, ...]`` float32, ``train`` a Python
        bool, ``key`` a PRNG key (dropout; None when ``train`` is False); ``logits`` is ``[B, C]``. With ``train=False``
        the returned state must equal the given one.
      config: what makes two models of one name differ (widths, dropout); part of the run's fingerprint.
    """

    name: str
    init: Callable[[jax.Array, jax.Array], tuple[Params, ModelState]]
    apply: Callable[[Params, ModelState, jax.Array, bool, jax.Array | None], tuple[jax.Array, ModelState]]
    config: Mapping[str, Any]


def from_linen(module: nn.Module, name: str, config: Mapping[str, Any] | None = None) -> Model:
    """Wraps a Linen module ``module(x, train: bool) -> logits [B, C]`` as a ``Model``.

    Every collection but ``params`` and ``intermediates`` becomes model state; dropout draws from the rng ``dropout``.
    """

    def init(key, x):
        variables = dict(module.init({"params": key, "dropout": key}, x, train=False))
        variables.pop("intermediates", None)
        return variables.pop("params"), variables

    def apply(params, state, x, train, key):
        variables = {"params": params, **state}
        if not train:
            return jnp.asarray(module.apply(variables, x, train=False), jnp.float32), state
        logits, changed = module.apply(variables, x, train=True, rngs={"dropout": key}, mutable=list(state))
        return jnp.asarray(logits, jnp.float32), dict(changed)

    return Model(name, init, apply, dict(config or {}))


def count_parameters(model: Model, x: jax.Array | jax.ShapeDtypeStruct) -> int:
    """The number of trained scalars, for one example ``x`` of shape ``[1, ...]``; nothing is computed."""
    params, _ = jax.eval_shape(model.init, jax.eval_shape(lambda: jax.random.key(0)), x)
    return sum(leaf.size for leaf in jax.tree.leaves(params))
