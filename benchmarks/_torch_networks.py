"""The rivals' networks: the same layers and the same distribution of initial weights as ours."""
# torch is an extra: without it this file is not imported.
# pyright: reportMissingImports=false

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

_STD_OF_TRUNCATED_NORMAL = 0.87962566103423978  # of a standard normal cut at ±2


class TorchNetwork(NamedTuple):
    """A network of the rivals.

    Attributes:
      build: one model, freshly initialised.
      stacked: ``(parameters, x [M, B, ...]) -> logits [M, B, C]`` of M models at once, written with batched products;
        the parameters' leaves start with M, in the order of ``build().parameters()``.
    """

    build: Callable[[], nn.Module]
    stacked: Callable[[Sequence[Tensor], Tensor], Tensor]


def mlp(*sizes: int) -> TorchNetwork:
    """Dense layers of these sizes with ReLU between them; weights LeCun normal, biases 0, as our MLP."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            dense = nn.Linear(inputs, outputs)
            std = inputs**-0.5 / _STD_OF_TRUNCATED_NORMAL
            nn.init.trunc_normal_(dense.weight, 0.0, std, -2 * std, 2 * std)
            nn.init.zeros_(dense.bias)
            layers += [dense, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def stacked(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        for layer in range(0, len(parameters), 2):
            if layer:
                x = x.relu()
            x = torch.baddbmm(parameters[layer + 1].unsqueeze(1), x, parameters[layer].mT)
        return x

    return TorchNetwork(build, stacked)


NETWORKS: dict[str, TorchNetwork] = {"digits_mlp": mlp(64, 128, 10)}
