"""How one model is trained: every choice that a paper's table of hyperparameters would list."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import optax

from miajax.errors import UserError

OptimizerName = Literal["sgd", "adam", "adamw"]
Precision = Literal["float32", "bfloat16"]
Schedule = Literal["constant", "cosine", "step", "one_cycle"]
_ADDED = {"relaxloss": ("relaxloss", "relaxloss_upper"), "hamp": ("hamp", "hamp_penalty")}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one model's training; all shadow models share them."""

    epochs: int = 30
    """passes over a model's members"""
    batch_size: int = 64
    """examples of one step; what is left over after full batches differs each epoch"""
    optimizer: OptimizerName = "sgd"
    """sgd, adam or adamw"""
    learning_rate: float = 0.1
    """peak learning rate"""
    momentum: float = 0.9
    """momentum of sgd"""
    nesterov: bool = False
    """Nesterov's form of momentum"""
    schedule: Schedule = "cosine"
    """constant, cosine (to 0), step (x 0.1 at 1/2 and 3/4 of the steps), one_cycle (linear up over 1/4, then down)"""
    weight_decay: float = 0.0
    """L2 added to the gradient (sgd, adam) or decoupled (adamw)"""
    label_smoothing: float = 0.0
    """share of the target spread evenly over all classes"""
    flip: bool = False
    """mirror half of the training images left to right"""
    shift: int = 0
    """move training images by up to so many pixels, over reflected borders"""
    cutout: int = 0
    """blank a square of so many pixels a side in each training image"""
    mixup: float = 0.0
    """alpha of mixup's Beta distribution; 0: none"""
    relaxloss: float = 0.0
    """training loss, in nats, that RelaxLoss keeps to; 0: none"""
    relaxloss_upper: float = 1.0
    """highest probability that RelaxLoss's flattened targets give the label"""
    hamp: float = 0.0
    """entropy of HAMP's soft labels as a share of the highest; 0: none"""
    hamp_penalty: float = 0.0
    """weight of HAMP's reward for unsure predictions"""
    ema: float = 0.0
    """decay of the moving average of parameters that is evaluated; 0: none"""
    early_stopping: int = 0
    """stop a model after so many epochs without a lower validation loss and evaluate its best; 0: never"""
    precision: Precision = "float32"
    """of forward and backward passes; bfloat16 keeps master weights in float32"""

    def __post_init__(self):
        def need(ok: bool, flag: str, expected: str):
            if not ok:
                raise UserError(f"--{flag} {getattr(self, flag)}", expected=expected)

        need(self.epochs >= 1, "epochs", "1 or more")
        need(self.batch_size >= 1, "batch_size", "1 or more")
        need(self.optimizer in get_args(OptimizerName), "optimizer", "one of " + ", ".join(get_args(OptimizerName)))
        need(self.schedule in get_args(Schedule), "schedule", "one of " + ", ".join(get_args(Schedule)))
        need(self.learning_rate > 0, "learning_rate", "a positive number")
        need(0 <= self.momentum < 1, "momentum", "a number in [0, 1)")
        need(self.weight_decay >= 0, "weight_decay", "0 or more")
        need(0 <= self.label_smoothing < 1, "label_smoothing", "a share in [0, 1)")
        need(self.shift >= 0, "shift", "0 or more pixels")
        need(self.cutout >= 0, "cutout", "0 or more pixels")
        need(self.mixup >= 0, "mixup", "0 or more")
        need(self.relaxloss >= 0, "relaxloss", "0 or more nats")
        need(0 < self.relaxloss_upper <= 1, "relaxloss_upper", "a probability in (0, 1]")
        need(0 <= self.hamp <= 1, "hamp", "a share in [0, 1]")
        need(self.hamp_penalty >= 0, "hamp_penalty", "0 or more")
        need(0 <= self.ema < 1, "ema", "a decay in [0, 1)")
        need(self.early_stopping >= 0, "early_stopping", "0 or more epochs")
        need(self.precision in get_args(Precision), "precision", "one of " + ", ".join(get_args(Precision)))
        need(not self.hamp_penalty or self.hamp > 0, "hamp_penalty", "--hamp with it")
        targets = [name for name in ("label_smoothing", "mixup", "relaxloss", "hamp") if getattr(self, name)]
        if len(targets) > 1 and targets != ["label_smoothing", "mixup"]:
            raise UserError(
                " with ".join(f"--{name} {getattr(self, name)}" for name in targets),
                expected="one of them: each sets the targets of training",
            )

    def identity(self) -> dict[str, Any]:
        """JSON of all settings; younger ones only where they are used, so that runs made before them still match."""
        settings = dataclasses.asdict(self)
        for switch, names in _ADDED.items():
            if not settings[switch]:
                for name in names:
                    del settings[name]
        return settings

    @property
    def augments_images(self) -> bool:
        """Whether the recipe needs images ``[H, W, K]``."""
        return self.flip or self.shift > 0 or self.cutout > 0


def learning_rate_schedule(recipe: Recipe, total_steps: int | jax.Array) -> Callable[[Any], jax.Array]:
    """The learning rate at a step (0-based) of ``total_steps``, which may be a traced scalar."""

    def rate(step):
        done = step / total_steps
        if recipe.schedule == "cosine":
            return recipe.learning_rate * 0.5 * (1.0 + jnp.cos(jnp.pi * done))
        if recipe.schedule == "step":
            return recipe.learning_rate * jnp.where(done < 0.5, 1.0, jnp.where(done < 0.75, 0.1, 0.01))
        if recipe.schedule == "one_cycle":
            return recipe.learning_rate * jnp.minimum(4.0 * (step + 1) / total_steps, (1.0 - done) / 0.75).clip(
                0.0, 1.0
            )
        return jnp.asarray(recipe.learning_rate, jnp.float32)

    return rate


OptimizerBuilder = Callable[[Callable[[Any], jax.Array]], optax.GradientTransformation]


def build_optimizer(
    recipe: Recipe, total_steps: int | jax.Array, custom: OptimizerBuilder | None = None
) -> optax.GradientTransformation:
    """The optax chain of a recipe, for a training of ``total_steps`` steps.

    ``custom`` makes any other chain from the recipe's schedule; it must be named in the run's configuration.
    """
    rate = learning_rate_schedule(recipe, total_steps)
    if custom is not None:
        return custom(rate)
    decay = [optax.add_decayed_weights(recipe.weight_decay)] if recipe.weight_decay else []
    if recipe.optimizer == "sgd":
        return optax.chain(*decay, optax.sgd(rate, momentum=recipe.momentum or None, nesterov=recipe.nesterov))
    if recipe.optimizer == "adam":
        return optax.chain(*decay, optax.adam(rate))
    return optax.adamw(rate, weight_decay=recipe.weight_decay)
