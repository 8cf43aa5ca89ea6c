"""What is trained in the comparisons: one workload is one small dataclass, and a suite is a list of them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks._step_cost import StepCost, step_cost
from miajax.campaign.config import CampaignConfig, Setup
from miajax.data.dataset import Dataset
from miajax.models.registry import ModelOptions, build_model
from miajax.training.recipe import Precision, Recipe


@dataclasses.dataclass(frozen=True)
class Workload:
    """A network on its data, trained by a recipe; half the pool are members, batches are full.

    Attributes:
      name: in tables.
      campaign: our side of it, and the recipe of all sides.
      torch_network: key of the rivals' network in ``_torch_networks.NETWORKS``.
      models: M of the headline figure.
      data: makes the data set; None: the campaign's own.
    """

    name: str
    campaign: CampaignConfig
    torch_network: str
    models: int = 256
    data: Callable[[], Dataset] | None = None

    def setup(self) -> Setup:
        """The campaign with its data; networks know nothing of it beforehand (no whitening), as the rivals'."""
        dataset = None if self.data is None else self.data()
        model = None
        if dataset is not None:
            model = build_model(self.campaign.model, dataset.num_classes, self.campaign.model_options)
        return Setup.of(self.campaign, dataset, model)

    def cost(self) -> StepCost:
        """Of one training step of one model."""
        return step_cost(self.setup().trainer)


DIGITS_MLP = Workload(
    name="MLP 64-128-10 on digits, batch 64",
    campaign=CampaignConfig(
        dataset="digits", model="mlp", model_options=ModelOptions(widths=(128,)),
        recipe=Recipe(epochs=30, batch_size=64, optimizer="sgd", learning_rate=0.1, momentum=0.9, schedule="cosine"),
    ),
    torch_network="digits_mlp",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Part:
    """A network of a suite.

    Attributes:
      workload: what is trained; its ``models`` are compared with the rivals.
      counts: numbers of models that our side is measured with.
      thorough: whether all variants of PyTorch run the heats, compiled ones too, or a short list.
    """

    workload: Workload
    counts: tuple[int, ...]
    thorough: bool = True


def patterns(n: int, shape: tuple[int, ...], classes: int) -> Dataset:
    """A pattern for each class, in noise: images as uint8, tables as float32."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(n) % classes)
    x = rng.normal(size=(classes, *shape))[labels] + rng.normal(size=(n, *shape))
    features = (128 + 30 * x).clip(0, 255).astype(np.uint8) if len(shape) == 3 else x.astype(np.float32)
    return Dataset(features, labels, classes, "patterns")


def _part(
    model: str, words: str, shape: tuple[int, ...], batch: int, steps: int, counts: tuple[int, ...], *,
    classes: int = 10, thorough: bool = True, precision: Precision = "float32", epochs: int = 1,
) -> Part:  # fmt: skip
    recipe = Recipe(epochs, batch, learning_rate=0.02, momentum=0.9, schedule="cosine", precision=precision)
    half = "" if precision == "float32" else ", bfloat16"
    workload = Workload(
        name=f"{words}, batch {batch}{half}",
        campaign=CampaignConfig(model=model, recipe=recipe),
        torch_network={"mlp": "digits_mlp"}.get(model, model),
        models=counts[-1],
        data=functools.partial(patterns, 2 * batch * steps, shape, classes),
    )
    return Part(workload, counts, thorough)


CIFAR, FASHION = (32, 32, 3), (28, 28, 1)
_PRECISIONS: tuple[tuple[Precision, str], ...] = (("bfloat16", ""), ("float32", "_tf32"))
_ALL = tuple(2**i for i in range(9))

SUITES: Mapping[str, Mapping[str, Part]] = {
    "cpu": {
        "mlp": _part("mlp", "MLP 64-128-10", (64,), 64, 14, (1, 2, 4, 16, 64, 256), epochs=20),
        "purchase_mlp": _part("purchase_mlp", "Purchase MLP", (600,), 256, 4, (1, 2, 8, 16), classes=100, epochs=6),
        "cnn": _part("cnn", "CNN on 28x28", FASHION, 64, 4, (1, 2, 4, 16, 32)),
        "resnet20": _part("resnet20", "ResNet-20", CIFAR, 64, 2, (1, 2, 4, 8), thorough=False),
        "wrn28_2": _part("wrn28_2", "WRN-28-2", CIFAR, 64, 2, (2,), thorough=False),
        "resnet18": _part("resnet18", "ResNet-18", CIFAR, 64, 2, (2,), thorough=False),
        "densenet_bc_100_12": _part("densenet_bc_100_12", "DenseNet-BC(100, 12)", CIFAR, 64, 2, (2,), thorough=False),
        "fast_cifar": _part("fast_cifar", "fast CIFAR network", CIFAR, 64, 2, (1, 2), thorough=False),
    },
    "gpu": {
        "mlp": _part("mlp", "MLP 64-128-10", (64,), 64, 14, _ALL, epochs=20),
        "purchase_mlp": _part("purchase_mlp", "Purchase MLP", (600,), 256, 16, _ALL, classes=100),
        **{
            f"{model}{suffix}": _part(model, words, shape, 128, 8, counts, precision=precision)
            for precision, suffix in _PRECISIONS
            for model, words, shape, counts in (
                ("cnn", "CNN on 28x28", FASHION, _ALL),
                ("resnet20", "ResNet-20", CIFAR, _ALL[:7]),
                ("wrn28_2", "WRN-28-2", CIFAR, _ALL[:5]),
                ("resnet18", "ResNet-18", CIFAR, _ALL[:5]),
                ("densenet_bc_100_12", "DenseNet-BC(100, 12)", CIFAR, _ALL[:5]),
                ("fast_cifar", "fast CIFAR network", CIFAR, _ALL[:7]),
            )
        },
    },
}
