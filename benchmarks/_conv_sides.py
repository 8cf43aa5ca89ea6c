"""Both sides of the convolution comparison: the same networks from the same weights, trained on the same batches."""
# torch is an extra: nothing of it is imported before a rival is made.
# pyright: reportMissingImports=false

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks._contest import Outcome
from miajax import compat
from miajax.models.cnn import CNN
from miajax.models.densenet import densenet_bc_100_12
from miajax.models.layers import Layers, he_fan_out
from miajax.models.resnet import resnet18, resnet20
from miajax.models.wide_resnet import wrn28_2
from miajax.training.devices import usable_cores
from miajax.training.parallel import OverModels, Placement

CLASSES, RATE, MOMENTUM = 10, 0.01, 0.9
IMAGES = {"cnn": (28, 28, 1)}


@dataclasses.dataclass(frozen=True)
class LaxLayers(Layers):
    """Convolutions as Linen has them: ``lax.conv_general_dilated`` and its own derivatives."""

    def conv(self, features: int, window: int = 3, strides: int = 1) -> Callable[[jax.Array], jax.Array]:
        padding = ((window // 2, window // 2),) * 2
        bias = self.norm == "none"
        return nn.Conv(features, (window, window), strides, padding, use_bias=bias, kernel_init=he_fan_out)


def network(name: str, lax_conv: bool = False) -> nn.Module:
    layers = (LaxLayers if lax_conv else Layers)("none" if name == "cnn" else "batch")
    makers = {"resnet20": resnet20, "resnet18": resnet18, "wrn28_2": wrn28_2, "densenet_bc_100_12": densenet_bc_100_12}
    return CNN(CLASSES, layers=layers) if name == "cnn" else makers[name](CLASSES, layers=layers)


@dataclasses.dataclass(frozen=True)
class Work:
    """A training of ``steps`` steps on random images: SGD with momentum, batches drawn anew.

    All models start from the same weights and see the same batches, so both sides end with the same losses.
    """

    network: str
    steps: int
    batch: int = 64
    images: int = 512

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images ``float32[N, H, W, K]``, labels ``int32[N]``, rows of every step ``int32[steps, B]``."""
        rng = np.random.default_rng(0)
        x = rng.random((self.images, *IMAGES.get(self.network, (32, 32, 3))), np.float32)
        rows = [rng.choice(self.images, self.batch, replace=False) for _ in range(self.steps)]
        return x, rng.integers(0, CLASSES, self.images).astype(np.int32), np.array(rows, np.int32)

    def variables(self) -> dict[str, Any]:
        """Initial parameters and statistics of one model."""
        x = jnp.zeros((1, *IMAGES.get(self.network, (32, 32, 3))))
        init = jax.jit(lambda key, x: network(self.network).init(key, x, train=False))
        made = dict(init(jax.random.key(0), x))
        return {"params": made["params"], "batch_stats": made.get("batch_stats", {})}


class Ours:
    """``models`` trained from the start, one ``vmap`` of ``chunk`` after another on every core.

    Args:
      work: what is trained.
      models: M, a multiple of chunk and devices.
      chunk: models of one ``vmap``.
      lax_conv: plain ``lax.conv_general_dilated`` instead of the shared convolution.
    """

    def __init__(self, work: Work, models: int, chunk: int = 1, lax_conv: bool = False):
        compat.set_cpu_device_count(min(usable_cores(), models // chunk))
        placement = Placement(tuple(jax.devices()[: models // chunk]), chunk)
        x, y, rows = work.data()
        self._variables = jax.tree.map(lambda a: np.repeat(a[None], models, 0), work.variables())
        self._shared = placement.share((jnp.asarray(x), jnp.asarray(y), jnp.asarray(rows)))
        self._program = OverModels(functools.partial(_train, network(work.network, lax_conv)), placement)
        self._program.compile((), self._variables, self._shared)
        self.compile_seconds = self._program.compile_seconds
        self._units = models * work.steps
        parameters = sum(a[0].size for a in jax.tree.leaves(self._variables["params"]))
        self.facts: Mapping[str, int] = {"parameters": parameters, "bytes": self._program.device_bytes()}
        self._losses: Any = None

    def run(self) -> int:
        self._losses = jax.block_until_ready(self._program((), self._variables, self._shared))
        return self._units

    def outcome(self) -> Outcome:
        return Outcome(np.asarray(self._losses, np.float64).mean(1), np.zeros(0), np.zeros(0))


def _train(module: nn.Module, _, variables, shared):
    """The losses of all steps. (The weights are no result: copying them out is no part of a step.)"""
    x, y, rows = shared
    optimizer = optax.sgd(RATE, MOMENTUM)

    def step(carry, rows):
        params, state, moments = carry

        def loss(params):
            logits, changed = module.apply(
                {"params": params, "batch_stats": state}, x[rows], train=True, mutable=["batch_stats"]
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), y[rows])
            return losses.mean(), changed.get("batch_stats", {})

        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, moments = optimizer.update(gradient, moments)
        return (optax.apply_updates(params, updates), state, moments), value

    params, state = variables["params"], variables["batch_stats"]
    return jax.lax.scan(step, (params, state, optimizer.init(params)), rows)[1]


class Torch:
    """The same training in PyTorch, one model.

    Args:
      work: what is trained.
      threads: of PyTorch.
      channels_last: memory format.
      compiled: whether the network is ``torch.compile``d.
    """

    def __init__(self, work: Work, threads: int, channels_last: bool = True, compiled: bool = False):
        import torch

        from benchmarks._torch_networks import NETWORKS

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)  # as XLA does
        self._torch, self._work = torch, work
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        x, y, rows = work.data()
        self._x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).contiguous(memory_format=self._format)
        self._y, self._rows = torch.from_numpy(y).long(), [torch.from_numpy(r).long() for r in rows]
        model: Any = NETWORKS[work.network].build()
        self._model = model.to(memory_format=self._format)
        self._call = torch.compile(self._model, dynamic=False) if compiled else self._model
        self._variables = jax.tree.map(np.asarray, work.variables())
        self.facts: Mapping[str, int] = {"parameters": sum(p.numel() for p in self._model.parameters())}
        self._losses: list[float] = []
        self.compile_seconds = 0.0
        if compiled:
            begin = time.perf_counter()
            self._train(self._rows[:1])
            self.compile_seconds = time.perf_counter() - begin

    def run(self) -> int:
        self._losses = self._train(self._rows)
        return self._work.steps

    def outcome(self) -> Outcome:
        return Outcome(np.array([np.mean(self._losses)]), np.zeros(0), np.zeros(0))

    def _train(self, rows: Any) -> list[float]:
        torch, model = self._torch, self._model
        _load(torch, model, self._variables)
        model.train()
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)
        losses = []
        for ids in rows:
            x = self._x[ids].contiguous(memory_format=self._format)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self._call(x), self._y[ids])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return [float(loss) for loss in losses]


def _load(torch: Any, model: Any, variables: Mapping[str, Any]) -> None:
    """Our weights into the rival's layers: both list convolutions, then normalisations, then dense layers, in order."""
    ours: dict[str, list[Mapping[str, np.ndarray]]] = {"Conv": [], "BatchNorm": [], "Dense": []}

    def collect(tree: Mapping[str, Any]) -> None:
        for name in sorted(tree, key=_place):
            kind = name.split("_")[0]
            ours[kind].append(tree[name]) if kind in ours else collect(tree[name])

    collect(variables["params"])
    channels = ours["Conv"][-1]["kernel"].shape[-1]
    kinds = {"Conv": torch.nn.Conv2d, "BatchNorm": torch.nn.BatchNorm2d, "Dense": torch.nn.Linear}
    with torch.no_grad():
        for kind, sources in ours.items():
            layers = [m for m in model.modules() if isinstance(m, kinds[kind])]
            for layer, source in zip(layers, sources, strict=True):
                if kind == "BatchNorm":
                    layer.reset_running_stats()
                weight = source["scale" if kind == "BatchNorm" else "kernel"]
                axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[weight.ndim]
                if kind == "Dense" and layer is layers[0]:  # of a flattened image: ours has the channels last
                    pixels_first = weight.reshape(-1, channels, weight.shape[1])
                    weight = pixels_first.swapaxes(0, 1).reshape(weight.shape)
                layer.weight.copy_(torch.from_numpy(weight.transpose(axes).copy()))
                if layer.bias is not None:
                    layer.bias.copy_(torch.from_numpy(source["bias"].copy()))


def _place(name: str) -> tuple[bool, int]:
    """Layers before blocks, both in the order of their calls."""
    return "Block" in name, int(name.rsplit("_", 1)[1])
