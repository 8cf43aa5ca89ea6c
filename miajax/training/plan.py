"""The execution plan: everything besides keys and configuration that a model's bits depend on, chosen once."""

import dataclasses
import importlib.metadata
from typing import Any

import jax

from miajax.errors import UserError
from miajax.models.conv import LOWERINGS, default_lowering
from miajax.training.devices import free_memory, instruction_set
from miajax.training.parallel import Parallel, Placement
from miajax.training.trainer import Members, Trainer

_CACHE_BYTES = 512 << 10  # parameters, momentum and gradients of a CPU chunk: measured best near this (docs/design.md)
_NOT_BITS = ("group", "num_devices", "parallel")


@dataclasses.dataclass(frozen=True)
class ExecutionPlan:
    """How a campaign is executed. ``group``, ``num_devices`` and ``parallel`` don't touch bits; all other fields may.

    Attributes:
      platform, device_kind, instruction_set: what the programs are compiled for.
      num_devices: D, devices of the model axis.
      parallel: ``shard_map`` or ``pmap``.
      chunk: models under one vmap.
      group: models trained and stored together.
      query_block: examples of one forward pass when models are queried.
      precision: of forward and backward passes in training.
      jax, jaxlib: versions.
      lowering: of convolutions that name none, as in ``miajax.models.conv``; empty for estimators.
      packages: whose versions estimators depend on, empty for networks; ``jax`` and ``jaxlib`` are then empty.
    """

    platform: str
    device_kind: str
    instruction_set: str
    num_devices: int
    parallel: Parallel
    chunk: int
    group: int
    query_block: int
    precision: str
    jax: str
    jaxlib: str
    lowering: str = "cpu"
    packages: str = ""

    def differing_bits(self, other: "ExecutionPlan") -> dict[str, tuple[Any, Any]]:
        """Fields that may change bits and differ: ``{name: (here, there)}``."""
        mine, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        return {k: (mine[k], theirs[k]) for k in mine if k not in _NOT_BITS and mine[k] != theirs[k]}

    def placement(self) -> Placement:
        """The plan on this machine's devices."""
        devices = tuple(jax.local_devices()[: self.num_devices])
        return Placement(devices, self.chunk, self.parallel, self.lowering)


def bytes_per_model(trainer: Trainer) -> tuple[int, int]:
    """``(parameters, whole training state)`` of one model, in bytes; nothing is computed."""
    shape = jax.ShapeDtypeStruct
    members = Members(shape((), "int32"), shape((trainer.capacity,), "int32"), shape((), "int32"))
    state, history = jax.eval_shape(trainer.init, members)

    def size(tree):
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))

    return size(state.params), size((state, history))


def choose_plan(
    trainer: Trainer,
    num_examples: int,
    queries: int,
    num_classes: int,
    *,
    parallel: Parallel = "shard_map",
    chunk: int | None = None,
    group: int | None = None,
    lowering: str | None = None,
) -> ExecutionPlan:
    """The plan of a new campaign on this machine.

    Args:
      trainer: the training to be run.
      num_examples, queries, num_classes: shape of what each model is asked, ``[N, Q, C]``.
      parallel: how devices are used.
      chunk, group, lowering: override what would be chosen; a group is rounded up to whole chunks on every device.

    Raises:
      UserError: a chunk below 1 or an unknown lowering.
    """
    devices = jax.local_devices()
    params, state = bytes_per_model(trainer)
    images = len(trainer.example_shape) == 3
    if chunk is None:
        if devices[0].platform == "cpu":
            fitting = max(1, _CACHE_BYTES // (3 * params))
            chunk = 1 if images else min(8, 1 << (fitting.bit_length() - 1))
        else:
            chunk = max(1, min(64, int(0.25 * free_memory(devices[0])) // (4 * state)))
            chunk = 1 << (chunk.bit_length() - 1)
    if chunk < 1:
        raise UserError(f"--chunk {chunk}", expected="1 or more models")
    if lowering is not None and lowering not in LOWERINGS:
        raise UserError(f"--lowering {lowering} is unknown", expected="one of " + ", ".join(LOWERINGS))
    unit = chunk * len(devices)
    if group is None:
        # Training state twice (the old one is given up late), logits once on the device and once on the host.
        per_model = 2 * state + 2 * 4 * num_examples * queries * num_classes
        fitting = int(0.5 * free_memory(devices[0]) * len(devices)) // per_model
        group = max(unit, min(64, fitting) // unit * unit)
    group = -(-group // unit) * unit
    return ExecutionPlan(
        platform=devices[0].platform,
        device_kind=devices[0].device_kind,
        instruction_set=instruction_set() if devices[0].platform == "cpu" else "",
        num_devices=len(devices),
        parallel=parallel,
        chunk=chunk,
        group=group,
        query_block=256 if images else min(num_examples, 2048),
        precision=trainer.recipe.precision,
        jax=jax.__version__,
        jaxlib=importlib.metadata.version("jaxlib"),
        lowering=lowering or default_lowering(devices[0].platform),
    )
