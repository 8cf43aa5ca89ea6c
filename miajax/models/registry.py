"""Networks by name."""

import dataclasses
from collections.abc import Callable

from miajax.errors import UserError
from miajax.models.bring_your_own import load_model
from miajax.models.mlp import ACTIVATIONS, MLP
from miajax.models.model import Model, from_linen


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """What a command line may set of a network; a network takes the fields it knows."""

    widths: tuple[int, ...] = (128,)
    """hidden widths of mlp"""
    activation: str = "relu"
    """activation of mlp: relu, tanh or gelu"""
    dropout: float = 0.0
    """share of hidden units dropped in training"""

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            raise UserError(f"--activation {self.activation} is unknown", expected=" or ".join(ACTIVATIONS))
        if not self.widths or min(self.widths) < 1:
            raise UserError(f"--widths {self.widths}", expected="one or more positive widths")
        if not 0.0 <= self.dropout < 1.0:
            raise UserError(f"--dropout {self.dropout}", expected="a share in [0, 1)")


def _mlp(num_classes: int, options: ModelOptions) -> Model:
    config = {"widths": list(options.widths), "activation": options.activation, "dropout": options.dropout}
    return from_linen(MLP(num_classes, tuple(options.widths), options.activation, options.dropout), "mlp", config)


MODELS: dict[str, Callable[[int, ModelOptions], Model]] = {"mlp": _mlp}


def build_model(name: str, num_classes: int, options: ModelOptions | None = None) -> Model:
    """The network called ``name`` with ``num_classes`` logits; ``path/to/file.py:name`` is a user's own.

    Raises:
      UserError: an unknown name, and the known ones are listed; or whatever is wrong with the user's file.
    """
    if ".py:" in name:
        return load_model(name, num_classes)
    if name not in MODELS:
        known = ", ".join(sorted(MODELS))
        raise UserError(f"--model {name} is unknown", expected=f"one of {known}, or path/to/file.py:name")
    return MODELS[name](num_classes, options or ModelOptions())
