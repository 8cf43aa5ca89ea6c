"""The rivals' networks: the same layers and the same distribution of initial weights as ours."""
# torch is an extra: without it this file is not imported.
# pyright: reportMissingImports=false

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_STD_OF_TRUNCATED_NORMAL = 0.87962566103423978  # of a standard normal cut at ±2


class TorchNetwork(NamedTuple):
    """A network of the rivals.

    Attributes:
      build: one model, freshly initialised.
      stacked: ``(parameters, x [M, B, ...]) -> logits [M, B, C]`` of M models at once, written with batched products;
        the parameters' leaves start with M, in the order of ``build().parameters()``. None where nobody wrote it.
    """

    build: Callable[[], nn.Module]
    stacked: Callable[[Sequence[Tensor], Tensor], Tensor] | None = None


def initialise(model: nn.Module) -> nn.Module:
    """Our distribution of initial weights: dense layers LeCun normal, convolutions He normal by outputs, biases 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            std = layer.in_features**-0.5 / _STD_OF_TRUNCATED_NORMAL
            nn.init.trunc_normal_(layer.weight, 0.0, std, -2 * std, 2 * std)
        elif isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, (2.0 / (layer.out_channels * layer.weight[0, 0].numel())) ** 0.5)
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model


def mlp(*sizes: int, activation: type[nn.Module] = nn.ReLU) -> TorchNetwork:
    """Dense layers of these sizes with an activation between them."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), activation()]
        return initialise(nn.Sequential(*layers[:-1]))

    act = activation()

    def stacked(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        for layer in range(0, len(parameters), 2):
            if layer:
                x = act(x)
            x = torch.baddbmm(parameters[layer + 1].unsqueeze(1), x, parameters[layer].mT)
        return x

    return TorchNetwork(build, stacked)


def _conv(inputs: int, outputs: int, window: int = 3, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, window, stride, window // 2, bias=bias)


def _cnn() -> nn.Module:
    return nn.Sequential(
        _conv(1, 32, bias=True), nn.ReLU(), nn.MaxPool2d(2), _conv(32, 64, bias=True), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(49 * 64, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


class _Pooled(nn.Module):
    """The mean over the image, then the logits."""

    def __init__(self, body: nn.Module, width: int):
        super().__init__()
        self.body, self.head = body, nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


class _BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, projection: bool):
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = _conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs
        changed = stride > 1 or self.missing
        self.shortcut = None
        if changed and projection:
            self.shortcut = nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.missing:
            before = self.missing // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.missing - before))
        return F.relu(x + y)


def _resnet(blocks: Sequence[int], widths: Sequence[int], projection: bool) -> nn.Module:
    layers: list[nn.Module] = [_conv(3, widths[0]), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    inputs = widths[0]
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
        for block in range(count):
            layers.append(_BasicBlock(inputs, width, 2 if stage and not block else 1, projection))
            inputs = width
    return _Pooled(nn.Sequential(*layers), inputs)


class _WideBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), _conv(inputs, outputs, stride=stride)
        self.norm2, self.conv2 = nn.BatchNorm2d(outputs), _conv(outputs, outputs)
        self.shortcut = _conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.norm1(x))
        y = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return y + (x if self.shortcut is None else self.shortcut(active))


def _wide_resnet(depth: int, widen: int) -> nn.Module:
    layers: list[nn.Module] = [_conv(3, 16)]
    inputs = 16
    for group in range(3):
        for block in range((depth - 4) // 6):
            layers.append(_WideBlock(inputs, 16 * 2**group * widen, 2 if group and not block else 1))
            inputs = 16 * 2**group * widen
    return _Pooled(nn.Sequential(*layers, nn.BatchNorm2d(inputs), nn.ReLU()), inputs)


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), _conv(inputs, 4 * growth, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), _conv(4 * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


def _densenet(depth: int = 100, growth: int = 12) -> nn.Module:
    layers: list[nn.Module] = [_conv(3, 2 * growth)]
    width = 2 * growth
    for block in range(3):
        if block:
            layers += [nn.BatchNorm2d(width), nn.ReLU(), _conv(width, width // 2, 1), nn.AvgPool2d(2)]
            width //= 2
        for _ in range((depth - 4) // 6):
            layers.append(_Bottleneck(width, growth))
            width += growth
    return _Pooled(nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU()), width)


class _FastCifar(nn.Module):
    """The whitening is that of uncorrelated pixels, as on our side of the comparison."""

    kernel: Tensor

    def __init__(self, channels: int = 3, widths: Sequence[int] = (64, 256, 256)):
        super().__init__()
        inputs = 4 * channels
        # Entry (row, column, channel) of a patch passes, and its negative.
        kernel = torch.eye(inputs).view(inputs, 2, 2, channels).permute(0, 3, 1, 2)
        self.register_buffer("kernel", torch.cat([kernel, -kernel]).contiguous())
        self.bias = nn.Parameter(torch.zeros(2 * inputs))
        layers: list[nn.Module] = []
        for before, width in itertools.pairwise((2 * inputs, *widths)):
            layers += [
                _conv(before, width), nn.MaxPool2d(2), nn.BatchNorm2d(width), nn.GELU("tanh"),
                _conv(width, width), nn.BatchNorm2d(width), nn.GELU("tanh"),
            ]  # fmt: skip
        self.body, self.head = nn.Sequential(*layers), nn.Linear(widths[-1], 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(F.conv2d(x, self.kernel, self.bias), approximate="tanh")
        return self.head(self.body(x).amax((2, 3))) / 9.0


def _initialised(build: Callable[..., nn.Module], *args: object) -> TorchNetwork:
    return TorchNetwork(lambda: initialise(build(*args)))


NETWORKS: dict[str, TorchNetwork] = {
    "digits_mlp": mlp(64, 128, 10),
    "purchase_mlp": mlp(600, 1024, 512, 256, 128, 100, activation=nn.Tanh),
    "cnn": _initialised(_cnn),
    "resnet20": _initialised(_resnet, (3, 3, 3), (16, 32, 64), False),
    "resnet18": _initialised(_resnet, (2, 2, 2, 2), (64, 128, 256, 512), True),
    "wrn28_2": _initialised(_wide_resnet, 28, 2),
    "densenet_bc_100_12": _initialised(_densenet),
    "fast_cifar": _initialised(_FastCifar),
}
