"""Estimators on a cluster: each model is a task of Ray's; groups are gathered and stored by this process."""

import collections
import dataclasses
import functools
import importlib.metadata
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from miajax.campaign.cluster.connection import Connection
from miajax.campaign.cluster.crew import LOST
from miajax.campaign.config import Setup
from miajax.campaign.estimators import ONE_THREAD, EstimatorRunner, plan_of
from miajax.campaign.progress import Reporter
from miajax.errors import UserError
from miajax.estimators.worker import Job, Trained, train
from miajax.runs.folder import RunFolder
from miajax.training.devices import instruction_set
from miajax.training.plan import ExecutionPlan

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0  # between two looks at how many machines there are
_DEATHS = 5  # of processes over one model, before it counts as failed
_LATER = {"pool": "", "labels": ""}  # files of a job on one machine; a cluster gets the arrays themselves
_DIED = f"{_DEATHS} processes that trained it were killed, or died, perhaps for want of memory"


@dataclasses.dataclass(frozen=True)
class _Answer:
    """A model, and what its bits depend on where it was trained."""

    model: Trained
    instruction_set: str
    packages: str


def _train(job: Job, arrays: Mapping[str, np.ndarray], code: bytes | None, packages: str) -> _Answer:
    """Runs on a machine of the cluster; the Python file of the user's own comes along as ``code``."""
    if code is not None:
        file, _, name = job.reference.rpartition(":")
        with tempfile.TemporaryDirectory(prefix="miajax-") as own:
            copy = Path(own) / Path(file).name
            copy.write_bytes(code)
            trained = train(dataclasses.replace(job, reference=f"{copy}:{name}", **arrays))
    else:
        trained = train(dataclasses.replace(job, **arrays))
    names = [each.rpartition(" ")[0] for each in packages.split(", ")]
    here = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names if name)
    return _Answer(trained, instruction_set(), here)


class ClusterEstimatorRunner(EstimatorRunner):
    """A campaign of estimators that machines of a cluster train."""

    def __init__(self, setup: Setup, path: Path, reporter: Reporter, connection: Connection):
        self._connection = connection
        self._other_bits: set[str] = set()
        self._task: Any = None
        super().__init__(setup, path, reporter)

    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        return self._folder_for(self._own_plan(path), path, facts)

    def _own_plan(self, path: Path) -> ExecutionPlan:
        """How the cluster executes them; a folder that is there already needs none for what it says."""
        if (path / "manifest.json").is_file():
            return plan_of(self.setup, self._estimator)
        return plan_of(self.setup, self._estimator, max(1, self._places()))

    def _places(self) -> int:
        """Models that the cluster trains at a time."""
        cpus = self._connection.flags.cpus_per_task or 1
        return sum(node.cpus // cpus for node in self._connection.nodes())

    def _execution(self) -> str:
        return f"tasks of the cluster ({self._connection.flags.cluster}), one thread each ({self.plan.packages})"

    @functools.cached_property
    def _shared(self) -> Any:
        """What every machine reads, in Ray's memory."""
        return self._connection.ray.put(self._arrays())

    @functools.cached_property
    def _code(self) -> bytes | None:
        reference = self._estimator.reference
        return Path(reference.rpartition(":")[0]).expanduser().read_bytes() if ".py:" in reference else None

    def _begun_task(self, model: int) -> Any:
        if self._task is None:
            gpus, cpus = self._connection.flags.gpus_per_task or 0, self._connection.flags.cpus_per_task or 1
            self._task = self._connection.ray.remote(_train).options(
                num_cpus=cpus, num_gpus=gpus, max_retries=0, runtime_env={"env_vars": ONE_THREAD},
            )  # fmt: skip
        return self._task.remote(self._job(model, _LATER), self._shared, self._code, self.plan.packages)

    def _each(self, models: Sequence[int], stop: Callable[[], bool]) -> Generator[Trained, None, None]:
        """Models as they finish; ends early when asked to stop. One whose process or machine died is trained again."""
        ray = self._connection.ray
        todo, at_work = collections.deque(models), dict[Any, int]()
        deaths: collections.Counter[int] = collections.Counter()
        died = tuple(getattr(ray.exceptions, name) for name in LOST)
        width, looked = 1, float("-inf")
        try:
            while (todo or at_work) and not stop():
                if time.monotonic() - looked > _LOOK_SECONDS:
                    places, looked = self._places(), time.monotonic()
                    if not places and width:
                        self.reporter.say("waiting: no machine of the cluster has a core for a model")
                    width = 2 * places
                while todo and len(at_work) < width:
                    model = todo.popleft()
                    at_work[self._begun_task(model)] = model
                if not at_work:
                    time.sleep(_POLL_SECONDS)
                    continue
                for done in ray.wait([*at_work], num_returns=1, timeout=_POLL_SECONDS)[0]:
                    model = at_work.pop(done)
                    try:
                        found = ray.get(done)
                    except died:
                        deaths[model] += 1
                        self.reporter.say(f"a process that trained model {model} is gone; it is trained elsewhere")
                        if deaths[model] < _DEATHS:
                            todo.appendleft(model)
                        else:
                            yield Trained(model, failure=_DIED)
                        continue
                    except ray.exceptions.RayError as error:
                        last = str(error).strip().splitlines()[-1][:200]
                        raise UserError(
                            f"model {model} cannot be trained on the cluster ({last})",
                            expected="miajax and the estimator's package on its machines, as here",
                        ) from None
                    self._compare(found)
                    yield found.model
        finally:
            for task in at_work:
                ray.cancel(task, force=True)

    def _compare(self, found: _Answer) -> None:
        """Notes a machine whose bits may differ from those of the run."""
        if (found.instruction_set, found.packages) == (self.plan.instruction_set, self.plan.packages):
            return
        there = f"{found.instruction_set}, {found.packages}"
        if there not in self._other_bits:
            self._other_bits.add(there)
            note = (
                "Some models were trained on a machine of the cluster with other software or another processor "
                f"({there}; here {self.plan.instruction_set}, {self.plan.packages}); their bits may differ."
            )
            self.notes.append(note)
            self.reporter.say(f"warning: {note}")
