"""What the TPU compiler says of the ensemble step of every network, ahead of time, on a machine without a TPU.

    pip install 'miajax[tpu-aot]'
    JAX_PLATFORMS=cpu python -m benchmarks.tpu [--json FILE] [--only NETWORK] [--quick]

No TPU runs anything here: every figure is the compiler's estimate. For TPU v5e and v6e, four chips each, the program of
one training epoch is compiled as a campaign would run it, under the lowering of convolutions that is the default there
(the small CNN also under ``patches``): whether it holds a collective, what memory it needs, and the estimated
time of a step, with the share of the chip's published peak that the step's products would reach in that time.
"""

import dataclasses
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from benchmarks import _flags
from benchmarks._rows import Row, print_rows, replace_part
from benchmarks._step_cost import StepCost, step_cost
from benchmarks._workloads import SUITES
from miajax.training.parallel import OverModels, Placement
from miajax.training.trainer import Members, Partial, Trainer, TrainingData


class Chip(NamedTuple):
    """A TPU's name for the compiler, its published dense bfloat16 peak and the memory of a chip."""

    topology: str
    flops: float
    memory: float


CHIPS = {"v5e": Chip("v5e:2x2", 197e12, 16 * 2**30), "v6e": Chip("v6e:2x2", 918e12, 32 * 2**30)}
COLLECTIVES = re.compile(r"\b(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\b")
# network: models of a chunk, and the lowerings that are compared; the large ones take minutes to compile
NETWORKS: dict[str, tuple[int, tuple[str, ...]]] = {
    "mlp": (64, ("grouped",)),
    "purchase_mlp": (16, ("grouped",)),
    "cnn": (4, ("grouped", "patches")),
    "resnet20": (4, ("grouped",)),
    "wrn28_2": (2, ("grouped",)),
    "resnet18": (2, ("grouped",)),
    "densenet_bc_100_12": (2, ("grouped",)),
    "fast_cifar": (2, ("grouped",)),
}


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What the compiler says of an ensemble's training epoch on four chips.

    Attributes:
      seconds: of one step of one chip's chunk, estimated, without the operations of the next field.
      unknown: operations that the compiler has no estimate for (random bits, sorting).
      bytes_accessed: of the step, estimated.
      memory: of one chip, arguments, results and scratch.
      collectives: names found in the program.
      compile_seconds: here.
    """

    seconds: float
    unknown: int
    bytes_accessed: float
    memory: int
    collectives: tuple[str, ...]
    compile_seconds: float


def topology_devices(chip: Chip) -> tuple[jax.Device, ...]:
    """The chips of a topology, as the compiler knows them.

    Raises:
      RuntimeError: libtpu is not installed, or does not know the topology.
    """
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # nobody is asked which TPU this is: there is none
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")  # no chip is used: several may compile at a time
    from jax.experimental import topologies

    try:
        return tuple(topologies.get_topology_desc(chip.topology, platform="tpu").devices)
    except Exception as error:  # jax raises what the plugin raises
        raise RuntimeError(f"no TPU compiler: {error}") from error


def estimate(trainer: Trainer, chip: Chip, chunk: int, lowering: str) -> Estimate:
    """Compiles an epoch of one step for one chunk on each chip."""
    placement = Placement(topology_devices(chip), chunk, lowering=lowering)
    trainer = dataclasses.replace(trainer, capacity=trainer.recipe.batch_size)
    shape, width = jax.ShapeDtypeStruct, placement.width
    pool = 2 * trainer.capacity
    dtype = jnp.uint8 if len(trainer.example_shape) == 3 else jnp.float32
    data = TrainingData(shape((pool, *trainer.example_shape), dtype), shape((pool,), jnp.int32))
    whole = shape((width,), jnp.int32)
    members = Members(whole, shape((width, trainer.capacity), jnp.int32), whole)
    state, history = jax.eval_shape(jax.vmap(trainer.init), members)
    seen = shape((width, 1), jnp.float32)
    # The compiler has no estimate for a loop whose end it does not know: the step's number is a constant here.
    first, end = 0, 1
    program = OverModels(
        lambda model, members, data: trainer.advance(model[0], model[1], model[2], members, data, first, end),
        placement,
    )
    compiled = program.compile((state, history, Partial(seen, seen)), members, data)
    cost = compiled.cost_analysis()
    whole = math.floor(cost["optimal_seconds"])  # the compiler adds -1 for what it has no estimate for
    return Estimate(
        cost["optimal_seconds"] - min(whole, 0),
        -min(whole, 0),
        cost["bytes accessed"],
        program.device_bytes(),
        tuple(sorted(set(COLLECTIVES.findall(compiled.as_text())))),
        program.compile_seconds,
    )


def trainer_of(name: str) -> tuple[Trainer, StepCost]:
    """A network's training as the GPU suite has it, and what a step costs."""
    trainer = SUITES["gpu"][name].workload.setup().trainer
    return trainer, step_cost(trainer)


def rows_of(name: str) -> Iterator[Row]:
    """The compiler's estimates for a network."""
    trainer, cost = trainer_of(name)
    images, (chunk, lowerings) = len(trainer.example_shape) == 3, NETWORKS[name]
    for kind, chip in CHIPS.items():
        found: dict[str, Estimate] = {}
        for lowering in lowerings:
            try:
                found[lowering] = estimate(trainer, chip, chunk, lowering)
                print(f"{name}, {kind}, {lowering}: compiled in {found[lowering].compile_seconds:.0f} s", flush=True)
            except jax.errors.JaxRuntimeError as error:  # the compiler's verdict on a candidate
                print(f"left out: {name}, {kind}, {lowering}: {' '.join(str(error).split())[:160]}")
        best = min(found, key=lambda n: found[n].seconds)
        words = f"{name} on TPU {kind}, chunks of {chunk}, {trainer.recipe.precision}"
        others = [n for n in found if n != best]
        mine = found[best]
        yield Row(f"{words}: a step of a chunk, {best if images else 'matmuls'}", "s, estimated", [mine.seconds],
                  {n: [found[n].seconds] for n in others})  # fmt: skip
        share = chunk * cost.flops / mine.seconds / chip.flops
        yield Row(f"{words}: share of {chip.flops / 1e12:.0f} TFLOP/s", "fraction, estimated", [share],
                  higher_is_better=True)  # fmt: skip
        yield Row(f"{words}: operations without an estimate", "count", [mine.unknown])
        yield Row(f"{words}: memory of a chip ({chip.memory / 2**30:.0f} GiB)", "GiB", [mine.memory / 2**30],
                  {n: [found[n].memory / 2**30] for n in others})  # fmt: skip
        yield Row(f"{words}: collectives in the program", "count", [len(mine.collectives)])
        yield Row(f"{words}: compile time", "s", [mine.compile_seconds])


def main(json: Path | None = None, only: str | None = None, quick: bool = False) -> None:
    """Asks the TPU compiler.

    Args:
      json: where to write the rows; those of networks that are not asked about now stay.
      only: one network.
      quick: under a minute: the first network only.
    """
    for name in [only] if only else list(NETWORKS)[: 1 if quick else None]:
        rows = []
        for row in rows_of(name):
            rows.append(row)
            if json:
                replace_part(json, name, rows, list(NETWORKS))
        print_rows(f"Estimates of the TPU compiler: {name}", rows)


if __name__ == "__main__":
    _flags.call(main)
