"""The connection to a Ray cluster: made quietly when it is first needed, its machines as they come and go."""

import contextlib
import dataclasses
import functools
import importlib
import logging
import os
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from miajax.campaign.cluster.flags import ClusterFlags
from miajax.errors import UserError
from miajax.parsing import reason
from miajax.training.devices import usable_cores

if TYPE_CHECKING:
    from miajax.campaign.cluster.crew import Crew

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray reports home otherwise
    "RAY_SCHEDULER_EVENTS": "0",  # of workers that wait for a machine: said here in our words
    "RAY_worker_niceness": "0",  # of a cluster that this command starts: Ray's workers give way to all others otherwise
}
_LONGEST = 20  # characters of the folder for temporary files that leave room for the names of Ray's sockets


@dataclasses.dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
      id: Ray's.
      name: for people.
      cpus, gpus: that Ray may give away, whoever has them at the moment.
    """

    id: str
    name: str
    cpus: int
    gpus: int


class Connection:
    """To a Ray cluster, for the length of a command.

    Args:
      flags: which one, and how large its workers are.

    Attributes:
      crew: workers of networks, once there are some; they stay from one campaign to the next.
    """

    def __init__(self, flags: ClusterFlags):
        self.flags = flags
        self.crew: Crew | None = None
        self._joined = False
        self._place: str | None = None  # Ray's sockets and logs, where the cluster is our own

    @functools.cached_property
    def ray(self) -> Any:
        """The module ``ray``, connected.

        Raises:
          UserError: there is no cluster, or this machine is no node of it.
        """
        os.environ.update(_ENVIRONMENT)
        ray: Any = importlib.import_module("ray")
        logging.getLogger("ray").setLevel(logging.ERROR)
        own: dict[str, Any] = {"address": "local", "num_cpus": usable_cores(), "include_dashboard": False}
        if self.flags.cluster == "local" and len(tempfile.gettempdir()) < _LONGEST:
            own["_temp_dir"] = self._place = tempfile.mkdtemp(prefix="miajax-ray-")
        asked = own if self.flags.cluster == "local" else {"address": self.flags.cluster}
        if ray.is_initialized():  # the caller's own connection, which stays his
            return ray
        try:
            with _own_signals(), _deaf(), warnings.catch_warnings():
                # JAX warns of forks; Ray's are followed by another program at once.
                warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
                ray.init(**asked, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except Exception as error:  # Ray raises many kinds for one thing: nobody is there
            raise UserError(
                f"--cluster {self.flags.cluster} cannot be joined ({reason(error)[:200]})",
                expected="a running Ray cluster of which this machine is a node",
                remedy="Make it one with: ray start --address HOST:PORT --num-cpus 0, or take --cluster local",
            ) from None
        self._joined = True
        return ray

    def nodes(self) -> list[Node]:
        """The machines that are there now."""
        found: list[dict[str, Any]] = self.ray.nodes()
        return [
            Node(
                each["NodeID"], each["NodeManagerHostname"] or each["NodeManagerAddress"],
                int(each["Resources"].get("CPU", 0)), int(each["Resources"].get("GPU", 0)),
            )
            for each in found if each["Alive"]
        ]  # fmt: skip

    def pinned_to(self, node: Node) -> Any:
        """Ray's word for a worker that runs on one machine, or not at all."""
        strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
        return strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)

    @functools.cached_property
    def gpus_per_task(self) -> float:
        """As it was asked for, or as the machines that are there have some."""
        asked = self.flags.gpus_per_task
        return asked if asked is not None else float(any(node.gpus for node in self.nodes()))

    def close(self) -> None:
        """Leaves the cluster, and ends one that was this command's own."""
        if self._joined:
            with _own_signals():
                self.ray.shutdown()
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)


@contextlib.contextmanager
def _deaf() -> Generator[None]:
    """Ray prints a paragraph to standard output for every worker that dies, which no setting turns off."""
    inner: Any = importlib.import_module("ray._private.worker")
    listens = getattr(inner, "listen_error_messages", None)

    def silent(*_: Any) -> None:
        """What a death means for a run is said in our words."""

    if listens is not None:
        inner.listen_error_messages = silent
    try:
        yield
    finally:
        if listens is not None:
            inner.listen_error_messages = listens


@contextlib.contextmanager
def _own_signals() -> Generator[None]:
    """Ray sets a handler of SIGTERM of its own, which would end a command without saving."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
