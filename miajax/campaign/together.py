"""Processes that were started together, by srun, mpirun or a TPU pod: who trains which groups, and who speaks."""

from collections.abc import Sequence

import jax

from miajax import compat
from miajax.errors import UserError
from miajax.parsing import reason

_LONGEST_S = 7 * 86400  # that others may take at the end, while one process attacks and reports


def join(how: str) -> None:
    """Joins the processes of one job by ``jax.distributed``, before any device is used.

    Args:
      how: ``auto``, where the starter says who they are, or ``HOST:PORT,PROCESSES,INDEX``.

    Raises:
      UserError: ``how`` is neither, nothing says who they are, or they do not meet.
    """
    parts = how.split(",")
    numbers = [int(part) for part in parts[1:] if part.isdecimal()]
    if how != "auto" and not (len(parts) == 3 and ":" in parts[0] and len(numbers) == 2 and numbers[1] < numbers[0]):
        raise UserError(f"--distributed {how}", expected="auto, or HOST:PORT,PROCESSES,INDEX with INDEX from 0")
    address, count, index = (None, None, None) if how == "auto" else (parts[0], *numbers)
    compat.leave_sigterm()
    try:
        jax.distributed.initialize(address, count, index, shutdown_timeout_seconds=_LONGEST_S)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"--distributed {how}: the processes did not meet ({reason(error)})",
            expected="srun, mpirun, Kubernetes or a TPU pod, or HOST:PORT,PROCESSES,INDEX typed for each process",
        ) from error


def speaks() -> bool:
    """Whether this process prints and reports: it is the only one, or the first of several."""
    return jax.process_index() == 0


def own_share(missing: Sequence[range], group: int) -> list[range]:
    """The ranges that this process trains next.

    Groups go round: process i of n has every n-th from the i-th on. The first process takes what is left when its own
    are done, so that a run ends even where another has died.

    Args:
      missing: ranges cut at multiples of ``group``.
      group: models of a group.
    """
    index, count = jax.process_index(), jax.process_count()
    own = [models for models in missing if models.start // group % count == index]
    return own or (list(missing) if index == 0 else [])
