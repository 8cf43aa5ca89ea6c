"""One model's training as a pure state machine; an ensemble is ``vmap`` of it."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from miajax.data.dataset import Dataset
from miajax.models.model import Model
from miajax.training.losses import cross_entropy
from miajax.training.recipe import Recipe, build_optimizer

_INIT, _SHUFFLE, _STEP = 0, 1, 2  # streams folded into a model's key


class TrainingData(NamedTuple):
    """What all models of an ensemble share: ``features [N, ...]`` (uint8 or float32) and ``labels int32[N]``."""

    features: jax.Array
    labels: jax.Array


class Members(NamedTuple):
    """What tells one model from another.

    Attributes:
      model_id: ``int32[]``; every key is folded from it.
      ids: ``int32[capacity]``, rows of the pool; past ``count`` padding.
      count: ``int32[]``, how many of them are members.
    """

    model_id: jax.Array
    ids: jax.Array
    count: jax.Array


class TrainState(NamedTuple):
    """All that the next epoch depends on, besides the data and the model's members."""

    params: Any
    model_state: Any
    opt_state: Any


class History(NamedTuple):
    """What was seen while training: ``loss float32[E]``, ``accuracy float32[E]``, means over an epoch's batches."""

    loss: jax.Array
    accuracy: jax.Array


@dataclasses.dataclass(frozen=True)
class InputScaling:
    """How a stored row becomes the network's input: float rows as they are, uint8 images standardised by channel.

    Attributes:
      mean, std: per channel, of the pool, in units of 0..1; None for float rows.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> "InputScaling":
        if dataset.features.dtype != np.uint8:
            return cls()
        channels = dataset.features.reshape(-1, dataset.features.shape[-1]) if dataset.features.ndim == 4 else None
        values = channels if channels is not None else dataset.features.reshape(-1, 1)
        # Sums of integers are exact, so the constants don't depend on the order of summation.
        total = values.sum(0, dtype=np.int64)
        squares = np.stack([np.dot(np.bincount(v, minlength=256), np.arange(256, dtype=np.int64) ** 2) for v in values.T])
        mean = total / len(values)
        std = np.sqrt(np.maximum(squares / len(values) - mean**2, 1.0))
        return cls(tuple(float(v) for v in mean / 255), tuple(float(v) for v in std / 255))

    def __call__(self, x: jax.Array) -> jax.Array:
        """``x [B, ...]`` as the network's float32 input."""
        if self.mean is None:
            return x.astype(jnp.float32)
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return (x.astype(jnp.float32) / 255.0 - mean) / std


@dataclasses.dataclass(frozen=True)
class Trainer:
    """``init`` and ``advance`` of one model, closed over everything static.

    Attributes:
      model, recipe, scaling: what is trained and how.
      capacity: width of ``Members.ids``.
      ragged: whether models may have fewer members than ``capacity`` (Bernoulli splits); steps past a model's own
        number of full batches then leave its state untouched.
      example_shape: shape of one stored row.
      seed: root seed of all keys.
    """

    model: Model
    recipe: Recipe
    scaling: InputScaling
    capacity: int
    ragged: bool
    example_shape: tuple[int, ...]
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps that an epoch runs, for the model with the most members."""
        return self.capacity // self.recipe.batch_size

    def key(self, model_id: jax.Array, stream: int) -> jax.Array:
        """A model's key: a function of (seed, model id, stream) in any company."""
        # Threefry by name: rbg keys would make a model's draws depend on its neighbours under vmap.
        root = jax.random.key(self.seed, impl="threefry2x32")
        return jax.random.fold_in(jax.random.fold_in(root, model_id), stream)

    def _total_steps(self, count):
        return self.recipe.epochs * (count // self.recipe.batch_size if self.ragged else self.steps_per_epoch)

    def init(self, members: Members) -> tuple[TrainState, History]:
        """An untrained model, with an empty history."""
        example = jnp.zeros((1, *self.example_shape), jnp.float32)
        params, model_state = self.model.init(self.key(members.model_id, _INIT), example)
        opt_state = build_optimizer(self.recipe, self._total_steps(members.count)).init(params)
        empty = jnp.full((self.recipe.epochs,), jnp.nan, jnp.float32)
        return TrainState(params, model_state, opt_state), History(empty, empty)

    def advance(
        self, state: TrainState, history: History, members: Members, data: TrainingData, start: jax.Array, until: jax.Array
    ) -> tuple[TrainState, History]:
        """Trains epochs ``start`` to ``until - 1`` (0-based scalars, the same for all models of an ensemble).

        How a training is cut into calls does not change its bits.
        """
        optimizer = build_optimizer(self.recipe, self._total_steps(members.count))

        def epoch(number, carry):
            state, history = carry
            order = self._shuffle(members, number)
            keys = jax.random.fold_in(self.key(members.model_id, _STEP), number)
            steps = jnp.arange(self.steps_per_epoch, dtype=jnp.int32)
            step = partial(self._step, optimizer, data, members.count, keys)
            state, (losses, hits) = jax.lax.scan(step, state, (steps, order))
            ran = jnp.maximum(members.count // self.recipe.batch_size, 1) if self.ragged else self.steps_per_epoch
            history = History(
                history.loss.at[number].set(losses.sum() / ran), history.accuracy.at[number].set(hits.sum() / ran)
            )
            return state, history

        return jax.lax.fori_loop(start, until, epoch, (state, history))

    def _shuffle(self, members: Members, epoch: jax.Array) -> jax.Array:
        key = jax.random.fold_in(self.key(members.model_id, _SHUFFLE), epoch)
        used = self.steps_per_epoch * self.recipe.batch_size
        if self.ragged:
            draws = jax.random.uniform(key, (self.capacity,))
            order = members.ids[jnp.argsort(jnp.where(jnp.arange(self.capacity) < members.count, draws, 2.0))]
        else:
            order = jax.random.permutation(key, members.ids)
        return order[:used].reshape(self.steps_per_epoch, self.recipe.batch_size)

    def _step(self, optimizer, data: TrainingData, count, keys, state: TrainState, batch):
        number, rows = batch
        x, y = self.scaling(data.features[rows]), data.labels[rows]

        def objective(params):
            logits, model_state = self.model.apply(params, state.model_state, x, True, jax.random.fold_in(keys, number))
            loss = cross_entropy(logits, y, self.recipe.label_smoothing).mean()
            return loss, (model_state, (jnp.argmax(logits, -1) == y).mean(dtype=jnp.float32))

        (loss, (model_state, hit)), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        after = TrainState(optax.apply_updates(state.params, updates), model_state, opt_state)
        if self.ragged:
            full = number < count // self.recipe.batch_size
            after = jax.tree.map(lambda new, old: jnp.where(full, new, old), after, state)
            loss, hit = jnp.where(full, loss, 0.0), jnp.where(full, hit, 0.0)
        return after, (loss, hit)
