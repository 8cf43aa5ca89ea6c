"""Multilayer perceptron: the network of tables, and of digits."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax

from miajax.models.dense import dense_product

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"relu": nn.relu, "tanh": nn.tanh, "gelu": nn.gelu}


class MLP(nn.Module):
    """Dense layers of the given hidden ``widths``, an activation and dropout after each, then ``num_classes`` logits.

    Inputs ``[B, ...]`` are flattened. Weights start LeCun normal, biases at 0.
    """

    num_classes: int
    widths: Sequence[int] = (128,)
    activation: str = "relu"
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = ACTIVATIONS[self.activation](nn.Dense(width, dot_general=dense_product)(x))
            if self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
        self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes)(x)
