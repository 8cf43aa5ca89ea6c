"""Groups of networks on the devices of one process: compiled once, trained or gone on with, recorded, queried.

Whoever trains here says what becomes of a group: `campaign.run` stores it in the run folder of this machine, a worker
of a cluster (`campaign.cluster.worker`) hands it back.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Bool

from miajax.campaign.config import Setup
from miajax.campaign.epochs import Records
from miajax.campaign.failures import DoesNotFit, TooLarge, nothing_of
from miajax.campaign.gathered import Timing
from miajax.campaign.interrupt import Stopped
from miajax.campaign.made import group_record
from miajax.campaign.programs import Finished, Programs
from miajax.campaign.storing import arrays_of
from miajax.runs.integrity import array_hash
from miajax.runs.unfinished import Progress
from miajax.training.devices import free_memory
from miajax.training.ensemble import Group
from miajax.training.parallel import CALL_SECONDS
from miajax.training.plan import ExecutionPlan

STEP_SECONDS = 5.0
"""How long one step of a whole group may take, which no call can be shorter than."""


class TooSlow(TooLarge):
    """A step of a group takes so many seconds that Ctrl-C and SIGTERM would wait for it."""

    def __init__(self, models: int, seconds: float):
        super().__init__(models, seconds)
        self.models, self.seconds = models, seconds

    def smaller(self, unit: int) -> int:
        """The largest group of whole units whose steps are short enough."""
        return max(unit, int(self.models * STEP_SECONDS / self.seconds) // unit * unit)


@runtime_checkable
class Watch(Protocol):
    """Who asked for a group, and hears of it while it trains."""

    def seen(self, share: float, loss: float, accuracy: float) -> None:
        """``share`` of the group's training is done; loss and accuracy of those of its models that did not diverge."""

    def save(self, state: Any, seconds: float) -> None:
        """Keeps the state that training can go on from, and the seconds that it has taken."""

    def stop(self) -> bool:
        """Whether to end; the state is saved first."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class StoredGroup:
    """What is stored of a group: arguments of ``RunFolder.save_group``.

    Attributes:
      arrays: small arrays.
      beside: large ones.
      parameters: a pytree ``[G, ...]``, or None.
      facts: JSON of the group's own record.
    """

    arrays: dict[str, np.ndarray]
    beside: dict[str, np.ndarray]
    parameters: Any
    facts: dict[str, Any]


class GroupTrainer:
    """Trains groups of one campaign, and keeps what is compiled for them.

    Args:
      setup: the campaign.
      plan: how it is executed here.
      keep: kinds of large files to keep.
      noise_key: gives ``uint32[2]`` that the noise of private models is drawn from, else None.
      device: what this machine is called in records.

    Attributes:
      timing: seconds spent here so far.
    """

    def __init__(
        self,
        setup: Setup,
        plan: ExecutionPlan,
        keep: tuple[str, ...],
        noise_key: Callable[[], np.ndarray | None],
        device: str,
    ):
        self.setup, self.plan, self.keep, self.device = setup, plan, keep, device
        self.timing = Timing()
        self.programs: Programs | None = None
        self._noise_key = noise_key
        self._judged = False  # whether a step's time has been looked at
        self._compiled = 0.0  # seconds of compiling that finished groups account for

    def forget(self) -> None:
        """Gives up what is compiled: the next group is of another width."""
        self.programs = None

    def programs_for(self, models: int) -> Programs:
        """Programs for groups of so many models, or of more.

        Raises:
          DoesNotFit: the compiler says that they need more memory than there is.
        """
        unit = self.plan.placement().width
        width = -(-models // unit) * unit
        if self.programs is None or self.programs.width < width:
            begin = time.perf_counter()
            self.programs = Programs(self.setup, self.plan, width, self.keep, self._noise_key())
            self.timing.compile_s += time.perf_counter() - begin
            need, free = self.programs.device_bytes(), free_memory(jax.local_devices()[0])
            if need > free:
                self.programs = None
                raise DoesNotFit(need, free)
        return self.programs

    def forms(self, size: int, width: int) -> tuple[Any, ...]:
        """Pytrees of ShapeDtypeStructs that the saved state of ``size`` models may have, as ``load_progress`` takes."""
        programs = self.programs_for(width)
        ensemble, records = programs.ensemble, programs.epochs.empty(size)
        recorded = {name: jax.ShapeDtypeStruct(a.shape, a.dtype) for name, a in records.items()}
        whole = (ensemble.abstract_snapshot(size), recorded)
        within = [(*whole, ensemble.abstract_within_epoch(size))]
        if self.setup.config.recipe.early_stopping:
            within.append((*whole, ensemble.abstract_within_steps(size)))
        return (whole, *within)

    def train(
        self, models: range, member: Bool[np.ndarray, "models examples"], width: int, progress: Progress, watch: Watch
    ) -> StoredGroup:
        """Trains and queries a group.

        Args:
          models: its ids.
          member: its rows of the membership.
          width: models of the programs; groups of different sizes share one.
          progress: where it goes on from.
          watch: hears of it.

        Raises:
          Stopped: ``watch`` said so.
          TooLarge, jax.errors.JaxRuntimeError: it cannot be trained as it is.
        """
        programs = self.programs_for(width)
        ensemble, config = programs.ensemble, self.setup.config
        ids, epochs, before = np.arange(models.start, models.stop), config.recipe.epochs, progress.seconds
        begin = stored = time.perf_counter()
        if progress.tree is not None:
            group = ensemble.resume(ids, member, progress.tree[0], programs.width, *progress.tree[2:])
            records = jax.tree.map(np.array, progress.tree[1])
        else:
            group = ensemble.start(ids, member, programs.width)
            records = programs.epochs.empty(len(ids))

        def save() -> None:
            within = (ensemble.within_epoch(group),) if group.step else ()
            watch.save((ensemble.snapshot(group), records, *within), before + time.perf_counter() - begin)

        def give_way() -> None:
            if watch.stop():
                save()
                raise Stopped

        training = 0.0
        if records and group.epoch and not group.step:  # its records may be what was interrupted
            programs.epochs.record(group, records, give_way)
        for stages, took in ensemble.calls(group, CALL_SECONDS, one_epoch=bool(records)):
            watch.seen(*_seen(group, ensemble.stages_per_epoch, epochs))
            training += took
            self._cut_if_slow(stages, took, programs.width, begun=progress.tree is not None)
            if records and not group.step:
                programs.epochs.record(group, records, give_way)
            overdue = time.perf_counter() - stored >= 60 * config.checkpoint_minutes
            if group.epoch < epochs:
                give_way()
                if overdue:
                    save()
                    stored = time.perf_counter()
            if not group.step and ensemble.stopped(group):
                break
        train_s = time.perf_counter() - begin
        self.timing.train_s += train_s
        asked = time.perf_counter()
        finished = programs.finish(group, give_way)
        query_s = time.perf_counter() - asked
        self.timing.query_s += query_s
        compile_s, self._compiled = self.timing.compile_s - self._compiled, self.timing.compile_s
        facts = {
            **self._about(member),
            "training_s": training if progress.tree is None else None,  # unknown where it was resumed
            "made": group_record(self.device, compile_s=compile_s, train_s=before + train_s, query_s=query_s),
        }
        return self._as_stored(finished, records, facts)

    def given_up(self, models: range, member: Bool[np.ndarray, "models examples"], why: str) -> StoredGroup:
        """What is stored of a group whose models count as failed, of the width compiled last."""
        assert self.programs is not None
        finished, records = nothing_of(self.setup, self.programs, models, self.keep)
        facts = {
            **self._about(member),
            "training_s": None,
            "made": group_record(self.device, compile_s=0.0, train_s=0.0, query_s=0.0),
            "failures": {str(model): why for model in models},
        }
        return self._as_stored(finished, records, facts)

    def _about(self, member: Bool[np.ndarray, "models examples"]) -> dict[str, Any]:
        return {"plan": dataclasses.asdict(self.plan), "membership_sha256": array_hash(member)}

    def _as_stored(self, finished: Finished, records: Records, facts: dict[str, Any]) -> StoredGroup:
        parameters = self.setup.trainer.evaluated(finished.snapshot.state) if "parameters" in self.keep else None
        return StoredGroup(*arrays_of(finished, records), parameters, facts)

    def _cut_if_slow(self, steps: int, seconds: float, width: int, begun: bool) -> None:
        """Gives up the first step of a group too large to be interrupted, unless its size was asked for.

        Nothing else is lost: a group that was ``begun`` by another process stays what it is.
        """
        judged, self._judged = self._judged, True
        slow = steps == 1 and seconds > 2 * STEP_SECONDS
        smaller = width > self.plan.placement().width
        if slow and smaller and not (judged or begun) and self.setup.config.group is None:
            raise TooSlow(width, seconds)


def _seen(group: Group, stages: int, epochs: int) -> tuple[float, float, float]:
    """Share of its training that a group has been through, and loss and accuracy of its sound models."""
    if group.step:
        seen = (group.so_far.loss, group.so_far.hit)
        loss, accuracy = (np.asarray(a)[: group.size, : group.step].mean(1) for a in seen)
    else:
        seen = (group.history.loss, group.history.accuracy)
        loss, accuracy = (np.asarray(a)[: group.size, group.epoch - 1] for a in seen)
    good = np.isfinite(loss)
    share = (group.epoch + group.step / stages) / epochs
    if not good.any():
        return share, float("nan"), 0.0
    return share, float(loss[good].mean()), float(accuracy[good].mean())
