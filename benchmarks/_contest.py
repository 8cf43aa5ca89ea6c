"""Contenders in processes of their own, run in turn: what one leaves behind (threads, caches) is not the next one's."""

import contextlib
import dataclasses
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

import numpy as np


class Outcome(NamedTuple):
    """What a finished training left, by model: ``loss, member_accuracy, other_accuracy float64[M]``."""

    loss: np.ndarray
    member_accuracy: np.ndarray
    other_accuracy: np.ndarray


class Job(Protocol):
    """Work that is timed. Whatever is compiled is compiled when the job is made."""

    compile_seconds: float
    facts: Mapping[str, int]
    """what all sides must have in common: parameters, steps of a whole training, …"""

    def run(self) -> int:
        """Does the work once, to its end, and says how many units it was."""
        ...

    def outcome(self) -> Outcome | None:
        """Of the last run."""
        ...


@dataclasses.dataclass(frozen=True)
class Contender:
    """A job by name.

    Attributes:
      name: in tables.
      make: ``make(**options)`` is the job; a module's function, since it is called in another process.
      options: its arguments.
      threads: for OpenMP and BLAS of each process; None leaves it to the libraries.
      processes: how many copies run side by side.
    """

    name: str
    make: Callable[..., Job]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    threads: int | None = 1
    processes: int = 1


class ContenderFailed(Exception):
    """A contender's process ended, or a library raised in it."""


class Running:
    """A contender whose processes are up and warm; ``measure`` times it, ``close`` ends it."""

    def __init__(self, contender: Contender, least_seconds: float):
        self.name = contender.name
        context = multiprocessing.get_context("spawn")  # a fork would copy the thread pools' locks
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        for _ in range(contender.processes):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(contender, there))
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)
        ready = [self._answer(pipe) for pipe in self._pipes]
        self.compile_seconds: float = max(seconds for seconds, _, _ in ready)
        self.facts: Mapping[str, int] = ready[0][1]
        self.device_bytes: int = ready[0][2]
        self._times = 1
        begin = time.perf_counter()
        self.measure()
        self._times = max(1, math.ceil(least_seconds / (time.perf_counter() - begin)))

    def measure(self) -> float:
        """Units a second, all processes together, from the common start to the last one's end."""
        begin = time.perf_counter()
        for pipe in self._pipes:
            pipe.send(("run", self._times))
        units = sum(self._answer(pipe) for pipe in self._pipes)
        return units / (time.perf_counter() - begin)

    def outcome(self) -> Outcome | None:
        """Of the last run of the first process."""
        self._pipes[0].send(("outcome", None))
        return self._answer(self._pipes[0])

    def close(self) -> None:
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.send(("stop", None))
            pipe.close()
        for process in self._processes:
            process.join(10)
            if process.is_alive():  # in the middle of something long, and nobody waits for it any more
                process.terminate()

    def _answer(self, pipe: Connection) -> Any:
        try:
            answer = pipe.recv()
        except EOFError:
            raise ContenderFailed(f"{self.name}: its process ended") from None
        if isinstance(answer, str):
            raise ContenderFailed(f"{self.name}: {answer}")
        return answer


@contextlib.contextmanager
def running(contender: Contender, least_seconds: float):
    """A ``Running`` that is closed in the end."""
    run = Running(contender, least_seconds)
    try:
        yield run
    finally:
        run.close()


def alternate(contenders: Sequence[Running], repeats: int) -> dict[str, list[float]]:
    """Measures all in turn, ``repeats`` rounds; every other round backwards, so that no one always follows the same."""
    rates: dict[str, list[float]] = {run.name: [] for run in contenders}
    for round_ in range(repeats):
        for run in contenders if round_ % 2 == 0 else reversed(contenders):
            rates[run.name].append(run.measure())
    return rates


def _serve(contender: Contender, pipe: Connection) -> None:
    if contender.threads is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(contender.threads)
    try:
        job = contender.make(**contender.options)
        pipe.send((job.compile_seconds, job.facts, getattr(job, "device_bytes", 0)))  # not all jobs know
        while True:
            command, argument = pipe.recv()
            if command == "run":
                pipe.send(sum(job.run() for _ in range(argument)))
            elif command == "outcome":
                pipe.send(job.outcome())
            else:
                return
    except EOFError:
        return
    except Exception as error:  # whatever a library raises is this contender's result
        pipe.send(f"{type(error).__name__}: {error}")
