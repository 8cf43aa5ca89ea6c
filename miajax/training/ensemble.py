"""A group of shadow models: started, advanced, queried and brought to the host together."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from miajax.data.dataset import Dataset
from miajax.data.groups import means_of_groups, rows_of_groups
from miajax.data.splits import member_ids
from miajax.training.dp.statistics import Statistics
from miajax.training.dp.step import PrivateInputs
from miajax.training.parallel import OverModels, Placement
from miajax.training.trainer import (
    History,
    Leaf,
    Members,
    Partial,
    Trainer,
    TrainingData,
    TrainState,
    validation_blocks,
)


@dataclasses.dataclass
class Group:
    """Models in training.

    Attributes:
      model_ids: the real models' ids; the rows past them repeat the last one, so that every chunk is full.
      members: ``[G, ...]``.
      state, history: ``[G, ...]``, on the devices.
      so_far: what was seen in the epoch that is under way.
      epoch: how many epochs are done.
      step: how many stages of the next one are: its steps, then the blocks of its validation.
    """

    model_ids: np.ndarray
    members: Members
    state: TrainState
    history: History
    so_far: Partial
    epoch: int = 0
    step: int = 0

    @property
    def size(self) -> int:
        return len(self.model_ids)


class Snapshot(NamedTuple):
    """A group's state on the host: what a checkpoint holds. Leaves start with the group's real models."""

    state: TrainState
    history: History
    epoch: Leaf


class WithinEpoch(NamedTuple):
    """What a checkpoint holds besides a snapshot where an epoch is under way.

    Attributes:
      so_far: ``[G, ...]``.
      step: how many of its stages are done.
    """

    so_far: Partial
    step: Leaf


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
        self._whole: np.ndarray | None = None  # first row of each group, where groups are members
        rows = None
        if trainer.private is not None and trainer.private.mechanism.unit == "group":
            assert dataset.groups is not None, "the unit is a group, and rows have none"
            rows = rows_of_groups(dataset.groups)
            self._whole = rows[:, 0]
        self.data: TrainingData = placement.share(
            TrainingData(dataset.features, dataset.labels, *validation, weights, rows)
        )
        self._contributions: np.ndarray | None = None  # of every row or group of the pool to statistics of members
        self._blocks = validation_blocks(self.data.validation_labels).shape
        self.stages_per_epoch = trainer.steps_per_epoch + self._blocks[0]
        self._init = OverModels(lambda _, members, __: trainer.init(members), placement, runs_once=True)
        self._advance = OverModels(
            lambda model, members, shared: trainer.advance(
                model[0], model[1], model[2], members, shared[0], shared[1], shared[2]
            ),
            placement,
        )

    @property
    def programs(self) -> dict[str, OverModels]:
        """The compiled programs by name, for compile times and HLO."""
        return {"init": self._init, "advance": self._advance}

    def _padded(self, model_ids: np.ndarray, member: np.ndarray, width: int | None) -> Members:
        member = member if self._whole is None else member[:, self._whole]
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
        if self.trainer.statistics is not None:
            state = self._standardised(state, members, self.trainer.statistics, member)
        return Group(np.asarray(model_ids), members, state, history, self._nothing_seen(len(members.model_id)))

    def _standardised(
        self, state: TrainState, members: Members, statistics: Statistics, member: np.ndarray
    ) -> TrainState:
        """Untrained models with the means and deviations of their own members, noise on them."""
        real = len(member)
        if self._contributions is None:
            features, some = self.dataset.features, 1024
            parts = [features[first : first + some] for first in range(0, len(features), some)]
            scaled = (np.asarray(self.trainer.scaling(part)) for part in parts)
            self._contributions = np.concatenate([statistics.contributions(part) for part in scaled])
            if self._whole is not None:
                assert self.dataset.groups is not None
                self._contributions = means_of_groups(self._contributions, self.dataset.groups)
        member = member if self._whole is None else member[:, self._whole]
        sums = np.asarray(member, np.float64) @ self._contributions
        ids, inputs = np.asarray(members.model_id)[:real], members.private
        assert inputs is not None
        noise = np.concatenate([statistics.noise(key, [id]) for key, id in zip(inputs.key, ids, strict=False)])
        mean, deviation = statistics.read(sums + noise, member.sum(1))
        rows = np.minimum(np.arange(len(members.model_id)), real - 1)
        model_state = self.placement.split(
            {"mean": mean[rows].astype(np.float32), "deviation": deviation[rows].astype(np.float32)}
        )
        best = None if state.best is None else state.best._replace(model_state=jax.tree.map(jnp.copy, model_state))
        return state._replace(model_state=model_state, best=best)

    def _nothing_seen(self, size: int) -> Partial:
        empty = lambda a: np.zeros(a.shape, a.dtype)  # noqa: E731
        return self.placement.split(jax.tree.map(empty, self._abstract_seen(size)))

    def advance(self, group: Group, until: int, steps: int = 0) -> None:
        """Trains the group up to ``steps`` stages after epoch ``until``; the old state's buffers are given up.

        An epoch has ``stages_per_epoch``: its steps and then, under early stopping, the blocks of the validation part.
        """
        length = self.stages_per_epoch
        bounds = np.int32(group.epoch * length + group.step), np.int32(until * length + steps)
        shared = (self.data, *self.placement.share(bounds))
        model = (group.state, group.history, group.so_far)
        group.state, group.history, group.so_far = self._advance(model, group.members, shared)
        group.epoch, group.step = divmod(int(bounds[1]), length)

    def steps_done(self, group: Group) -> int:
        """Stages that the group has been through, over all epochs."""
        return group.epoch * self.stages_per_epoch + group.step

    def next_cut(self, group: Group, steps: int, one_epoch: bool) -> tuple[int, int]:
        """Where a call of about ``steps`` stages should end, as ``advance`` takes it.

        At the end of an epoch if it can, where nothing is drawn twice; of the one under way if ``one_epoch``.
        """
        length, last = self.stages_per_epoch, self.trainer.recipe.epochs
        if group.step + steps < length:
            return group.epoch, group.step + steps
        return min(last, group.epoch + (1 if one_epoch else (group.step + steps) // length)), 0

    def calls(self, group: Group, seconds: float, one_epoch: bool = False) -> Iterator[tuple[int, float]]:
        """Trains the group to its last epoch in calls of about ``seconds``; after each, its stages and its seconds.

        The first call is one stage, and none is shorter. ``one_epoch``: no call goes past the end of an epoch.
        """
        stages = 1
        while group.epoch < self.trainer.recipe.epochs:
            begin, first = time.perf_counter(), self.steps_done(group)
            self.advance(group, *self.next_cut(group, stages, one_epoch))
            jax.block_until_ready(group.state)
            took, ran = time.perf_counter() - begin, self.steps_done(group) - first
            yield ran, took
            stages = max(1, int(ran / took * seconds))

    def stopped(self, group: Group) -> bool:
        """Whether early stopping has ended the training of every model of the group."""
        best = group.state.best
        return best is not None and bool((np.asarray(best.waited) >= self.trainer.recipe.early_stopping).all())

    def compile(self, width: int) -> None:
        """Compiles ``init`` and ``advance`` for groups of ``width`` models without running them."""
        members = self._abstract_members(width)
        self._init.compile((), members, ())
        state, history = jax.eval_shape(jax.vmap(self.trainer.init), members)
        bound = jax.ShapeDtypeStruct((), jnp.int32)
        self._advance.compile((state, history, self._abstract_seen(width)), members, (self.data, bound, bound))

    def _abstract_seen(self, size: int) -> Partial:
        seen = jax.ShapeDtypeStruct((size, self.trainer.steps_per_epoch), jnp.float32)
        validation = jax.ShapeDtypeStruct((size, *self._blocks), jnp.float32) if self._blocks[0] else None
        return Partial(seen, seen, validation)

    def snapshot(self, group: Group) -> Snapshot:
        """The group's real models on the host."""
        state, history = jax.tree.map(lambda a: np.asarray(a)[: group.size], (group.state, group.history))
        return Snapshot(state, history, np.asarray(group.epoch, np.int32))

    def abstract_snapshot(self, size: int) -> Snapshot:
        """Shapes and dtypes of a snapshot of ``size`` models; a checkpoint is restored into it."""
        state, history = jax.eval_shape(jax.vmap(self.trainer.init), self._abstract_members(size))
        return Snapshot(state, history, jax.ShapeDtypeStruct((), np.int32))

    def within_epoch(self, group: Group) -> WithinEpoch:
        """What a checkpoint needs besides the snapshot of a group in the midst of an epoch."""
        return WithinEpoch(
            jax.tree.map(lambda a: np.asarray(a)[: group.size], group.so_far), np.asarray(group.step, np.int32)
        )

    def abstract_within_epoch(self, size: int) -> WithinEpoch:
        """Shapes and dtypes of ``within_epoch``."""
        return WithinEpoch(self._abstract_seen(size), jax.ShapeDtypeStruct((), np.int32))

    def abstract_within_steps(self, size: int) -> WithinEpoch:
        """The same of earlier versions, whose epochs were never left amid their validation."""
        within = self.abstract_within_epoch(size)
        return within._replace(so_far=within.so_far._replace(validation=None))

    def resume(
        self,
        model_ids: np.ndarray,
        member: np.ndarray,
        snapshot: Snapshot,
        width: int | None = None,
        within: WithinEpoch | None = None,
    ) -> Group:
        """Models as a snapshot left them, and ``within`` an epoch where one was under way."""
        members = self._padded(model_ids, member, width)
        rows = np.minimum(np.arange(len(members.model_id)), len(model_ids) - 1)
        pad: Any = lambda tree: self.placement.split(jax.tree.map(lambda a: np.asarray(a)[rows], tree))  # noqa: E731
        so_far = self._nothing_seen(len(rows))
        if within is not None:
            so_far = pad(within.so_far)._replace(
                validation=so_far.validation if within.so_far.validation is None else pad(within.so_far.validation)
            )
        step = 0 if within is None else int(within.step)
        state, history = pad(snapshot.state), pad(snapshot.history)
        return Group(np.asarray(model_ids), members, state, history, so_far, int(snapshot.epoch), step)
