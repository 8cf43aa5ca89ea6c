"""A user's own network: from a file or from code, as a pair of functions, a Linen module or an NNX module."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from miajax.errors import UserError
from miajax.models.model import Model, from_linen
from miajax.plugins import load_object

_PAGE = "docs/models.md shows each form"


def from_functions(init: Callable, apply: Callable, name: str, config: Mapping[str, Any] | None = None) -> Model:
    """A model from plain functions, which may leave out what they don't need.

    Args:
      init: ``(key, x)`` or ``(key)``, returning ``params`` or ``(params, state)``.
      apply: ``(params, x)``, or with any of the keyword arguments ``state``, ``train``, ``key``; with ``state`` it
        returns ``(logits, state)``, else ``logits``.
      name: what reports call it.
      config: what tells it from others of that name, for the fingerprint.
    """
    known = inspect.signature(apply).parameters
    stateful = "state" in known
    takes_x = len(inspect.signature(init).parameters) > 1

    def full_init(key, x):
        made = init(key, x) if takes_x else init(key)
        return made if stateful else (made, {})

    def full_apply(params, state, x, train, key):
        offered = {"state": state, "train": train, "key": key}
        out = apply(params, x, **{k: v for k, v in offered.items() if k in known})
        return out if stateful else (out, state)

    return Model(name, full_init, full_apply, dict(config or {}))


def from_nnx(build: Callable[[nnx.Rngs], Any], name: str, config: Mapping[str, Any] | None = None) -> Model:
    """A model from a function that builds an NNX module ``module(x) -> logits``.

    ``nnx.Param`` are the parameters; other variables, random ones aside, are model state. ``train`` switches the module
    by ``module.train()`` and ``module.eval()``; its random streams are folded from the engine's key at every call.
    """

    def split(key):
        return nnx.split(build(nnx.Rngs(key)), nnx.Param, nnx.RngState, ...)

    def init(key, x):
        _, params, _, rest = split(key)
        return nnx.to_pure_dict(params), nnx.to_pure_dict(rest)

    def apply(params, state, x, train, key):
        graph, like_params, like_random, like_rest = nnx.eval_shape(lambda: split(jax.random.key(0)))
        nnx.replace_by_pure_dict(like_params, params)
        nnx.replace_by_pure_dict(like_rest, state)
        base = jax.random.key(0) if key is None else key
        leaves, tree = jax.tree.flatten(like_random)
        is_key = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
        fresh = [
            jax.random.fold_in(base, i) if key else jnp.zeros((), leaf.dtype)
            for i, (leaf, key) in enumerate(zip(leaves, is_key, strict=True))
        ]
        module = nnx.merge(graph, like_params, jax.tree.unflatten(tree, fresh), like_rest)
        module.train() if train else module.eval()
        logits = module(x)  # type: ignore[operator]
        _, _, _, after = nnx.split(module, nnx.Param, nnx.RngState, ...)
        return logits, nnx.to_pure_dict(after) if train else state

    return Model(name, init, apply, dict(config or {}))


def as_model(thing: Any, name: str, num_classes: int, config: Mapping[str, Any] | None = None) -> Model:
    """Whatever a user may hand over, as a model.

    Args:
      thing: a ``Model``; a Linen module called as ``module(x, train=...)``; a pair ``(init, apply)``; a function of
        ``num_classes`` that returns one of these; or a function of ``(num_classes, rngs)`` that builds an NNX module.
      name, config: see ``from_functions``.
      num_classes: C.

    Raises:
      UserError: none of these, or the function fails.
    """
    if isinstance(thing, Model):
        return thing._replace(config={**thing.config, **(config or {})})
    if isinstance(thing, nn.Module):
        return from_linen(thing, name, config)
    if isinstance(thing, tuple) and len(thing) == 2 and all(map(callable, thing)):
        return from_functions(*thing, name, config)
    if isinstance(thing, nnx.Module):
        raise UserError(
            f"model {name} is an NNX module that is built already: every shadow model would start from its weights",
            expected="a function of (num_classes, rngs) that builds it",
            remedy=_PAGE,
        )
    if hasattr(thing, "fit"):
        raise UserError(
            f"model {name} has fit, so it is an estimator and no network",
            expected="its name, which processes can load: module:Class, or path/to/file.py:factory",
            remedy='For example model="sklearn.ensemble:RandomForestClassifier"',
        )
    if callable(thing):
        if "rngs" in _parameters(thing):
            return from_nnx(lambda rngs: thing(num_classes, rngs=rngs), name, config)
        try:
            made = thing(num_classes)
        except UserError:
            raise
        except Exception as error:  # the user's own code: whatever it raises is the answer
            raise UserError(
                f"model {name}: called with num_classes = {num_classes} it fails with {type(error).__name__}: {error}",
                expected="a function of num_classes alone, or of (num_classes, rngs), that returns a model",
                remedy=_PAGE,
            ) from error
        return as_model(made, name, num_classes, config)
    raise UserError(
        f"model {name} is a {type(thing).__name__}",
        expected="a Model, a Linen module, a pair (init, apply), or a function of num_classes that returns one",
        remedy=_PAGE,
    )


def _parameters(function: Callable) -> frozenset[str]:
    """Names of a function's parameters; none where Python cannot tell, as of some built-in ones."""
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()


def load_model(reference: str, num_classes: int) -> Model:
    """The model that ``path/to/file.py:name`` names. The file is run, as any Python file of one's own.

    Raises:
      UserError: no such file, no such name in it, the file fails, or what it names is no model.
    """
    thing, origin = load_object(reference, "--model")
    return as_model(thing, origin["object"], num_classes, origin)
