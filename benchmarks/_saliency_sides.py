"""Both sides of the saliency comparison: the same network with the same weights, and its maps in JAX and in PyTorch."""
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

from miajax import compat
from miajax.models.conv import conv
from miajax.models.layers import max_pool
from miajax.saliency.blocks import CAM_BLOCK, DEFAULT_BLOCK, in_blocks
from miajax.saliency.cam import grad_cam
from miajax.saliency.gradients import LogitsOf, gradient, smooth_grad
from miajax.saliency.integrated import integrated_gradients
from miajax.training.devices import usable_cores
from miajax.training.parallel import OverModels, Placement

METHODS = ("gradient", "smooth_grad", "integrated_gradients", "grad_cam")
SAMPLES, STEPS, NOISE = 25, 32, 0.15
SIDE, CLASSES, WIDTHS, HIDDEN = 28, 10, (32, 64), 128


class _Conv(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.he_normal(), (3, 3, x.shape[-1], self.features))
        return conv(x, kernel) + self.param("bias", nn.initializers.normal(0.1), (self.features,))


class _Network(nn.Module):
    @nn.compact
    def __call__(self, x):
        for width in WIDTHS:
            x = nn.relu(max_pool(_Conv(width)(x)))
        x = nn.relu(nn.Dense(HIDDEN)(x.reshape(len(x), -1)))
        return nn.Dense(CLASSES)(x)


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """What is to be explained.

    Attributes:
      images: ``float32[N, 28, 28, 1]``.
      classes: ``int32[N]``.
      params: the weights of M models, leaves ``[M, ...]``, NumPy.
    """

    images: np.ndarray
    classes: np.ndarray
    params: Any

    @classmethod
    def of(cls, models: int, images: int) -> "Work":
        rng = np.random.default_rng(0)
        x = rng.random((images, SIDE, SIDE, 1), np.float32)
        init = jax.vmap(lambda key: _Network().init(key, jnp.zeros((1, SIDE, SIDE, 1)))["params"])
        params = jax.tree.map(np.asarray, init(jax.random.split(jax.random.key(0), models)))
        return cls(x, rng.integers(0, CLASSES, images).astype(np.int32), params)

    def astype(self, dtype: type[np.floating]) -> "Work":
        """The same in another precision."""
        params = jax.tree.map(lambda a: a.astype(dtype), self.params)
        return Work(self.images.astype(dtype), self.classes, params)

    @property
    def models(self) -> int:
        return len(jax.tree.leaves(self.params)[0])


def network(params: Any) -> LogitsOf:
    """Two 3x3 convolutions with 2x2 max-pooling and ReLU, a hidden layer, ten logits."""
    return lambda x: jnp.asarray(_Network().apply({"params": params}, x))


def our_maps(method: str, params: Any, x: jax.Array, classes: jax.Array, keys: jax.Array) -> jax.Array:
    """One model's maps of a block of images."""
    logits_of = network(params)
    if method == "smooth_grad":
        return smooth_grad(logits_of, x, classes, keys, noise=NOISE, samples=SAMPLES)
    if method == "integrated_gradients":
        return integrated_gradients(logits_of, x, classes, steps=STEPS)
    return (grad_cam if method == "grad_cam" else gradient)(logits_of, x, classes)


class Ours:
    """All maps of all models, models shared between the devices, images in blocks."""

    def __init__(self, method: str, work: Work, block: int | None = None):
        block = block or (CAM_BLOCK if method == "grad_cam" else DEFAULT_BLOCK)
        compat.set_cpu_device_count(min(usable_cores(), work.models))
        placement = Placement(tuple(jax.devices()), chunk=1)
        keys = jax.random.split(jax.random.key(1), len(work.images))
        self._params = work.params
        self._shared = placement.share((jnp.asarray(work.images), jnp.asarray(work.classes), keys))
        self._program = OverModels(
            lambda _, params, shared: in_blocks(functools.partial(our_maps, method, params), block, *shared), placement
        )
        self._units = work.models * len(work.images)
        self._program.compile((), self._params, self._shared)
        self.compile_seconds = self._program.compile_seconds
        self.facts: Mapping[str, int] = {"maps": self._units}

    def run(self) -> int:
        jax.block_until_ready(self._program((), self._params, self._shared))
        return self._units

    def outcome(self) -> None:
        return None


