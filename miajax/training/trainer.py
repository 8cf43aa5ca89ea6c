"""One model's training as a pure state machine; an ensemble is ``vmap`` of it."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from miajax.arrays import AnyArray
from miajax.errors import UserError
from miajax.models.model import Model
from miajax.training import augment
from miajax.training.dp.statistics import Statistics
from miajax.training.dp.step import PrivateInputs, PrivateStep
from miajax.training.losses import batch_loss, cross_entropy
from miajax.training.recipe import OptimizerBuilder, Recipe, build_optimizer
from miajax.training.scaling import InputScaling
from miajax.training.shuffle import shuffled

_INIT, _SHUFFLE, _STEP = 0, 1, 2  # streams folded into a model's key
_VALIDATION_BLOCK = 256  # validation examples of one forward pass, at most


Leaf = Any  # an array on devices or on the host, or a ShapeDtypeStruct ahead of time


class TrainingData(NamedTuple):
    """What all models of an ensemble share.

    Attributes:
      features, labels: the pool, ``[N, ...]`` uint8 or float32, and ``int32[N]``.
      validation_features, validation_labels: what early stopping looks at, or None.
      weights: ``float32[N]``, of each example in the loss, or None for 1.
      group_rows: ``int32[G, S]``, the rows of each group, -1 past its own; None where members are rows.
    """

    features: Leaf
    labels: Leaf
    validation_features: Leaf | None = None
    validation_labels: Leaf | None = None
    weights: Leaf | None = None
    group_rows: Leaf | None = None


class Members(NamedTuple):
    """What tells one model from another.

    Attributes:
      model_id: ``int32[]``; every key is folded from it.
      ids: ``int32[capacity]``, rows of the pool, or groups where a private training protects these; past ``count``
        padding.
      count: ``int32[]``, how many of them are members.
      private: secret and settings of a private training, else None.
    """

    model_id: Leaf
    ids: Leaf
    count: Leaf
    private: PrivateInputs | None = None


class Best(NamedTuple):
    """Early stopping's memory.

    Attributes:
      params, model_state: of the epoch with the lowest validation loss so far.
      loss: ``float32[]``, that loss.
      waited: ``int32[]``, epochs since; training has stopped for good once it reaches the patience.
    """

    params: Any
    model_state: Any
    loss: jax.Array
    waited: jax.Array


class TrainState(NamedTuple):
    """All that the next epoch depends on, besides the data and the model's members.

    Attributes:
      params, model_state, opt_state: of the model in training.
      ema: moving average of ``params``, or None where the recipe has none.
      best: early stopping's memory, or None where the recipe has none.
      private_steps: ``int32[]``, private steps that this model's parameters rest on, or None.
    """

    params: Any
    model_state: Any
    opt_state: Any
    ema: Any = None
    best: Best | None = None
    private_steps: Any = None


class History(NamedTuple):
    """What was seen while training; NaN for epochs that a model did not train.

    Attributes:
      loss, accuracy: ``float32[E]``, means over an epoch's batches.
      validation_loss: ``float32[E]``, or None where nothing is validated.
    """

    loss: jax.Array
    accuracy: jax.Array
    validation_loss: jax.Array | None = None


class Partial(NamedTuple):
    """What was seen in an epoch so far; every step overwrites its own entry, so that an epoch needs none to begin with.

    Attributes:
      loss, hit: ``float32[S]``, of each step's batch.
      validation: ``float32[V, B]``, losses of the validation part's blocks under early stopping, else None.
    """

    loss: Leaf
    hit: Leaf
    validation: Leaf | None = None


def validation_blocks(labels: AnyArray | None) -> np.ndarray:
    """Rows of the validation part, ``int[V, B]``, block by block: its activations would be a chunk's largest arrays.

    The last row fills up the last block. Without a validation part there is no block.
    """
    if labels is None:
        return np.zeros((0, 0), int)
    total = len(labels)
    blocks = -(-total // _VALIDATION_BLOCK)
    return np.minimum(np.arange(blocks * -(-total // blocks)), total - 1).reshape(blocks, -1)


@dataclasses.dataclass(frozen=True)
class Trainer:
    """``init`` and ``advance`` of one model, closed over everything static.

    Attributes:
      model, recipe, scaling: what is trained and how.
      capacity: width of ``Members.ids``, in its unit.
      ragged: whether models may have fewer members than ``capacity`` (Bernoulli splits); steps past a model's own
        number of full batches then leave its state untouched.
      example_shape: shape of one stored row.
      seed: root seed of all keys.
      optimizer: makes another optax chain than the recipe's from its schedule, or None.
      private: the mechanism that makes each step private, or None.
      statistics: that each model's inputs are standardised by, released with noise before the first step, or None.
    """

    model: Model
    recipe: Recipe
    scaling: InputScaling
    capacity: int
    ragged: bool
    example_shape: tuple[int, ...]
    seed: int
    optimizer: OptimizerBuilder | None = None
    private: PrivateStep | None = None
    statistics: Statistics | None = None

    def __post_init__(self):
        for name in ("relaxloss", "hamp"):
            if self.private is not None and getattr(self.recipe, name):
                raise UserError(
                    f"--{name} {getattr(self.recipe, name)} with differential privacy", expected="plain cross-entropy"
                )

    @property
    def steps_per_epoch(self) -> int:
        """Steps that an epoch runs, for the model with the most members."""
        return self.capacity // self.recipe.batch_size

    def key(self, model_id: jax.Array, stream: int) -> jax.Array:
        """A model's key: a function of (seed, model id, stream) in any company."""
        # Threefry by name: rbg keys would make a model's draws depend on its neighbours under vmap.
        root = jax.random.key(self.seed, impl="threefry2x32")
        return jax.random.fold_in(jax.random.fold_in(root, model_id), stream)

    @property
    def _cut_short(self) -> bool:
        """Whether models with fewer members run fewer steps; private ones don't, since that would tell their number."""
        return self.ragged and self.private is None

    def _total_steps(self, count):
        return self.recipe.epochs * (count // self.recipe.batch_size if self._cut_short else self.steps_per_epoch)

    def _optimizer(self, count):
        return build_optimizer(self.recipe, self._total_steps(count), self.optimizer)

    def evaluated(self, state: TrainState) -> tuple[Any, Any]:
        """``(params, model_state)`` of the finished model: early stopping's best, the moving average, or the last."""
        if state.best is not None:
            return state.best.params, state.best.model_state
        return (state.params if state.ema is None else state.ema), state.model_state

    def init(self, members: Members) -> tuple[TrainState, History]:
        """An untrained model, with an empty history."""
        example = jnp.zeros((1, *self.example_shape), jnp.float32)
        params, model_state = self.model.init(self.key(members.model_id, _INIT), example)
        opt_state = self._optimizer(members.count).init(params)
        empty = jnp.full((self.recipe.epochs,), jnp.nan, jnp.float32)
        stops = self.recipe.early_stopping > 0
        best = Best(params, model_state, jnp.float32(jnp.inf), jnp.int32(0)) if stops else None
        steps = None if self.private is None else jnp.int32(0)
        state = TrainState(params, model_state, opt_state, params if self.recipe.ema else None, best, steps)
        return state, History(empty, empty, empty if stops else None)

    def advance(
        self,
        state: TrainState,
        history: History,
        so_far: Partial,
        members: Members,
        data: TrainingData,
        start: jax.Array | int,
        until: jax.Array | int,
    ) -> tuple[TrainState, History, Partial]:
        """Trains stages ``start`` to ``until - 1``, counted over all epochs (scalars, the same for all models).

        The stages of an epoch are its steps and then, under early stopping, the blocks of the validation part. How a
        training is cut into calls, between epochs or within one, does not change its bits. ``so_far`` is what the call
        before returned, or anything where ``start`` begins an epoch.
        """
        optimizer, length = self._optimizer(members.count), self.steps_per_epoch
        stages = length + len(validation_blocks(data.validation_labels))

        def epoch(number, carry):
            before, history, so_far = carry
            order = None if self.private is not None else self._shuffle(members, number)
            keys = jax.random.fold_in(self.key(members.model_id, _STEP), number)

            def step(place, carry):
                state, so_far = carry
                batch = place, None if order is None else order[place]
                state, (loss, hit) = self._step(optimizer, data, members, number, keys, state, batch)
                return state, so_far._replace(loss=so_far.loss.at[place].set(loss), hit=so_far.hit.at[place].set(hit))

            first, last = jnp.maximum(start - number * stages, 0), jnp.minimum(until - number * stages, stages)
            state, so_far = jax.lax.fori_loop(first, jnp.minimum(last, length), step, (before, so_far))
            ran = jnp.maximum(members.count // self.recipe.batch_size, 1) if self._cut_short else length
            seen, done = History(so_far.loss.sum() / ran, so_far.hit.sum() / ran), last == stages
            if before.best is not None:
                assert data.validation_labels is not None
                validated = self._validation(state, data, (jnp.maximum(first, length), last), so_far.validation)
                so_far = so_far._replace(validation=validated)
                of_all = len(data.validation_labels)
                state, seen = jax.lax.cond(
                    done,
                    lambda before, after, seen: self._validated(before, after, seen, validated, of_all),
                    lambda before, after, seen: (self._held(before, after), seen._replace(validation_loss=seen.loss)),
                    before,
                    state,
                    seen,
                )
            keep = lambda all_epochs, now: all_epochs.at[number].set(jnp.where(done, now, all_epochs[number]))  # noqa: E731
            return state, jax.tree.map(keep, history, seen), so_far

        return jax.lax.fori_loop(start // stages, -(-until // stages), epoch, (state, history, so_far))

    def _held(self, before: TrainState, after: TrainState) -> TrainState:
        """The state after steps, or before them for a model that early stopping had ended by then."""
        assert before.best is not None
        stopped = before.best.waited >= self.recipe.early_stopping
        return jax.tree.map(lambda old, new: jnp.where(stopped, old, new), before, after)

    def _validated(self, before: TrainState, after: TrainState, seen: History, losses: jax.Array, of_all: int):
        """Early stopping after an epoch: remember the best, and undo the epoch of a model that had stopped."""
        assert before.best is not None
        params, model_state = self.evaluated(after._replace(best=None))
        loss = losses.reshape(-1)[:of_all].mean()
        stopped = before.best.waited >= self.recipe.early_stopping
        better = ~stopped & (loss < before.best.loss)
        keep = lambda new, old: jax.tree.map(lambda n, o: jnp.where(better, n, o), new, old)  # noqa: E731
        best = Best(
            keep(params, before.best.params),
            keep(model_state, before.best.model_state),
            keep(loss, before.best.loss),
            jnp.where(better, 0, before.best.waited + 1),
        )
        after = self._held(before, after)._replace(best=best)
        seen = seen._replace(validation_loss=loss)
        return after, jax.tree.map(lambda value: jnp.where(stopped, jnp.nan, value), seen)

    def _validation(self, state: TrainState, data: TrainingData, stages: tuple[Any, Any], losses) -> jax.Array:
        """Losses of the validation part, of those blocks that the ``stages`` of an epoch hold, among ``losses``."""
        assert data.validation_features is not None and data.validation_labels is not None
        features, labels = data.validation_features, data.validation_labels
        rows = jnp.asarray(validation_blocks(labels))
        params, model_state = self.evaluated(state._replace(best=None))

        def block(number, losses):
            of_block = rows[number]
            logits, _ = self.model.apply(params, model_state, self.scaling(features[of_block]), False, None)
            return losses.at[number].set(cross_entropy(logits, labels[of_block]))

        first, last = (stage - self.steps_per_epoch for stage in stages)
        return jax.lax.fori_loop(first, last, block, losses)

    def _shuffle(self, members: Members, epoch: jax.Array) -> jax.Array:
        """This epoch's minibatches, ``int32[steps, B]``: the members in random order, cut into full batches."""
        key = jax.random.fold_in(self.key(members.model_id, _SHUFFLE), epoch)
        padding = jnp.arange(self.capacity) >= members.count if self.ragged else None
        order = shuffled(key, members.ids, padding)
        return order[: self.steps_per_epoch * self.recipe.batch_size].reshape(-1, self.recipe.batch_size)

    def _augmented(self, key: jax.Array, x: jax.Array) -> jax.Array:
        recipe = self.recipe
        if recipe.flip:
            x = augment.random_flip(jax.random.fold_in(key, 0), x)
        if recipe.shift:
            x = augment.random_shift(jax.random.fold_in(key, 1), x, recipe.shift)
        if recipe.cutout:
            x = augment.random_cutout(jax.random.fold_in(key, 2), x, recipe.cutout)
        return x

    def forward(self, params, model_state, x: jax.Array, dropout: jax.Array) -> tuple[jax.Array, Any]:
        """Float32 logits of network inputs in training, in the recipe's precision, and the new model state."""
        if self.recipe.precision == "bfloat16":
            params, x = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (params, x))
        logits, model_state = self.model.apply(params, model_state, x, True, dropout)
        return logits.astype(jnp.float32), model_state

    def _objective(self, params, model_state, batch: tuple[jax.Array, jax.Array, jax.Array | None], epoch, key):
        """Loss of ``(x, y, weights)`` as stored, with ``(model_state, share classified right)``."""
        x, y, weights = batch
        draws, dropout = jax.random.split(key)
        x = self._augmented(draws, self.scaling(x))
        share = None
        if self.recipe.mixup:
            x, share = augment.mixup(jax.random.fold_in(draws, 3), x, self.recipe.mixup)
        logits, model_state = self.forward(params, model_state, x, dropout)
        loss = batch_loss(self.recipe, logits, y, epoch, share=share, weights=weights)
        return loss, (model_state, (jnp.argmax(logits, -1) == y).mean(dtype=jnp.float32))

    def _private_gradient(self, data: TrainingData, members: Members, state: TrainState, key: jax.Array):
        """Loss, share classified right, and gradient of a step that the mechanism samples itself."""
        assert self.private is not None and members.private is not None
        views = self.private.mechanism.views

        def batch_of(places, draws):
            if data.group_rows is not None:
                rows = data.group_rows[members.ids[places]]
                present = rows >= 0
                rows = jnp.where(present, rows, rows[:, :1])  # padding repeats the group's own row, nobody else's
                x = self._augmented(draws, self.scaling(data.features[rows.reshape(-1)]))
                weights = present / present.sum(1, keepdims=True, dtype=jnp.float32)
                return x.reshape(*rows.shape, *x.shape[1:]), data.labels[rows], weights
            rows = members.ids[places]
            x = self._augmented(draws, jnp.repeat(self.scaling(data.features[rows]), views, 0))
            return x.reshape(len(rows), views, *x.shape[1:]), data.labels[rows], None

        seen = self.private.gradient(
            lambda params, x, dropout: self.forward(params, state.model_state, x, dropout)[0],
            partial(cross_entropy, label_smoothing=self.recipe.label_smoothing),
            state.params,
            members.private,
            (members.model_id, members.count, self.capacity),
            state.private_steps,
            batch_of,
            key,
        )
        return seen.loss, seen.hit, seen.gradient

    def _step(self, optimizer, data: TrainingData, members: Members, epoch, keys, state: TrainState, batch):
        number, rows = batch
        key = jax.random.fold_in(keys, number)
        if self.private is not None:
            loss, hit, gradient = self._private_gradient(data, members, state, key)
            model_state, private_steps = state.model_state, state.private_steps + 1
        else:
            drawn = data.features[rows], data.labels[rows], None if data.weights is None else data.weights[rows]
            gradient_of = jax.value_and_grad(self._objective, has_aux=True)
            (loss, (model_state, hit)), gradient = gradient_of(state.params, state.model_state, drawn, epoch, key)
            private_steps = None
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = state.ema
        if ema is not None:
            # Initial weights are forgotten before the horizon of the decay itself, as De et al. 2022 have it.
            t = (epoch * (self._total_steps(members.count) // self.recipe.epochs) + number).astype(jnp.float32)
            decay = jnp.minimum(self.recipe.ema, (1 + t) / (10 + t))
            ema = jax.tree.map(lambda average, new: decay * average + (1 - decay) * new, ema, params)
        after = TrainState(params, model_state, opt_state, ema, state.best, private_steps)
        if self._cut_short:
            full = number < members.count // self.recipe.batch_size
            after = jax.tree.map(lambda new, old: jnp.where(full, new, old), after, state)
            loss, hit = jnp.where(full, loss, 0.0), jnp.where(full, hit, 0.0)
        return after, (loss, hit)
