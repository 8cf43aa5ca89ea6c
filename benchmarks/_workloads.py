"""What is trained in the comparisons: one workload is one small dataclass, and a suite is a list of them."""

import dataclasses
import itertools

from miajax.models.registry import ModelOptions
from miajax.studies.config import CampaignConfig, Setup
from miajax.training.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Workload:
    """A network on its data, trained by a recipe; half the pool are members, batches are full.

    Attributes:
      name: in tables.
      campaign: our side of it, and the recipe of all sides.
      torch_network: key of the rivals' network in ``_torch_networks.NETWORKS``.
      flops_per_step: multiplications and additions of one training step of one model, by formula: forward, weight
        gradients, input gradients of every layer but the first.
      models: M of the headline figure.
    """

    name: str
    campaign: CampaignConfig
    torch_network: str
    flops_per_step: int
    models: int = 256

    def setup(self) -> Setup:
        """The campaign with its data."""
        return Setup.of(self.campaign)


def dense_flops(sizes: tuple[int, ...], batch: int) -> int:
    """FLOPs of one training step of an MLP of these layer sizes: three products a layer, two for the first."""
    products = [batch * inputs * outputs for inputs, outputs in itertools.pairwise(sizes)]
    return 2 * (3 * sum(products) - products[0])


DIGITS_MLP = Workload(
    name="MLP 64-128-10 on digits, batch 64",
    campaign=CampaignConfig(
        dataset="digits", model="mlp", model_options=ModelOptions(widths=(128,)),
        recipe=Recipe(epochs=30, batch_size=64, optimizer="sgd", learning_rate=0.1, momentum=0.9, schedule="cosine"),
    ),
    torch_network="digits_mlp",
    flops_per_step=dense_flops((64, 128, 10), 64),
)
