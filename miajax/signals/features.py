"""The penultimate layer: what a network's last dense layer reads of each example."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from miajax.errors import UserError
from miajax.models.model import Model
from miajax.signals.passes import Passes, block_of, in_groups
from miajax.training.parallel import Placement
from miajax.training.trainer import Trainer


def penultimate(model: Model) -> Callable[[Any, Any, jax.Array], Float[Array, "batch features"]]:
    """``(params, state, x) -> features``: the input of the last ``nn.Dense`` that an unmodified Linen network calls.

    The returned function raises UserError where the network calls none: it is no Linen network, or ends otherwise.
    """

    def features(params, state, x):
        read: list[jax.Array] = []

        def note(call, args, kwargs, context):
            if context.method_name == "__call__" and isinstance(context.module, nn.Dense):
                read.append(args[0])
            return call(*args, **kwargs)

        with nn.intercept_methods(note):
            model.apply(params, state, x, False, None)
        if not read:
            raise UserError(
                f"model {model.name} calls no Linen Dense layer, so that it has no penultimate features",
                expected="a Linen network that ends in nn.Dense",
            )
        return read[-1].reshape(len(x), -1).astype(jnp.float32)

    return features


def penultimate_features(
    trainer: Trainer, models: tuple[Any, Any], features: np.ndarray, placement: Placement, *, block: int = 256
) -> Float[np.ndarray, "models examples features"]:
    """Penultimate features of all models on all examples, in evaluation mode, by calls of about a second each.

    Args:
      trainer: whose models they are.
      models: ``(params, model_state)`` with leaves ``[G, ...]``, as ``Trainer.evaluated`` gives them.
      features: ``[N, ...]`` as stored.
      placement: how models share the machine.
      block: examples of one forward pass.

    Raises:
      UserError: see ``penultimate``.
    """
    num_examples = len(features)
    block = min(block, num_examples)
    blocks = -(-num_examples // block)
    rows = np.minimum(np.arange(blocks * block), num_examples - 1)
    folded = features[rows].reshape(blocks, block, *features.shape[1:])
    read = penultimate(trainer.model)

    def of_pass(model: tuple[Any, Any], shared, number):
        return read(*model, trainer.scaling(block_of(shared, number)))

    passes = Passes(of_pass, blocks, folded, placement)

    def of_group(models):
        return np.concatenate([seen for _, seen in passes(models)], 1)[:, :num_examples]

    return in_groups(of_group, models, placement)
