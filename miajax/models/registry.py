"""Networks by name."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import numpy as np

from miajax.described import described
from miajax.errors import UserError
from miajax.models.bring_your_own import as_model, load_model
from miajax.models.cnn import CNN
from miajax.models.densenet import densenet_bc_100_12
from miajax.models.fast_cifar import FastCifar
from miajax.models.layers import Layers, Norm
from miajax.models.mlp import ACTIVATIONS, MLP
from miajax.models.model import Model, from_linen
from miajax.models.purchase_mlp import purchase_mlp
from miajax.models.resnet import resnet18, resnet20
from miajax.models.whitening import whitening_kernel
from miajax.models.wide_resnet import wrn16_4, wrn28_2
from miajax.plugins import Registry


@described
@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """What a command line may set of a network; a network takes the fields it knows."""

    widths: tuple[int, ...] = (128,)
    """hidden widths of mlp"""
    activation: str = "relu"
    """activation of mlp: relu, tanh or gelu"""
    dropout: float = 0.0
    """share of hidden units dropped in training (mlp, purchase_mlp, cnn, wide ResNets, DenseNet)"""
    norm: Norm | None = None
    """normalisation of a convolutional network: batch, group (with weight standardisation) or none; its own when not
    given"""
    model_args: str | None = None
    """arguments of an estimator's class or factory, as JSON: '{"n_estimators": 50}'"""

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            raise UserError(f"--activation {self.activation} is unknown", expected=" or ".join(ACTIVATIONS))
        if not self.widths or min(self.widths) < 1:
            raise UserError(f"--widths {self.widths}", expected="one or more positive widths")
        if not 0.0 <= self.dropout < 1.0:
            raise UserError(f"--dropout {self.dropout}", expected="a share in [0, 1)")


Images = Callable[[], np.ndarray]
Builder = Callable[[int, ModelOptions, Images | None], Model]


def _mlp(num_classes: int, options: ModelOptions, images: Images | None) -> Model:
    config = {"widths": list(options.widths), "activation": options.activation, "dropout": options.dropout}
    return from_linen(MLP(num_classes, tuple(options.widths), options.activation, options.dropout), "mlp", config)


def _purchase_mlp(num_classes: int, options: ModelOptions, images: Images | None) -> Model:
    return from_linen(purchase_mlp(num_classes, options.dropout), "purchase_mlp", {"dropout": options.dropout})


def _convolutional(name: str, build: Callable[..., nn.Module], norm: Norm = "batch", drops: bool = True) -> Builder:
    def network(num_classes: int, options: ModelOptions, images: Images | None) -> Model:
        if options.dropout and not drops:
            raise UserError(f"--dropout {options.dropout} with --model {name}", expected="0, since it has no dropout")
        chosen = options.norm or norm
        dropout = {"dropout": options.dropout} if drops else {}
        return from_linen(build(num_classes, layers=Layers(norm=chosen), **dropout), name, {"norm": chosen, **dropout})

    return network


def _linear(num_classes: int, options: ModelOptions, images: Images | None) -> Model:
    return from_linen(MLP(num_classes, ()), "linear")


def _whitened(name: str, directions: int | None = None, **shape: Any) -> Builder:
    """A ``FastCifar`` of that shape, its first layer made from the pool's patches."""

    def network(num_classes: int, options: ModelOptions, images: Images | None) -> Model:
        kernel = None if images is None else whitening_kernel(images(), shape.get("window", 2), directions=directions)
        whitening = None if kernel is None else tuple(kernel.ravel().tolist())
        build = functools.partial(FastCifar, whitening=whitening, **shape)
        return _convolutional(name, build, drops=False)(num_classes, options, images)

    return network


_OURS: dict[str, Builder] = {
    "mlp": _mlp,
    "purchase_mlp": _purchase_mlp,
    "cnn": _convolutional("cnn", CNN, norm="none"),
    "resnet20": _convolutional("resnet20", resnet20, drops=False),
    "resnet18": _convolutional("resnet18", resnet18, drops=False),
    "wrn16_4": _convolutional("wrn16_4", wrn16_4),
    "wrn28_2": _convolutional("wrn28_2", wrn28_2),
    "densenet_bc_100_12": _convolutional("densenet_bc_100_12", densenet_bc_100_12),
    "fast_cifar": _whitened("fast_cifar"),
    "small_cifar": _whitened("small_cifar", directions=16, window=4, stride=2, widths=(32, 96, 192)),
    "linear": _linear,
}
WHITENED = ("fast_cifar", "small_cifar")
"""Networks whose first layer is made from the pool."""


def _as_builder(thing: Any, name: str, origin: Mapping[str, str]) -> Builder:
    def build(num_classes: int, options: ModelOptions, images: Images | None) -> Model:
        return as_model(thing, name, num_classes, origin)

    return build


MODELS: Registry[Builder] = Registry("model", "--model", _OURS.items(), _as_builder)


def register_model(name: str, thing: Any, config: Mapping[str, str] | None = None) -> None:
    """Adds a network of one's own under a name for ``--model`` and ``model=``.

    Args:
      name: of its own.
      thing: whatever ``as_model`` takes: a Linen module, a pair ``(init, apply)``, a function of ``num_classes``.
      config: what tells this version of it from others; runs with another refuse to continue.

    Raises:
      UserError: the name is taken.

    Example:
      >>> import jax.numpy as jnp
      >>> def linear(num_classes):
      ...     init = lambda key, x: jnp.zeros((x.shape[-1], num_classes))  # x: [1, F]
      ...     apply = lambda params, x: x @ params  # [B, F] -> [B, C]
      ...     return init, apply
      >>> register_model("my_linear", linear)
    """
    MODELS.register(name, thing, config)


_FLAT = ("mlp", "purchase_mlp", "linear")
_FEWEST_PIXELS = {"cnn": 4, "fast_cifar": 9, "small_cifar": 15}  # a side that their poolings leave a pixel of


def check_pictures(name: str, example_shape: tuple[int, ...]) -> None:
    """Refuses, for a convolutional network of ours, what is no picture, and pictures too small for its poolings.

    Raises:
      UserError: see above; other names are left to `build_model`.
    """
    if name not in _OURS or name in _FLAT:
        return
    fewest = _FEWEST_PIXELS.get(name, 1)
    if len(example_shape) != 3 or min(example_shape[:2]) < fewest:
        raise UserError(
            f"--model {name} on rows of shape {example_shape}",
            expected=f"pictures [height, width, channels] of {fewest} pixels a side or more",
            remedy="Use --model mlp for rows that are no pictures",
        )


def build_model(
    name: str, num_classes: int, options: ModelOptions | None = None, images: Images | None = None
) -> Model:
    """The network called ``name`` with ``num_classes`` logits; ``path/to/file.py:name`` is a user's own.

    ``images`` gives the pool ``float32[N, H, W, K]`` as networks see it, to those whose first layer is made from it.

    Raises:
      UserError: an unknown name, and the known ones are listed; or whatever is wrong with the user's file.
    """
    if ".py:" in name:
        return load_model(name, num_classes)
    return MODELS[MODELS.name_of(name)](num_classes, options or ModelOptions(), images)
