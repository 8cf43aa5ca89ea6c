"""How long the gradient of each example's loss is, by the parameters and by the input: two signals of the white box."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from miajax.signals.bundle import AnyArray
from miajax.signals.passes import Passes, block_of, go_on, in_groups
from miajax.training.dp.clipping import clipped_sum, plan_clipping
from miajax.training.losses import cross_entropy
from miajax.training.parallel import Placement
from miajax.training.trainer import Trainer


class GradientNorms(NamedTuple):
    """Euclidean norms of the gradient of the cross-entropy of each example, in nats.

    Attributes:
      parameters: ``float32[G, N]``, by all parameters.
      inputs: ``float32[G, N]``, by the network's input, after the data set's scaling.
    """

    parameters: Float[AnyArray, "models examples"]
    inputs: Float[AnyArray, "models examples"]


class GradientQuerier:
    """The compiled gradient norms of a trainer's models over one set of examples, in evaluation mode.

    Where the network's layers can be tapped (as for private training), no per-example gradient is ever formed: norms
    follow from the layers' inputs and cotangents (Goodfellow 2015, arXiv 1510.01799). Elsewhere examples come one at a
    time.

    Args:
      trainer: whose models are asked.
      model: ``(params, model_state)`` of any one of them: whether its layers can be tapped is tried on it.
      features, labels: ``[N, ...]`` as stored, ``int32[N]``; put on every device once.
      placement: how models share the machine.
      block: examples of one backward pass.
    """

    def __init__(
        self,
        trainer: Trainer,
        model: tuple[Any, Any],
        features: np.ndarray,
        labels: np.ndarray,
        placement: Placement,
        *,
        block: int = 256,
    ):
        self.num_examples = num_examples = len(labels)
        block = min(block, num_examples)
        blocks = -(-num_examples // block)
        rows = np.minimum(np.arange(blocks * block), num_examples - 1)
        folded = tuple(array[rows].reshape(blocks, block, *array.shape[1:]) for array in (features, labels))
        plan = plan_clipping(_evaluating(trainer, model[1]), model[0], features.shape[1:], check=cross_entropy)

        def of_pass(model, shared, number):
            params, state = model
            rows = block_of(shared, number)
            network = _evaluating(trainer, state)

            def of_example(example):
                x, y = example
                objective = lambda params, x: cross_entropy(network(params, x[None], None), y[None])[0]  # noqa: E731
                by_params, by_input = jax.grad(objective, (0, 1))(params, x)
                return GradientNorms(optax.tree.norm(by_params), optax.tree.norm(by_input))

            x, y = trainer.scaling(rows[0]), rows[1]
            if plan.fallback is not None:  # one at a time: a convolution's weight gradient can't be vmapped twice
                return jax.lax.map(of_example, (x, y))
            by_inputs = jax.grad(lambda x: cross_entropy(network(params, x, None), y).sum())(x)
            everyone, no_key = jnp.ones(block, bool), jax.random.key(0, impl="threefry2x32")
            # The clipped sum itself is unused, so the compiler leaves it out.
            by_params = clipped_sum(plan, network, cross_entropy, params, x[:, None], y, everyone, 1.0, no_key)
            return GradientNorms(by_params.norms, jnp.sqrt((by_inputs.reshape(block, -1) ** 2).sum(1)))

        self._passes = Passes(of_pass, blocks, folded, placement)

    def __call__(self, models: tuple[Any, Any], between: Callable[[], None] = go_on) -> GradientNorms:
        """The norms of ``models``, leaves ``[G, ...]``; G a multiple of the placement's width.

        ``between`` is called between two calls of the program, each of about a second; what it raises ends it.
        """
        parts = [seen for _, seen in self._passes(models, between)]
        return jax.tree.map(lambda *blocks: np.concatenate(blocks, 1)[:, : self.num_examples], *parts)


def gradient_norms(
    trainer: Trainer,
    models: tuple[Any, Any],
    features: np.ndarray,
    labels: np.ndarray,
    placement: Placement,
    *,
    block: int = 256,
) -> GradientNorms:
    """Gradient norms of any number of models on all examples; see ``GradientQuerier``.

    Args:
      trainer: whose models they are.
      models: ``(params, model_state)`` with leaves ``[G, ...]``, as ``Trainer.evaluated`` gives them.
      features, labels, placement, block: see ``GradientQuerier``.

    Returns:
      NumPy arrays.
    """
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), models)
    querier = GradientQuerier(trainer, first, features, labels, placement, block=block)
    return in_groups(querier, models, placement)


def _evaluating(trainer: Trainer, state: Any):
    """The network as ``(params, x, key) -> logits`` with frozen state; the key is ignored."""

    def network(params, x, _):
        return trainer.model.apply(params, state, x, False, None)[0]

    return network
