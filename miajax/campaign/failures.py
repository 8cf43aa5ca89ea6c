"""Models that could not be trained: what is stored in their place, and what is said of them."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.epochs import Records
from miajax.campaign.programs import Finished, Programs
from miajax.errors import UserError
from miajax.memory import amount, with_memory_for
from miajax.parsing import reason
from miajax.signals.query import Answers
from miajax.training.devices import free_memory
from miajax.training.ensemble import Snapshot
from miajax.training.plan import ExecutionPlan, bytes_per_model

_SMALLER = "Take a smaller model, a smaller --batch_size, or --chunk 1, or free some memory"


class TooLarge(Exception):
    """A group is too large for the device's memory, or for a step that can be interrupted."""


class DoesNotFit(TooLarge):
    """The compiler says that a group needs more memory than a device has free.

    Attributes:
      need, free: bytes of one device.
    """

    def __init__(self, need: int, free: int):
        super().__init__(f"it needs {amount(need)} of memory, and {amount(free)} are free")
        self.need, self.free = need, free


def exhausts_memory(error: Exception) -> bool:
    """Whether a smaller group may succeed."""
    return isinstance(error, DoesNotFit) or "RESOURCE_EXHAUSTED" in str(error)


def refuse_what_never_fits(setup: Setup, plan: ExecutionPlan) -> None:
    """Refuses models of which the smallest group does not fit, before anything is compiled.

    Raises:
      UserError: state and gradients of a chunk are larger than a device's free memory; both are named.
    """
    parameters, state = bytes_per_model(setup.trainer)
    with_memory_for(
        f"training {plan.chunk} model{'s' * (plan.chunk > 1)} of {setup.trainer.model.name} on a device",
        plan.chunk * (state + parameters), free_memory(jax.local_devices()[0]), _SMALLER,
    )  # fmt: skip


def refusal(setup: Setup, models: int, error: Exception, for_memory: bool = False) -> UserError:
    """The error of a campaign of which not even one group can be trained.

    ``for_memory``: memory is the reason, though ``error`` does not say so.
    """
    if isinstance(error, DoesNotFit):
        what = (
            f"the smallest group, {models} models of {setup.trainer.model.name}, does not fit: on each device {error}"
        )
    else:
        what = f"no group of {setup.trainer.model.name} could be trained ({reason(error)})"
    return UserError(what, remedy=_SMALLER if for_memory or exhausts_memory(error) else "")


def nothing_of(setup: Setup, programs: Programs, models: range, keep: tuple[str, ...]) -> tuple[Finished, Records]:
    """What is stored of a group that gave nothing: NaN where a number would be, so that no figure counts it."""
    dataset, size = setup.dataset, len(models)
    shape = (size, dataset.num_examples, setup.config.queries)
    logits = np.full((*shape, dataset.num_classes), np.nan, np.float32) if "logits" in keep else None
    pool = Answers(np.full(shape, np.nan, np.float32), np.zeros(shape[:2], bool), logits)
    official = None if dataset.test_labels is None else np.full(size, np.nan)
    snapshot: Snapshot = jax.tree.map(_blank, programs.ensemble.abstract_snapshot(size))
    return Finished(snapshot, pool, official), programs.epochs.empty(size)


def _blank(leaf: jax.ShapeDtypeStruct) -> Any:
    value = np.nan if jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating) else 0
    return np.full(leaf.shape, value, leaf.dtype)


def notes_on(failures: Mapping[str, str]) -> list[str]:
    """A note for each reason, with the models that failed for it."""
    notes: list[str] = []
    for why in dict.fromkeys(failures.values()):
        ids = [name for name, other in failures.items() if other == why]
        notes.append(f"Models {', '.join(ids[:20])}{' and more' if len(ids) > 20 else ''} failed: {why}.")
    return notes


def refuse_failed(failed: list[int], told: Mapping[str, Any]) -> None:
    """Makes failed models an error, as ``--strict`` asks.

    Raises:
      UserError: there are some.
    """
    if not failed:
        return
    why = next((str(told[str(model)]) for model in failed if str(model) in told), "it diverged, or answers NaN")
    raise UserError(
        f"{len(failed)} models failed ({', '.join(map(str, failed[:20]))}{' and more' if len(failed) > 20 else ''}; "
        f"model {failed[0]}: {why})",
        expected="all models to train, as --strict asks",
        remedy="Mend the cause and choose another --out, or add --no_strict to leave them out of every figure",
    )
