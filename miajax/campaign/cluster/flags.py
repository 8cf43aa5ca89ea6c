"""Where models are trained: on this machine, or on the machines of a cluster. What is said here decides no bits."""

import contextlib
import contextvars
import dataclasses
import importlib.util
import math
import os
import re
import socket
from collections.abc import Generator
from typing import TYPE_CHECKING

from miajax.described import described
from miajax.errors import UserError

if TYPE_CHECKING:
    from miajax.campaign.cluster.connection import Connection

_REACHED_SECONDS = 5.0


@described
@dataclasses.dataclass(frozen=True)
class ClusterFlags:
    """Where models are trained. A run folder does not remember it: its word connects to no machine."""

    cluster: str | None = None
    """train on a Ray cluster (extra cluster): local (one of this machine alone), auto (the one this machine is a node
    of), or its HOST:PORT. This process hands out groups of models and writes the run folder"""
    gpus_per_task: float | None = None
    """GPUs of each worker, or the share of one (0.5: two workers a GPU); 0 trains on CPUs. Not given: 1 where the
    cluster has GPUs, else 0"""
    cpus_per_task: int | None = None
    """CPU cores of each worker; not given: all of its machine on a CPU, 1 beside a GPU and for an estimator"""

    def __post_init__(self):
        gpus = self.gpus_per_task
        if gpus is not None and not (0 <= gpus < 1 or (math.isfinite(gpus) and gpus == int(gpus))):
            raise UserError(f"--gpus_per_task {gpus:g}", expected="a whole number of GPUs, or a share between 0 and 1")
        if self.cpus_per_task is not None and self.cpus_per_task < 1:
            raise UserError(f"--cpus_per_task {self.cpus_per_task}", expected="1 or more cores")
        for name in ("gpus_per_task", "cpus_per_task"):
            if self.cluster is None and getattr(self, name) is not None:
                raise UserError(f"--{name} without --cluster", expected="--cluster local, auto or HOST:PORT with it")
        if self.cluster is not None and self.cluster not in ("local", "auto"):
            _host_and_port(self.cluster)

    def check(self) -> None:
        """Before anything is read for a cluster that is not there.

        Raises:
          UserError: Ray is not installed, or nobody answers at the address.
        """
        if self.cluster is None:
            return
        if importlib.util.find_spec("ray") is None:
            raise UserError(
                f"--cluster {self.cluster} needs Ray, which is not installed", expected="the extra cluster",
                remedy="pip install 'miajax[cluster]'",
            )  # fmt: skip
        if self.cluster in ("local", "auto"):
            return
        try:
            socket.create_connection(_host_and_port(self.cluster), _REACHED_SECONDS).close()
        except (OSError, UnicodeError) as error:
            raise UserError(
                f"--cluster {self.cluster} cannot be reached ({error})",
                expected="HOST:PORT of a running Ray cluster",
                remedy="Start its head with: ray start --head --port PORT",
            ) from None


def _host_and_port(address: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(\d{1,5})", address, re.ASCII)
    if found is None or not 0 < int(found[2]) < 65536:
        raise UserError(
            f"--cluster {address}", expected="local, auto or HOST:PORT of a cluster that this machine is a node of"
        )
    return found[1].strip("[]"), int(found[2])


_CURRENT: "contextvars.ContextVar[Connection | None]" = contextvars.ContextVar("miajax_cluster", default=None)


@contextlib.contextmanager
def training_on(flags: ClusterFlags) -> Generator[None]:
    """Within the block campaigns train where the flags say; the cluster is joined when the first model is missing.

    Raises:
      UserError: as ``ClusterFlags.check``.

    Example:
      >>> from miajax import run_campaign
      >>> small = {"epochs": 1, "max_examples": 200, "batch_size": 32, "num_shadows": 8}
      >>> with training_on(ClusterFlags()):  # ClusterFlags("local") for a Ray of this machine alone
      ...     run = run_campaign("digits", out="runs/doc", **small)
    """
    flags.check()
    if flags.cluster is None:
        yield
        return
    from miajax.campaign.cluster.connection import Connection

    # Where this process shares a GPU with a worker, it takes what it needs and no more.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with contextlib.closing(Connection(flags)) as connection:
        token = _CURRENT.set(connection)
        try:
            yield
        finally:
            _CURRENT.reset(token)


def connection() -> "Connection | None":
    """The cluster that campaigns train on within ``training_on``; None where they train in this process."""
    return _CURRENT.get()
