"""One model's function over many models: vmap over a chunk, a loop over chunks, a program per device.

All knowledge of how models share a machine is here. What is mapped knows nothing of its neighbours: the compiled
program holds no collective.
"""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from miajax import compat
from miajax.models.conv_lowerings import lowered_by

Parallel = Literal["shard_map", "pmap"]
_MODELS = PartitionSpec("models")  # pyright: ignore[reportCallIssue]
_EVERYWHERE = PartitionSpec()
CALL_SECONDS = 0.5  # how long one program call should take, so that progress and Ctrl-C stay lively


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where the models of a group run.

    Attributes:
      devices: the devices of the model axis, in order.
      chunk: models under one ``vmap``; the width that a model's bits depend on.
      parallel: ``shard_map``, or ``pmap`` beside it.
      lowering: of convolutions that name none; None leaves it to the backend.
    """

    devices: tuple[jax.Device, ...]
    chunk: int
    parallel: Parallel = "shard_map"
    lowering: str | None = None

    @property
    def width(self) -> int:
        """Models of the smallest group: one chunk on every device."""
        return len(self.devices) * self.chunk

    @property
    def mesh(self) -> Mesh:
        return Mesh(np.array(self.devices), ("models",))

    def share(self, tree: Any) -> Any:
        """Puts arrays that all models read on every device, once."""
        return jax.device_put(tree, NamedSharding(self.mesh, _EVERYWHERE))

    def split(self, tree: Any) -> Any:
        """Puts arrays whose leading axis is models on their devices."""
        if self.parallel == "pmap":
            return tree
        return jax.device_put(tree, NamedSharding(self.mesh, _MODELS))


class OverModels:
    """A function of one model, over many: ``fn(carried, per_model, shared) -> out``.

    ``carried`` and ``per_model`` are pytrees whose leaves start with the models' axis G, a multiple of
    ``placement.width``; so do the leaves of the result. ``shared`` is the same for all models. Under ``shard_map`` the
    buffers of ``carried`` are given up to the result; ``pmap`` works on copies. Each set of shapes is compiled once;
    ``compile_seconds`` and ``compilations`` count. ``runs_once``: the program runs too rarely to be worth optimising;
    on a CPU it compiles four times faster.
    """

    def __init__(self, fn: Callable[[Any, Any, Any], Any], placement: Placement, *, runs_once: bool = False):
        self.fn, self.placement = fn, placement
        cheap = runs_once and placement.devices[0].platform == "cpu"
        self._options: dict[str, str | bool] = {"xla_backend_optimization_level": "1"} if cheap else {}
        self.compile_seconds, self.compilations = 0.0, 0
        self._compiled: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def _on_one_device(self, carried: Any, per_model: Any, shared: Any) -> Any:
        chunk = self.placement.chunk
        folded = jax.tree.map(lambda a: a.reshape(-1, chunk, *a.shape[1:]), (carried, per_model))
        of_chunk = jax.vmap(self.fn, in_axes=(0, 0, None))
        with lowered_by(self.placement.lowering):
            out = jax.lax.map(lambda models: of_chunk(models[0], models[1], shared), folded)
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), out)

    def lower(self, carried: Any, per_model: Any, shared: Any):
        """The program for these shapes (arrays or ShapeDtypeStructs), not compiled yet: for its HLO and its memory."""
        devices = list(self.placement.devices)
        if self.placement.parallel == "pmap":

            def fold(a):
                return jax.ShapeDtypeStruct((len(devices), a.shape[0] // len(devices), *a.shape[1:]), a.dtype)

            # One mapped argument: jax 0.10's pmap gives the wrong axes to what follows an empty one.
            mapped = jax.pmap(
                lambda models, shared: self._on_one_device(models[0], models[1], shared),
                in_axes=(0, None),
                devices=devices,
            )
            return mapped.lower(jax.tree.map(fold, (carried, per_model)), shared)
        mesh = self.placement.mesh
        mapped = compat.shard_map(self._on_one_device, mesh, (_MODELS, _MODELS, _EVERYWHERE), _MODELS)
        of_models, of_all = NamedSharding(mesh, _MODELS), NamedSharding(mesh, _EVERYWHERE)
        return jax.jit(
            mapped, in_shardings=(of_models, of_models, of_all), out_shardings=of_models, donate_argnums=0
        ).lower(carried, per_model, shared)

    def compile(self, carried: Any, per_model: Any, shared: Any):
        """The program for these shapes, compiled now or before."""
        leaves, tree = jax.tree.flatten((carried, per_model, shared))
        signature = (tree, tuple((np.shape(leaf), str(leaf.dtype)) for leaf in leaves))
        with self._lock:
            if signature not in self._compiled:
                begin = time.perf_counter()
                self._compiled[signature] = self.lower(carried, per_model, shared).compile(self._options)
                self.compile_seconds += time.perf_counter() - begin
                self.compilations += 1
            return self._compiled[signature]

    def device_bytes(self) -> int:
        """What the largest of the compiled programs holds on one device: arguments, results and scratch."""

        def total(program) -> int:
            memory = program.memory_analysis()
            if memory is None:  # a backend that does not say
                return 0
            held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
            return held + memory.temp_size_in_bytes

        return max((total(program) for program in self._compiled.values()), default=0)

    def __call__(self, carried: Any, per_model: Any, shared: Any) -> Any:
        program = self.compile(carried, per_model, shared)
        if self.placement.parallel == "pmap":
            devices = len(self.placement.devices)
            folded = jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), (carried, per_model))
            return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), program(folded, shared))
        return program(self.placement.split(carried), self.placement.split(per_model), shared)
