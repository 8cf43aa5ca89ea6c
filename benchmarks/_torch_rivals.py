"""PyTorch, trained as usual and as fast as we know how: the rivals of shadow training.

Every job does whole trainings of ``Workload.campaign``: a fresh permutation of a model's members each epoch, cut into
full batches; SGD with momentum; the cosine schedule by step. Data lies on the device as float tensors, images scaled
beforehand. No job keeps losses or accuracies while it trains (ours does), so none pays for them.
"""
# torch is an extra: without it this file is not imported.
# pyright: reportMissingImports=false

import copy
import math
import time
from collections.abc import Callable, Mapping
from typing import Literal

import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from benchmarks._contest import Outcome
from benchmarks._torch_networks import NETWORKS
from benchmarks._workloads import Workload

Stack = Literal["none", "vmap", "bmm"]
Compiled = Literal["no", "step", "epoch"]
Parameters = list[Tensor]


class _TorchJob:
    """What all rivals share: data, members, schedule, and how a training is judged.

    Args:
      workload: what is trained.
      models: trained in one run, with the members of our models 0, 1, ….
      threads: of PyTorch.
      epochs: how many of the recipe's are run, for short heats; None: all.
      device: where; with ``precision`` bfloat16 of the recipe, forward and backward passes are under autocast.
    """

    def __init__(self, workload: Workload, models: int, threads: int, epochs: int | None = None, device: str = "cpu"):
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)  # as XLA does; a trained model's gradients are full of them
        torch.manual_seed(0)
        setup = workload.setup()
        torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as jax has it
        self.recipe, self.models, self.device = setup.config.recipe, models, device
        self.epochs = epochs or self.recipe.epochs
        features = np.array(setup.trainer.scaling(jnp.asarray(setup.dataset.features)))
        if features.ndim == 4:
            features = features.transpose(0, 3, 1, 2).copy()
        self.features = torch.from_numpy(features).to(device)
        self.labels = torch.from_numpy(setup.dataset.labels).long().to(device)
        self.member = torch.from_numpy(setup.membership(models)).to(device)
        self.ids = self.member.nonzero()[:, 1].view(models, -1)
        self.network = NETWORKS[workload.torch_network]
        self.batch = self.recipe.batch_size
        self.steps = self.ids.shape[1] // self.batch
        total = self.recipe.epochs * self.steps
        self.rates = [0.5 * self.recipe.learning_rate * (1 + math.cos(math.pi * t / total)) for t in range(total)]
        self.compile_seconds = 0.0
        self._judge = self.network.build().to(device).eval()
        parameters = sum(p.numel() for p in self._judge.parameters())
        self.facts: Mapping[str, int] = {"parameters": parameters, "steps of one model": total, "batch": self.batch}
        self._trained: list[Parameters] = []
        self._statistics: list[dict[str, Tensor]] = []

    def synchronize(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize()

    def autocast(self) -> torch.autocast:
        """Half precision where the recipe asks for it."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def fresh(self, models: int) -> Parameters:
        """Initial parameters of so many models, stacked."""
        built = [list(self.network.build().parameters()) for _ in range(models)]
        return [torch.stack(leaves).detach().to(self.device) for leaves in zip(*built, strict=True)]

    @torch.no_grad()
    def outcome(self) -> Outcome:
        loss, inside, outside = [], [], []
        names = [name for name, _ in self._judge.named_parameters()]
        for m, (parameters, member) in enumerate(zip(self._trained, self.member, strict=True)):
            weights = dict(zip(names, parameters, strict=True)) | (self._statistics[m] if self._statistics else {})
            parts = [functional_call(self._judge, weights, (x,)) for x in self.features.split(1024)]
            logits = torch.cat(parts)
            hit = (logits.argmax(1) == self.labels).double()
            loss.append(F.cross_entropy(logits[member], self.labels[member]).item())
            inside.append(hit[member].mean().item())
            outside.append(hit[~member].mean().item())
        return Outcome(np.array(loss), np.array(inside), np.array(outside))

    def trained_one_by_one(self, train: Callable[[Tensor], nn.Module]) -> int:
        """Trains every model by ``train(ids)`` and keeps it."""
        models = [train(ids) for ids in self.ids]
        self.synchronize()
        self._trained = [[p.detach() for p in model.parameters()] for model in models]
        self._statistics = [dict(model.named_buffers()) for model in models]
        return self.models * self.epochs * self.steps


class UsualLoop(_TorchJob):
    """One model after another in the loop of every tutorial."""

    def run(self) -> int:
        return self.trained_one_by_one(self._train)

    def _train(self, ids: Tensor) -> nn.Module:
        features, labels = self.features[ids], self.labels[ids]
        model = self.network.build().to(self.device)
        optimizer = torch.optim.SGD(model.parameters(), lr=self.recipe.learning_rate, momentum=self.recipe.momentum)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.recipe.epochs * self.steps)
        for _ in range(self.epochs):
            order = torch.randperm(len(ids)).to(self.device)
            for step in range(self.steps):
                rows = order[step * self.batch : (step + 1) * self.batch]
                optimizer.zero_grad()
                with self.autocast():
                    loss = F.cross_entropy(model(features[rows]), labels[rows])
                loss.backward()
                optimizer.step()
                scheduler.step()
        return model


class TunedLoop(_TorchJob):
    """One model after another, eagerly, with little left to save: an epoch's batches gathered at once, all parameters,
    gradients and velocities in one flat vector each, so that the optimiser is three calls (faster here than
    ``foreach=True`` and ``fused=True``)."""

    def run(self) -> int:
        return self.trained_one_by_one(self._train)

    def _train(self, ids: Tensor) -> nn.Module:
        model = self.network.build().to(self.device)
        flat = nn.utils.parameters_to_vector(model.parameters()).detach()
        gradient, velocity = torch.zeros_like(flat), torch.zeros_like(flat)
        at = 0
        for p in model.parameters():
            p.data = flat[at : at + p.numel()].view_as(p)
            p.grad = gradient[at : at + p.numel()].view_as(p)
            at += p.numel()
        for epoch in range(self.epochs):
            order = torch.randperm(len(ids)).to(self.device)
            rows = ids[order[: self.steps * self.batch]].view(self.steps, self.batch)
            rates = self.rates[epoch * self.steps :]
            for x, y, rate in zip(self.features[rows].unbind(), self.labels[rows].unbind(), rates, strict=False):
                gradient.zero_()
                with self.autocast():
                    loss = F.cross_entropy(model(x), y)
                loss.backward()
                velocity.mul_(self.recipe.momentum).add_(gradient)
                flat.add_(velocity, alpha=-rate)
        return model


class ConvLoop(_TorchJob):
    """One convolutional network after another: fused optimiser, and what else suits convolutions.

    Args:
      channels_last: memory format of images and weights.
      compiled: ``no``; ``network``: ``torch.compile`` of the network; ``graphs``: with CUDA graphs.
    """

    def __init__(
        self,
        workload: Workload,
        models: int,
        threads: int,
        channels_last: bool = True,
        compiled: Literal["no", "network", "graphs"] = "no",
        epochs: int | None = None,
        device: str = "cpu",
    ):
        super().__init__(workload, models, threads, epochs, device)
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self.features = self.features.contiguous(memory_format=self._format)
        self._mode = {"no": None, "network": "default", "graphs": "reduce-overhead"}[compiled]
        # Recompiling for every model would not be common sense: one network is compiled and takes new weights.
        self._model = self.network.build().to(device, memory_format=self._format)  # type: ignore[call-overload]
        self._call = self._model if self._mode is None else torch.compile(self._model, mode=self._mode, dynamic=False)
        if self._mode is not None:
            begin = time.perf_counter()
            self._train(self.ids[0], epochs=1)
            self.synchronize()
            self.compile_seconds = time.perf_counter() - begin

    def run(self) -> int:
        def train(ids: Tensor) -> nn.Module:
            self._train(ids, self.epochs)
            return copy.deepcopy(self._model)

        return self.trained_one_by_one(train)

    def _train(self, ids: Tensor, epochs: int) -> None:
        self._model.load_state_dict(self.network.build().state_dict())
        self._model.train()
        optimizer = torch.optim.SGD(
            self._model.parameters(), lr=self.recipe.learning_rate, momentum=self.recipe.momentum, fused=True
        )
        for epoch in range(epochs):
            rows = ids[torch.randperm(len(ids)).to(self.device)[: self.steps * self.batch]].view(self.steps, self.batch)
            for step in range(self.steps):
                x = self.features[rows[step]].contiguous(memory_format=self._format)
                for group in optimizer.param_groups:
                    group["lr"] = self.rates[epoch * self.steps + step]
                optimizer.zero_grad()
                with self.autocast():
                    loss = F.cross_entropy(self._call(x), self.labels[rows[step]])
                loss.backward()
                optimizer.step()


class Functional(_TorchJob):
    """Parameters as arrays, gradients by ``torch.func``: one model after another, or a stack of models at once.

    Args:
      stack: ``none``: one model after another; ``vmap``: ``vmap`` of one model's gradient; ``bmm``: the network written
        out in batched products, and the gradient of the models' summed losses.
      compiled: what ``torch.compile`` is given: nothing, a step, or an epoch with its steps unrolled.
      width: models of a stack; ``models`` are trained stack after stack.
    """

    def __init__(
        self,
        workload: Workload,
        models: int,
        threads: int,
        stack: Stack,
        compiled: Compiled,
        width: int = 1,
        epochs: int | None = None,
        device: str = "cpu",
    ):
        super().__init__(workload, models, threads, epochs, device)
        if models % width or (stack == "none" and width != 1):
            raise ValueError(f"{models} models in stacks of {width} ({stack})")
        self.stack: Stack = stack
        self.width = width
        self._gradient = self._gradient_function()
        self._step, self._epoch = self.step, self._unrolled
        if compiled == "step":
            self._step = torch.compile(self.step, dynamic=False, fullgraph=True)
        elif compiled == "epoch":
            self._epoch = torch.compile(self._unrolled, dynamic=False, fullgraph=True)
        if compiled != "no":
            begin = time.perf_counter()
            self._train(self.ids[: self.width], epochs=1)
            self.compile_seconds = time.perf_counter() - begin

    def _gradient_function(self) -> Callable[[Parameters, Tensor, Tensor], Parameters]:
        if self.stack == "bmm":
            stacked = self.network.stacked
            if stacked is None:
                raise ValueError("nobody wrote this network in batched products")

            def loss_of_all(parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
                with self.autocast():
                    logits = stacked(parameters, x)
                return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum") / y.shape[1]

            return grad(loss_of_all)
        model = self.network.build().to(self.device)
        names = [name for name, _ in model.named_parameters()]

        def loss_of_one(parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
            with self.autocast():
                return F.cross_entropy(functional_call(model, dict(zip(names, parameters, strict=True)), (x,)), y)

        return vmap(grad(loss_of_one)) if self.stack == "vmap" else grad(loss_of_one)

    def step(self, parameters: Parameters, velocity: Parameters, rows: Tensor, rate: Tensor) -> None:
        """One training step, in place: ``rows int64[B]``, or ``[models, B]`` of a stack; ``rate float32[]``."""
        gradient = self._gradient(parameters, self.features[rows], self.labels[rows])
        for p, v, g in zip(parameters, velocity, gradient, strict=True):
            v.mul_(self.recipe.momentum).add_(g)
            p.addcmul_(v, rate, value=-1)

    def _unrolled(self, parameters: Parameters, velocity: Parameters, rows: Tensor, rates: Tensor) -> None:
        for i in range(self.steps):
            self._step(parameters, velocity, rows[i], rates[i])

    @torch.no_grad()
    def _train(self, ids: Tensor, epochs: int) -> Parameters:
        """New models with the members ``ids int64[models, n]``, trained; stacked parameters."""
        parameters = self.fresh(len(ids))
        if self.stack == "none":
            parameters = [p[0] for p in parameters]
        velocity = [torch.zeros_like(p) for p in parameters]
        rates = torch.tensor(self.rates, device=self.device).view(-1, self.steps)
        for epoch in range(epochs):
            order = torch.rand(ids.shape).argsort(1)[:, : self.steps * self.batch].to(self.device)
            rows = ids.gather(1, order).view(-1, self.steps, self.batch).transpose(0, 1).contiguous()
            self._epoch(parameters, velocity, rows[:, 0] if self.stack == "none" else rows, rates[epoch])
        return [p.unsqueeze(0) for p in parameters] if self.stack == "none" else parameters

    def run(self) -> int:
        self._trained = []
        for ids in self.ids.split(self.width):
            stack = self._train(ids, self.epochs)
            self._trained += [[p[i] for p in stack] for i in range(len(ids))]
        self.synchronize()
        return self.models * self.epochs * self.steps