class Torch:
    """The same maps in PyTorch, channels last, weights frozen, ``batch`` images at a time; models one after another.

    Args:
      method: of ``METHODS``.
      work: what is to be explained; a per-image loop takes the first ``images`` of it only.
      batch: images of one pass.
      threads: of PyTorch.
      compiled: whether gradients are ``torch.compile(torch.func.grad(...))`` instead of autograd.
      images: how many images to explain; None: all.
    """

    def __init__(
        self, method: str, work: Work, batch: int, threads: int, compiled: bool = False, images: int | None = None
    ):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.method, self.batch = torch, method, batch
        each = [jax.tree.map(lambda a, m=m: a[m], work.params) for m in range(work.models)]
        self._models = [_torch_network(torch, params) for params in each]
        x = torch.from_numpy(work.images[:images].transpose(0, 3, 1, 2).copy())
        self._x = x.contiguous(memory_format=torch.channels_last)
        self._y = torch.from_numpy(work.classes[:images]).long()
        self._units = work.models * len(self._x)
        self.facts: Mapping[str, int] = {}
        self.compile_seconds = 0.0
        self._gradients = [_torch_gradient(torch, net, compiled) for net, _, _ in self._models]
        self._heads = [_torch_gradient(torch, head, compiled) for _, _, head in self._models]
        if compiled:
            begin = time.perf_counter()
            self.maps(0, slice(0, batch))
            self.compile_seconds = time.perf_counter() - begin

    def run(self) -> int:
        for model in range(len(self._models)):
            for first in range(0, len(self._x), self.batch):
                self.maps(model, slice(first, first + self.batch))
        return self._units

    def outcome(self) -> None:
        return None

    def maps(self, model: int, rows: slice, noise: Any = None) -> Any:
        """Maps of some images; ``noise [S, B, 1, H, W]`` of SmoothGrad is drawn unless given."""
        x, y = self._x[rows], self._y[rows]
        of = self._gradients[model]
        if self.method == "gradient":
            return of(x, y)
        if self.method == "integrated_gradients":
            return x * sum(of(x * ((step + 0.5) / STEPS), y) for step in range(STEPS)) / STEPS
        if self.method == "smooth_grad":
            sigma = NOISE * (x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True))
            draws = (self.torch.randn_like(x) for _ in range(SAMPLES)) if noise is None else noise
            return sum(of(x + sigma * draw, y) for draw in draws) / SAMPLES
        return self._cam(model, x, y)

    def _cam(self, model: int, x: Any, y: Any) -> Any:
        torch, (_, body, _) = self.torch, self._models[model]
        with torch.no_grad():
            activation = body(x)
        slopes = self._heads[model](activation, y)
        maps = (slopes.mean((2, 3), keepdim=True) * activation).sum(1, keepdim=True).relu()
        maps = maps - maps.amin((2, 3), keepdim=True)
        maps = maps / (1e-7 + maps.amax((2, 3), keepdim=True))
        return torch.nn.functional.interpolate(maps, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def _torch_network(torch: Any, params: Any) -> tuple[Any, Any, Any]:
    """``(network, up to the last convolution, from there)`` with our weights."""
    nn_ = torch.nn
    side = SIDE // 2 ** len(WIDTHS)
    layers, inputs = [], 1
    for width in WIDTHS:
        layers += [nn_.Conv2d(inputs, width, 3, padding=1), nn_.MaxPool2d(2), nn_.ReLU()]
        inputs = width
    layers += [nn_.Flatten(), nn_.Linear(side * side * inputs, HIDDEN), nn_.ReLU(), nn_.Linear(HIDDEN, CLASSES)]
    network = nn_.Sequential(*layers).requires_grad_(False)
    convs = [layer for layer in network if isinstance(layer, nn_.Conv2d)]
    denses = [layer for layer in network if isinstance(layer, nn_.Linear)]
    for index, layer in enumerate(convs):
        ours = params[f"_Conv_{index}"]
        layer.weight.data = torch.from_numpy(ours["kernel"].transpose(3, 2, 0, 1).copy())
        layer.bias.data = torch.from_numpy(ours["bias"].copy())
    for index, layer in enumerate(denses):
        weight = params[f"Dense_{index}"]["kernel"]
        if index == 0:  # ours flattens (row, column, channel), PyTorch (channel, row, column)
            weight = weight.reshape(side, side, inputs, HIDDEN).transpose(2, 0, 1, 3).reshape(-1, HIDDEN)
        layer.weight.data = torch.from_numpy(weight.T.copy())
        layer.bias.data = torch.from_numpy(params[f"Dense_{index}"]["bias"].copy())
    network = network.to(memory_format=torch.channels_last)
    cut = max(i for i, layer in enumerate(network) if isinstance(layer, nn_.Conv2d)) + 1
    return network, network[:cut], network[cut:]


def _torch_gradient(torch: Any, network: Any, compiled: bool) -> Callable[[Any, Any], Any]:
    def score(x, y):
        return network(x).gather(1, y[:, None]).sum()

    if compiled:
        return torch.compile(torch.func.grad(score))

    def gradient_of(x, y):
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(score(x, y), x)[0]

    return gradient_of
