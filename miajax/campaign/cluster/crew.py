"""The workers of a command on a cluster: as many as there is room for, new ones as machines join or workers die."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import miajax
from miajax.campaign.cluster.connection import Connection, Node
from miajax.campaign.cluster.worker import About, Worker
from miajax.errors import UserError
from miajax.parsing import reason
from miajax.training.plan import ExecutionPlan

LOST = (
    "RayActorError",
    "ActorUnschedulableError",
    "TaskUnschedulableError",
    "WorkerCrashedError",
    "NodeDiedError",
    "ObjectLostError",
    "OutOfMemoryError",
)
"""Ray's names for what a call ends with where its process or machine is gone, or what it returned."""
_LOOK_SECONDS = 1.0  # between two looks at who is there
_STARTS = 3  # of a worker that fails to start, on one machine, before that is left alone


@dataclasses.dataclass(eq=False)
class Member:
    """A worker, as this process knows it.

    Attributes:
      node: its machine.
      actor: Ray's handle.
      about: who it is; None while it starts.
      plan: how it executes the campaign that it took up last; None before.
      taking: the call under way that starts it or has it take a campaign up, else None.
    """

    node: Node
    actor: Any
    about: About | None = None
    plan: ExecutionPlan | None = None
    taking: Any = None

    @property
    def label(self) -> str:
        """For people."""
        where = self.node.name
        return where if self.about is None else f"{where} ({self.about.device})"


class Crew:
    """Workers of networks. They stay for the campaigns to come, and each takes up the campaign that is served.

    Args:
      connection: to the cluster.
      say: hears who comes and goes.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._say: Callable[[str], None] = lambda line: None
        self._job: Any = None
        self._failed_starts: dict[str, int] = {}
        self._why = ""
        self._looked = float("-inf")
        self._waits = False
        self.members: list[Member] = []
        ray = connection.ray
        self._errors: tuple[type[Exception], ...] = tuple(getattr(ray.exceptions, name) for name in LOST)
        self._class = ray.remote(Worker)

    def listen(self, say: Callable[[str], None]) -> None:
        """From now on ``say`` hears who comes and goes."""
        self._say, self._waits = say, False

    def serve(self, job: Any) -> None:
        """Has every worker, and those to come, take up a campaign: a reference to its `Job`."""
        self._job = job
        for member in self.members:
            member.plan = None

    def refresh(self) -> list[Member]:
        """Looks who is there, has workers started where there is room, and returns the members that are gone.

        Raises:
          UserError: workers fail to start wherever they are tried, or run another version of miajax.
        """
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return self._step()
        self._looked = time.monotonic()
        nodes = {node.id: node for node in self._connection.nodes()}
        gone = [member for member in self.members if member.node.id not in nodes]
        for member in gone:
            self.lose(member)
        room = 0
        for node in nodes.values():
            if self._failed_starts.get(node.id, 0) >= _STARTS:
                continue
            places = self._places(node)
            room += places
            here = sum(member.node.id == node.id for member in self.members)
            self.members += [self._started(node, places) for _ in range(places - here)]
        if not room and any(count >= _STARTS for count in self._failed_starts.values()):
            raise UserError(
                f"no worker starts on the cluster ({self._why})",
                expected=f"miajax {miajax.__version__} on its machines",
            )
        if not room and not self._waits:
            self._waits = True
            self._say(f"waiting: no machine of the cluster has {self._asked()}")
        return gone + self._step()

    def _asked(self) -> str:
        gpus, cpus = self._connection.gpus_per_task, self._connection.flags.cpus_per_task
        return f"{gpus:g} GPUs" if gpus else f"{cpus or 1} CPU cores"

    def _cpus(self, node: Node) -> int:
        flags = self._connection.flags
        return flags.cpus_per_task or (min(1, node.cpus) if self._connection.gpus_per_task else node.cpus)

    def _places(self, node: Node) -> int:
        gpus, cpus = self._connection.gpus_per_task, self._cpus(node)
        by_cpus = node.cpus // cpus if cpus else None
        if not gpus:
            return by_cpus or 0
        by_gpus = int(node.gpus // gpus) if gpus >= 1 else node.gpus * int(1 / gpus + 1e-9)
        return by_gpus if by_cpus is None else min(by_gpus, by_cpus)

    def _started(self, node: Node, places: int) -> Member:
        cpus, gpus = self._cpus(node), self._connection.gpus_per_task
        options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_concurrency": 4,
            "max_restarts": 0,
            "scheduling_strategy": self._connection.pinned_to(node),
        }
        actor = self._class.options(**options).remote(cpus, gpus, 1 / places)
        member = Member(node, actor)
        member.taking = actor.about.remote()
        return member

    def _step(self) -> list[Member]:
        """Goes on with those that start or take the campaign up; returns those that died over it."""
        ray, gone = self._connection.ray, list[Member]()
        for member in [*self.members]:
            if member.taking is None:
                if member.plan is None and self._job is not None:
                    member.taking = member.actor.take.remote(self._job)
                continue
            if not ray.wait([member.taking], timeout=0)[0]:
                continue
            try:
                found = self.get(member.taking)
            except self._errors as error:
                gone.append(member)
                self.lose(member)
                if member.about is None:
                    self._failed_starts[member.node.id] = self._failed_starts.get(member.node.id, 0) + 1
                    self._why = reason(error)
                continue
            member.taking = None
            if isinstance(found, About):
                if found.version != miajax.__version__:
                    raise UserError(
                        f"{member.node.name} of the cluster has miajax {found.version}",
                        expected=f"{miajax.__version__}, as here",
                    )
                member.about = found
                self._failed_starts.pop(member.node.id, None)
            else:
                member.plan = found
                self._say(f"worker on {member.label}, process {member.about and member.about.process}: groups of "
                          f"{found.group}")  # fmt: skip
        return gone

    def get(self, reference: Any) -> Any:
        """What a call returned.

        Raises:
          Exception: what the worker raised, or one of Ray's own where it died.
        """
        ray = self._connection.ray
        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None

    @property
    def died(self) -> tuple[type[Exception], ...]:
        """What ``get`` raises where the worker is gone."""
        return self._errors

    def ready(self) -> list[Member]:
        """Those that have taken the campaign up."""
        return [member for member in self.members if member.plan is not None and member.taking is None]

    def first(self) -> Member:
        """Waits for a worker that has started."""
        while True:
            self.refresh()
            if found := next((member for member in self.members if member.about is not None), None):
                return found
            time.sleep(0.1)

    def lose(self, member: Member) -> None:
        """Forgets a worker that died, or ends one that is not wanted any more."""
        self._connection.ray.kill(member.actor)
        if member in self.members:
            self.members.remove(member)
