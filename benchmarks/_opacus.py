"""Opacus, without its DataLoader: hooks and ghost clipping on Poisson samples drawn in memory."""
# torch and opacus are extras: without them this file is not imported.
# pyright: reportMissingImports=false

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
import torch
from opacus.grad_sample import GradSampleModule
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer
from opacus.optimizers.optimizer_fast_gradient_clipping import DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from torch import nn

from benchmarks._contest import Outcome
from benchmarks._private_ours import CLIP_NORM, NOISE
from benchmarks._torch_networks import NETWORKS
from benchmarks._workloads import Workload

Engine = Literal["hooks", "ghost"]


class OpacusSteps:
    """Private steps of one model: sample, clip, noise, SGD with momentum.

    Args:
      workload: what is trained, on the members of our model 0.
      engine: per-example gradients by hooks, or ghost norms and a second backward pass.
      threads: of PyTorch.
      steps: of one run.
      noise: the noise multiplier.
    """

    compile_seconds = 0.0

    def __init__(self, workload: Workload, engine: Engine, threads: int, steps: int, noise: float = NOISE):
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        setup = workload.setup()
        recipe, member = setup.config.recipe, setup.membership(1)[0]
        features = np.array(setup.trainer.scaling(jnp.asarray(setup.dataset.features)))[member]
        if features.ndim == 4:
            features = features.transpose(0, 3, 1, 2).copy()
        self.features = torch.from_numpy(features)
        self.labels = torch.from_numpy(setup.dataset.labels[member]).long()
        self.steps, self.rate = steps, recipe.batch_size / len(self.labels)
        self.network = NETWORKS[workload.torch_network].build()
        self.module, self.optimizer, self.loss = wrapped(
            self.network, engine, noise, recipe.batch_size, recipe.learning_rate, recipe.momentum
        )
        self.facts: Mapping[str, int] = {
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "expected batch": recipe.batch_size,
            "members": len(self.labels),
        }

    def run(self) -> int:
        for _ in range(self.steps):
            rows = (torch.rand(len(self.labels)) < self.rate).nonzero()[:, 0]
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(self.module(self.features[rows]), self.labels[rows]).backward()
            self.optimizer.step()
        return self.steps

    def outcome(self) -> Outcome | None:
        return None


def wrapped(network: nn.Module, engine: Engine, noise: float, batch: int, rate: float, momentum: float):
    """``(module, optimizer, loss)`` of a network under an engine."""
    warnings.filterwarnings("ignore", message="Full backward hook")  # inputs need no gradient
    sgd = torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum)
    settings = {
        "noise_multiplier": noise, "max_grad_norm": CLIP_NORM, "expected_batch_size": batch, "loss_reduction": "mean",
    }  # fmt: skip
    if engine == "hooks":
        return GradSampleModule(network), DPOptimizer(sgd, **settings), nn.CrossEntropyLoss()
    ghost = {"max_grad_norm": CLIP_NORM, "use_ghost_clipping": True}
    module = GradSampleModuleFastGradientClipping(network, **ghost)
    optimizer = DPOptimizerFastGradientClipping(sgd, **settings)
    return module, optimizer, DPLossFastGradientClipping(module, optimizer, nn.CrossEntropyLoss(), "mean")


def clipped_mean(network: nn.Module, engine: Engine, x: np.ndarray, y: np.ndarray) -> Sequence[np.ndarray]:
    """The clipped gradients' sum over the batch size, leaf by leaf, without noise."""
    module, optimizer, loss = wrapped(network, engine, 0.0, len(y), 0.1, 0.0)
    optimizer.zero_grad()
    loss(module(torch.from_numpy(x)), torch.from_numpy(y).long()).backward()
    optimizer.pre_step()
    return [p.grad.detach().numpy().copy() for p in network.parameters() if p.grad is not None]
