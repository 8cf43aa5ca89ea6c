"""How one model is trained: every choice that a paper's table of hyperparameters would list."""

import dataclasses
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import optax

from miajax.described import described
from miajax.errors import UserError

OptimizerName = Literal["sgd", "adam", "adamw"]
Precision = Literal["float32", "bfloat16"]
Schedule = Literal["constant", "cosine", "step", "one_cycle"]
Decayed = Literal["all", "not_biases", "kernels"]
_ADDED = {"relaxloss": ("relaxloss", "relaxloss_upper"), "hamp": ("hamp", "hamp_penalty")}
_ADDED_WITH_DEFAULTS = ("milestones", "warmup", "decayed")


@described
@dataclasses.dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one model's training; all shadow models share them.

    Example:
      >>> Recipe(epochs=10, optimizer="adamw", learning_rate=1e-3, weight_decay=0.01).schedule
      'cosine'
    """

    epochs: int = 30
    """passes over a model's members"""
    batch_size: int = 64
    """examples of one step; what is left over after full batches differs each epoch"""
    optimizer: OptimizerName = "sgd"
    """how a step follows from gradients"""
    learning_rate: float = 0.1
    """peak learning rate"""
    momentum: float = 0.9
    """momentum of sgd"""
    nesterov: bool = False
    """Nesterov's form of momentum"""
    schedule: Schedule = "cosine"
    """constant, cosine (to 0), step (x 0.1 at each milestone), one_cycle (linear up over 1/4, then down)"""
    milestones: tuple[float, ...] = (0.5, 0.75)
    """shares of the steps after which the step schedule divides the rate by 10"""
    warmup: float = 0.0
    """share of the steps over which the schedule's rate is scaled up from 0"""
    weight_decay: float = 0.0
    """L2 added to the gradient (sgd, adam) or decoupled (adamw)"""
    decayed: Decayed = "all"
    """parameters that weight decay acts on: all, not_biases (none named bias), kernels (two axes or more: no biases, no
    scales of a normalisation)"""
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
    """decay of the moving average of parameters that is evaluated, at step t at most (1 + t) / (10 + t); 0: none"""
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
        rising = all(a < b for a, b in itertools.pairwise((0, *self.milestones, 1)))
        need(rising, "milestones", "growing shares between 0 and 1")
        need(0 <= self.warmup < 1, "warmup", "a share in [0, 1)")
        need(self.weight_decay >= 0, "weight_decay", "0 or more")
        need(self.decayed in get_args(Decayed), "decayed", "one of " + ", ".join(get_args(Decayed)))
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
        if self.ema:
            settings["ema_warm_up"] = "(1 + t) / (10 + t)"  # averages of older runs began without
        for field in dataclasses.fields(self):
            if field.name in _ADDED_WITH_DEFAULTS and settings[field.name] == field.default:
                del settings[field.name]
        return settings

    @property
    def augments_images(self) -> bool:
        """Whether the recipe needs images ``[H, W, K]``."""
        return self.flip or self.shift > 0 or self.cutout > 0


def learning_rate_schedule(recipe: Recipe, total_steps: int | jax.Array) -> Callable[[Any], jax.Array]:
    """The learning rate at a step (0-based) of ``total_steps``, which may be a traced scalar."""

    def scheduled(step, done):
        if recipe.schedule == "cosine":
            return recipe.learning_rate * 0.5 * (1.0 + jnp.cos(jnp.pi * done))
        if recipe.schedule == "step":
            factor = jnp.float32(1.0)
            for passed, milestone in enumerate(recipe.milestones, 1):
                factor = jnp.where(done < milestone, factor, 0.1**passed)
            return recipe.learning_rate * factor
        if recipe.schedule == "one_cycle":
            return recipe.learning_rate * jnp.minimum(4.0 * (step + 1) / total_steps, (1.0 - done) / 0.75).clip(
                0.0, 1.0
            )
        return jnp.asarray(recipe.learning_rate, jnp.float32)

    def rate(step):
        done = step / total_steps
        if recipe.warmup:
            return jnp.minimum(done / recipe.warmup, 1.0) * scheduled(step, done)
        return scheduled(step, done)

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
    mask = None if recipe.decayed == "all" else partial(_decayed, recipe.decayed)
    decay = [optax.add_decayed_weights(recipe.weight_decay, mask)] if recipe.weight_decay else []
    if recipe.optimizer == "sgd":
        return optax.chain(*decay, optax.sgd(rate, momentum=recipe.momentum or None, nesterov=recipe.nesterov))
    if recipe.optimizer == "adam":
        return optax.chain(*decay, optax.adam(rate))
    return optax.adamw(rate, weight_decay=recipe.weight_decay, mask=mask)


def _decayed(which: Decayed, params: Any) -> Any:
    """``bool`` by leaf of ``params``: whether weight decay acts on it."""

    def acts_on(path, leaf) -> bool:
        is_bias = bool(path) and getattr(path[-1], "key", getattr(path[-1], "name", None)) == "bias"
        return leaf.ndim > 1 if which == "kernels" else which == "all" or not is_bias

    return jax.tree_util.tree_map_with_path(acts_on, params)
