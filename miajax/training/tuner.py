"""Which lowering of convolutions and which chunk width are fastest here: a few real steps of each, timed."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.models.conv import LOWERINGS
from miajax.training.devices import free_memory
from miajax.training.ensemble import Ensemble
from miajax.training.plan import ExecutionPlan
from miajax.training.trainer import Members, Partial, Trainer

BUDGET_SECONDS = 50.0
_STEPS = 4  # of one timed epoch
_TIMED_SECONDS = 0.25  # of one repeat
_REPEATS = 3
_WIDEST = {"cpu": 32, "gpu": 256, "tpu": 256}


class Candidate(NamedTuple):
    """A way to execute: ``lowering`` of convolutions, ``chunk`` models under one vmap."""

    lowering: str
    chunk: int


@dataclasses.dataclass(frozen=True)
class Trial:
    """What was seen of a candidate.

    Attributes:
      lowering, chunk: the candidate.
      steps_per_second: model-steps a second on all devices, the median of its repeats; None where it did not run.
      compile_seconds: of its training program.
      left_out: why it did not run, or None.
    """

    lowering: str
    chunk: int
    steps_per_second: float | None
    compile_seconds: float
    left_out: str | None = None

    def line(self) -> str:
        """For people."""
        name = f"{self.lowering} x chunks of {self.chunk}"
        if self.steps_per_second is None:
            return f"{name}: left out, {self.left_out}"
        return f"{name}: {self.steps_per_second:,.0f} model-steps/s (compiled in {self.compile_seconds:.1f} s)"


def has_convolutions(trainer: Trainer) -> bool:
    """Whether the network convolves at all; nothing is computed."""
    if len(trainer.example_shape) != 3:
        return False
    x = jax.ShapeDtypeStruct((1, *trainer.example_shape), "float32")
    made = jax.eval_shape(trainer.model.init, jax.eval_shape(lambda: jax.random.key(0)), x)
    return "conv_general_dilated" in str(
        jax.make_jaxpr(lambda params, state, x: trainer.model.apply(params, state, x, False, None))(*made, x)
    )


def worth_tuning(trainer: Trainer, platform: str) -> bool:
    """Whether a campaign tunes without being asked: convolutions on an accelerator, where no rule of thumb is measured.

    On a CPU the plan's own rules came within 10 % of the best candidate (``benchmarks.tuner``), and a search costs more
    than it saves.
    """
    return platform != "cpu" and trainer.private is None and has_convolutions(trainer)


def candidates(
    trainer: Trainer, plan: ExecutionPlan, num_models: int, lowering: str | None = None, chunk: int | None = None
) -> list[Candidate]:
    """What is worth a trial, the plan's own choice first.

    Args:
      trainer: the training.
      plan: what would be chosen without trials.
      num_models: M; chunks wider than a device's share are no use.
      lowering, chunk: leave no choice where they are given.
    """
    share = -(-num_models // plan.num_devices)
    widest = min(_WIDEST.get(plan.platform, 64), 1 << (share - 1).bit_length())
    first = Candidate(plan.lowering, plan.chunk)
    chunks = [1 << i for i in range(widest.bit_length())]
    if chunk is not None:
        chunks = [chunk]
    elif plan.platform == "cpu":
        chunks = [c for c in chunks if plan.chunk / 4 <= c <= 4 * plan.chunk]
    else:
        chunks = [c for c in chunks if c in (1, 8, 32, 64, 256)]
    lowerings: Sequence[str] = [plan.lowering]
    if has_convolutions(trainer):
        lowerings = [n for n in LOWERINGS if n != "cpu"]
        if plan.platform == "cpu":  # XLA:CPU's own gradients are far behind: last
            lowerings = ["cpu", *(n for n in lowerings if n != "grouped"), "grouped"]
    wanted = [Candidate(n, c) for n in lowerings for c in sorted(chunks, key=lambda c: abs(c - plan.chunk))]
    # Unrolled code grows with the chunk, and alone it is the grouped lowering.
    wanted = [c for c in wanted if c.lowering != "unrolled" or 1 < c.chunk <= 8]
    wanted = [c for c in wanted if lowering in (None, c.lowering)]
    return [first, *(c for c in wanted if c != first)]


def tune(
    trainer: Trainer,
    dataset: Dataset,
    plan: ExecutionPlan,
    wanted: Sequence[Candidate],
    *,
    budget: float = BUDGET_SECONDS,
    listen: Callable[[Trial], None] = lambda trial: None,
) -> list[Trial]:
    """Times a few real steps of every candidate, best first; those that did not run come last.

    Args:
      trainer: the training, not a private one.
      dataset: its data.
      plan: devices and the rest of what is not varied.
      wanted: candidates, the most promising first.
      budget: seconds in all; what is not begun by then is left out by name.
      listen: is told every trial when it is over.

    Raises:
      UserError: none of them ran.
    """
    if trainer.private is not None:
        raise ValueError("private trainings are not tuned: their batches are sampled, not given")
    begin, longest, trials = time.perf_counter(), 0.0, []
    for candidate in wanted:
        started = time.perf_counter()
        if trials and started - begin + longest > budget:
            trial = Trial(*candidate, None, 0.0, f"the {budget:g} s for trials were over")
        else:
            best = max((t.steps_per_second or 0.0 for t in trials), default=0.0)
            trial = _trial(trainer, dataset, plan, candidate, best)
            longest = max(longest, time.perf_counter() - started)
        trials.append(trial)
        listen(trial)
    trials.sort(key=lambda t: -(t.steps_per_second or 0.0))
    if trials[0].steps_per_second is None:
        reasons = "; ".join(trial.line() for trial in trials)
        raise UserError(f"no execution plan runs on this machine: {reasons}", remedy="Lower --batch_size")
    return trials


def _trial(trainer: Trainer, dataset: Dataset, plan: ExecutionPlan, candidate: Candidate, best: float) -> Trial:
    try:
        measured = Measured(trainer, dataset, plan, candidate)
        free = free_memory(measured.placement.devices[0])
        if measured.device_bytes > free:
            needs = f"needs {measured.device_bytes / 1e9:.2f} of {free / 1e9:.2f} GB"
            return Trial(*candidate, None, measured.compile_seconds, needs)
        speed, seconds = measured.speed(epochs=1), measured.seconds
        if seconds < _TIMED_SECONDS or speed >= best / 3:  # else it is far behind, and known well enough
            measured.speed()  # of the right length, but judged by a first call, which is slower
            speed = statistics.median(measured.speed() for _ in range(_REPEATS))
        return Trial(*candidate, speed, measured.compile_seconds)
    except (jax.errors.JaxRuntimeError, NotImplementedError, ValueError, MemoryError) as error:
        # Whatever a backend says against a program is that candidate's result.
        return Trial(*candidate, None, 0.0, " ".join(str(error).split())[:200] or type(error).__name__)


class Measured:
    """A candidate's training, compiled, with epochs of a few steps: what a step costs does not depend on their number.

    One chunk runs on every device.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, plan: ExecutionPlan, candidate: Candidate):
        self.placement = dataclasses.replace(plan, chunk=candidate.chunk, lowering=candidate.lowering).placement()
        steps = min(_STEPS, trainer.steps_per_epoch)
        capacity = steps * trainer.recipe.batch_size
        # Its pass over all validation examples would drown the few steps that are timed.
        recipe = dataclasses.replace(trainer.recipe, early_stopping=0)
        self._trainer = dataclasses.replace(trainer, recipe=recipe, capacity=capacity, ragged=False)
        ensemble = Ensemble(self._trainer, dataset, self.placement)
        self._data, self._program = ensemble.data, ensemble.programs["advance"]
        self._steps = self.placement.width * steps
        rng, width = np.random.default_rng(0), self.placement.width
        ids = rng.integers(0, dataset.num_examples, (width, capacity), np.int32)
        members = Members(np.arange(width, dtype=np.int32), ids, np.full(width, capacity, np.int32))

        def small(leaf):  # an initialisation would have to be compiled as well
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                return np.zeros(leaf.shape, leaf.dtype)
            return (0.01 + 0.01 * rng.random(leaf.shape, np.float32)).astype(leaf.dtype)

        nothing = np.zeros((width, steps), np.float32)
        state = *jax.tree.map(small, jax.eval_shape(jax.vmap(self._trainer.init), members)), Partial(nothing, nothing)
        self._program.compile(state, members, (self._data, np.int32(0), np.int32(1)))
        self.compile_seconds, self.device_bytes = self._program.compile_seconds, self._program.device_bytes()
        self._members, self._state = self.placement.split(members), self.placement.split(state)
        self.seconds = 0.0  # of the last call
        self._last = 0.0

    def speed(self, epochs: int | None = None) -> float:
        """Model-steps a second of one call; of a quarter of a second by what the last one did, or of ``epochs``."""
        if epochs is None:
            if not self._last:
                self.speed(1)
            epochs = max(1, round(_TIMED_SECONDS * self._last / self._steps))
        end = epochs * self._trainer.steps_per_epoch
        shared = (self._data, *self.placement.share((np.int32(0), np.int32(end))))
        begin = time.perf_counter()
        self._state = jax.block_until_ready(self._program(self._state, self._members, shared))
        self.seconds = time.perf_counter() - begin
        self._last = self._steps * epochs / self.seconds
        return self._last
