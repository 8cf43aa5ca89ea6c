"""A group of shadow models: started, advanced, queried and brought to the host together."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from miajax.data.dataset import Dataset
from miajax.data.splits import member_ids
from miajax.training.dp.step import PrivateInputs
from miajax.training.parallel import OverModels, Placement
from miajax.training.trainer import History, Leaf, Members, Trainer, TrainingData, TrainState


@dataclasses.dataclass
class Group:
    """Models in training.

    Attributes:
      model_ids: the real models' ids; the rows past them repeat the last one, so that every chunk is full.
      members: ``[G, ...]``.
      state, history: ``[G, ...]``, on the devices.
      epoch: how many epochs are done.
    """

    model_ids: np.ndarray
    members: Members
    state: TrainState
    history: History
    epoch: int = 0

    @property
    def size(self) -> int:
        return len(self.model_ids)


class Snapshot(NamedTuple):
    """A group's state on the host: what a checkpoint holds. Leaves start with the group's real models."""

    state: TrainState
    history: History
    epoch: Leaf


class Ensemble:
    """The compiled programs of a trainer over groups of models.

    Args:
      trainer: one model's state machine.
      dataset: the pool is put on every device once.
      placement: how models share the machine.
      private: secrets and settings of the models of given ids, ``[G]`` leaves, where the trainer is private.
      weights: ``float32[N]``, of each example in the loss; None weighs all 1.
    """

    def __init__(
        self,
        trainer: Trainer,
        dataset: Dataset,
        placement: Placement,
        private: Callable[[np.ndarray], PrivateInputs] | None = None,
        weights: np.ndarray | None = None,
    ):
        if (private is None) != (trainer.private is None):
            raise ValueError("a private trainer and the inputs of its mechanism come together")
        self.trainer, self.dataset, self.placement, self._private = trainer, dataset, placement, private
        validation = (None, None)
        if trainer.recipe.early_stopping:
            validation = (dataset.validation_features, dataset.validation_labels)
        self.data: TrainingData = placement.share(TrainingData(dataset.features, dataset.labels, *validation, weights))
        self._init = OverModels(lambda _, members, __: trainer.init(members), placement, runs_once=True)
        self._advance = OverModels(
            lambda model, members, shared: trainer.advance(
                model[0], model[1], members, shared[0], shared[1], shared[2]
            ),
            placement,
        )

    @property
    def programs(self) -> dict[str, OverModels]:
        """The compiled programs by name, for compile times and HLO."""
        return {"init": self._init, "advance": self._advance}

    def _padded(self, model_ids: np.ndarray, member: np.ndarray, width: int | None) -> Members:
        ids, counts = member_ids(member, self.trainer.capacity)
        short = counts < self.trainer.recipe.batch_size
        if short.any():
            raise ValueError(f"model {model_ids[np.argmax(short)]} has fewer members than one batch")
        unit = self.placement.width
        width = max(width or 0, -(-len(model_ids) // unit) * unit)
        rows = np.minimum(np.arange(width), len(model_ids) - 1)
        padded = np.asarray(model_ids, np.int32)[rows]
        private = None if self._private is None else self._private(padded)
        step = self.trainer.private
        if step is not None and private is not None and not step.noisy and np.any(private.noise_multiplier):
            raise ValueError("models that need noise, and a step that draws none")
        return Members(padded, ids[rows], counts[rows], private)

    def _abstract_members(self, size: int) -> Members:
        shape = jax.ShapeDtypeStruct
        whole, real = shape((size,), jnp.int32), shape((size,), jnp.float32)
        private = None if self._private is None else PrivateInputs(shape((size, 2), jnp.uint32), real, real)
        return Members(whole, shape((size, self.trainer.capacity), jnp.int32), whole, private)

    def start(self, model_ids: np.ndarray, member: np.ndarray, width: int | None = None) -> Group:
        """Untrained models.

        Args:
          model_ids: ``int[G]``.
          member: ``bool[G, N]``.
          width: pads the group to at least so many models, so that groups of different sizes share one program.
        """
        members = self._padded(model_ids, member, width)
        state, history = self._init((), members, ())
        return Group(np.asarray(model_ids), members, state, history)

    def advance(self, group: Group, until: int) -> None:
        """Trains the group's epochs up to ``until`` in one program call; the old state's buffers are given up."""
        shared = (self.data, *self.placement.share((np.int32(group.epoch), np.int32(until))))
        group.state, group.history = self._advance((group.state, group.history), group.members, shared)
        group.epoch = until

    def stopped(self, group: Group) -> bool:
        """Whether early stopping has ended the training of every model of the group."""
        best = group.state.best
        return best is not None and bool((np.asarray(best.waited) >= self.trainer.recipe.early_stopping).all())

    def compile(self, width: int) -> None:
        """Compiles ``init`` and ``advance`` for groups of ``width`` models without running them."""
        members = self._abstract_members(width)
        self._init.compile((), members, ())
        state, history = jax.eval_shape(jax.vmap(self.trainer.init), members)
        epoch = jax.ShapeDtypeStruct((), jnp.int32)
        self._advance.compile((state, history), members, (self.data, epoch, epoch))

    def snapshot(self, group: Group) -> Snapshot:
        """The group's real models on the host."""
        state, history = jax.tree.map(lambda a: np.asarray(a)[: group.size], (group.state, group.history))
        return Snapshot(state, history, np.asarray(group.epoch, np.int32))

    def abstract_snapshot(self, size: int) -> Snapshot:
        """Shapes and dtypes of a snapshot of ``size`` models; a checkpoint is restored into it."""
        state, history = jax.eval_shape(jax.vmap(self.trainer.init), self._abstract_members(size))
        return Snapshot(state, history, jax.ShapeDtypeStruct((), np.int32))

    def resume(self, model_ids: np.ndarray, member: np.ndarray, snapshot: Snapshot, width: int | None = None) -> Group:
        """Models as a snapshot left them."""
        members = self._padded(model_ids, member, width)
        rows = np.minimum(np.arange(len(members.model_id)), len(model_ids) - 1)
        pad: Any = lambda tree: self.placement.split(jax.tree.map(lambda a: np.asarray(a)[rows], tree))  # noqa: E731
        return Group(np.asarray(model_ids), members, pad(snapshot.state), pad(snapshot.history), int(snapshot.epoch))
