"""What runs on a machine of the cluster: a process that trains one group of networks after another and hands them back.

It writes nothing to a disk that others read: answers and saved states go back to the process that asked.
"""

import dataclasses
import os
import socket
import threading
from typing import Any, Literal

import jax
import numpy as np

import miajax
from miajax import compat
from miajax.campaign.config import Setup
from miajax.campaign.failures import TooLarge, exhausts_memory
from miajax.campaign.gathered import Timing
from miajax.campaign.group_trainer import GroupTrainer, StoredGroup, TooSlow
from miajax.campaign.interrupt import Stopped
from miajax.campaign.planning import new_plan, on_this_machine
from miajax.errors import UserError
from miajax.parsing import reason
from miajax.runs.unfinished import Progress
from miajax.training.devices import machine_name, use_compilation_cache
from miajax.training.plan import ExecutionPlan

_NEWS_SECONDS = 0.5  # that a question waits for something new
_PREALLOCATED = 0.75  # of a GPU, as JAX takes it where it is alone


@dataclasses.dataclass(frozen=True)
class About:
    """A worker.

    Attributes:
      device: its machine's name, for people.
      host: its machine in the network.
      version: of miajax.
      process: its id there.
    """

    device: str
    host: str
    version: str
    process: int


@dataclasses.dataclass(frozen=True)
class Job:
    """A campaign, as workers get it.

    Attributes:
      setup: its configuration and data.
      keep: kinds of large files to keep.
      plan: of the run.
      noise_key: ``uint32[2]`` that the noise of private models is drawn from, else None.
    """

    setup: Setup
    keep: tuple[str, ...]
    plan: ExecutionPlan
    noise_key: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False)
class News:
    """How far a worker is with its group: as ``Watch.seen``, and a state to save since it was asked last."""

    share: float = 0.0
    loss: float = float("nan")
    accuracy: float = 0.0
    state: Any = None
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a group.

    Attributes:
      what: stored: it is finished, as ``group``. stopped: it was asked to end, with ``state``. too_large: a smaller one
        may succeed, of ``size`` where that is known. failed: it cannot be trained.
      why: in words, where it failed or was too large.
      for_memory: whether memory was the reason.
    """

    what: Literal["stored", "stopped", "too_large", "failed"]
    group: StoredGroup | None = None
    state: Any = None
    seconds: float = 0.0
    why: str = ""
    for_memory: bool = False
    size: int | None = None
    timing: Timing = dataclasses.field(default_factory=Timing)


class Worker:
    """One process of a machine, with some of its devices. ``train`` runs in one thread, questions in others.

    Args:
      cpus: cores that it may use.
      gpus: GPUs, or the share of one.
      share: of its machine's memory.
    """

    def __init__(self, cpus: int, gpus: float, share: float):
        if gpus:
            os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", str(_PREALLOCATED * min(1.0, gpus)))
        else:
            config: Any = jax.config
            config.update("jax_platforms", "cpu")
            compat.set_cpu_device_count(max(1, cpus))
        use_compilation_cache()
        self._share = share if not gpus else 1.0  # a GPU's free memory is what the process was given
        self._told = threading.Condition()
        self._news, self._fresh, self._stopping = News(), False, False
        self._job: Job | None = None
        self._trainer: GroupTrainer | None = None

    def about(self) -> About:
        """Who it is."""
        return About(machine_name(jax.local_devices()[0]), socket.gethostname(), miajax.__version__, os.getpid())

    def plan(self, setup: Setup) -> tuple[ExecutionPlan, list[dict[str, Any]], list[str]]:
        """As ``new_plan``, and what it said."""
        said: list[str] = []
        return *new_plan(setup, said.append), said

    def take(self, job: Job) -> ExecutionPlan:
        """Takes a campaign up, instead of the one before; returns how this worker executes it."""
        self._trainer, self._stopping = None, False
        plan = on_this_machine(job.setup, job.plan, own_group=True)
        unit = plan.placement().width
        if job.setup.config.group is None:
            plan = dataclasses.replace(plan, group=max(unit, int(plan.group * self._share) // unit * unit))
        self._job = job
        self._trainer = GroupTrainer(job.setup, plan, job.keep, lambda: job.noise_key, self.about().device)
        return plan

    def forms(self, size: int, width: int) -> tuple[Any, ...] | None:
        """As ``GroupTrainer.forms``; None where nothing of that width can be compiled, which ``train`` tells of."""
        assert self._trainer is not None
        try:
            return self._trainer.forms(size, width)
        except (jax.errors.JaxRuntimeError, TooLarge):
            return None

    def train(self, models: range, member: np.ndarray, width: int, progress: Progress) -> Outcome:
        """Trains and queries a group, as ``GroupTrainer.train``; whatever becomes of it is told, not raised.

        Raises:
          UserError: what would end a run on one machine as well.
        """
        assert self._trainer is not None
        trainer = self._trainer
        before = dataclasses.replace(trainer.timing)
        with self._told:
            self._news, self._fresh = News(), False
        unit = trainer.plan.placement().width
        try:
            found = Outcome("stored", trainer.train(models, member, width, progress, self))
        except Stopped:
            found = Outcome("stopped", state=self._news.state, seconds=self._news.seconds)
        except TooSlow as error:
            trainer.forget()
            found = Outcome("too_large", why=f"a step takes {error.seconds:.0f} seconds", size=error.smaller(unit))
        except (jax.errors.JaxRuntimeError, TooLarge) as error:
            memory = exhausts_memory(error)
            smaller = memory and width > unit
            if smaller:
                trainer.forget()
            found = Outcome(
                "too_large" if smaller else "failed",
                why=reason(error),
                for_memory=memory,
                size=max(unit, width // 2 // unit * unit) if smaller else None,
            )
        spent = {part: getattr(trainer.timing, part) - seconds for part, seconds in dataclasses.asdict(before).items()}
        return dataclasses.replace(found, timing=Timing(**spent))

    def given_up(self, models: range, member: np.ndarray, why: str) -> StoredGroup:
        """As ``GroupTrainer.given_up``.

        Raises:
          UserError: nothing at all can be compiled here.
        """
        assert self._trainer is not None
        try:
            self._trainer.programs_for(1)
        except (jax.errors.JaxRuntimeError, TooLarge) as error:
            raise UserError(f"models {models.start} to {models.stop - 1} fail ({why}; {reason(error)})") from None
        return self._trainer.given_up(models, member, why)

    def ask(self) -> News:
        """What is new of the group in training; waits a moment for it. A state to save is told once."""
        with self._told:
            self._told.wait_for(lambda: self._fresh, _NEWS_SECONDS)
            told, self._fresh = self._news, False
            if not self._stopping:
                self._news = dataclasses.replace(told, state=None)
            return told

    def end(self) -> None:
        """Asks the group in training to end; ``train`` returns its state."""
        with self._told:
            self._stopping = True

    # What its own training tells it (Watch).

    def seen(self, share: float, loss: float, accuracy: float) -> None:
        with self._told:
            self._news = dataclasses.replace(self._news, share=share, loss=loss, accuracy=accuracy)
            self._fresh = True
            self._told.notify_all()

    def save(self, state: Any, seconds: float) -> None:
        # What stands on the host may be the devices' own memory, which the next step takes back.
        state = jax.tree.map(np.array, state)
        with self._told:
            self._news = dataclasses.replace(self._news, state=state, seconds=seconds)

    def stop(self) -> bool:
        return self._stopping
