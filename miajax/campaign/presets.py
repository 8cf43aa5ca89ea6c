"""Named campaigns: what each reproduces, its time on named hardware and its result.

``miajax lira --preset NAME`` runs one. Where nothing is measured it says so. What a preset cannot take
over from its source stands in ``departures``.
"""

import dataclasses

from miajax.campaign.config import CampaignConfig
from miajax.campaign.privacy import PrivacyFlags
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.training.recipe import Recipe

_PAIRS = "pairs of complements instead of permuted ranks: every example still in exactly {} models"


@dataclasses.dataclass(frozen=True)
class Preset:
    """A campaign with its pedigree.

    Attributes:
      campaign: the settings.
      source: where they come from.
      measured: time, hardware and result of ``miajax lira --preset NAME``, or "not measured".
      departures: how it differs from its source.
    """

    campaign: CampaignConfig
    source: str
    measured: str = "not measured"
    departures: tuple[str, ...] = ()


PRESETS: dict[str, Preset] = {
    "digits": Preset(
        CampaignConfig(
            dataset="digits",
            model="mlp",
            model_options=ModelOptions(widths=(128,)),
            num_shadows=256,
            recipe=Recipe(epochs=30, batch_size=64, learning_rate=0.1, momentum=0.9, schedule="cosine"),
        ),
        source="miajax's own first run",
        measured="7 to 9 s on 2 CPU cores; LiRA online AUC .600, TPR .028 at FPR .001; see README.md",
    ),
    "digits_dp": Preset(
        CampaignConfig(
            dataset="digits",
            model="mlp",
            model_options=ModelOptions(widths=(128,)),
            num_shadows=64,
            recipe=Recipe(epochs=100, batch_size=128, learning_rate=1.0, momentum=0.0, schedule="cosine"),
            # A record's presence decides nothing but itself, as the guarantee has it.
            split="bernoulli",
            privacy=PrivacyFlags(dp_epsilon=8.0, dp_delta=1e-5, dp_clip_norm=1.0, dp_overflow="microbatch"),
        ),
        source="miajax's own; recipe chosen by accuracy at epsilon 8 on the same data, which epsilon does not cover",
        measured="accuracy .939 (without privacy .965); LiRA TPR .0013 [.0010, .0018] at FPR .001; "
        "see docs/findings/private_training.md",
    ),
    "fashion_mnist_cnn": Preset(
        CampaignConfig(
            dataset="fashion_mnist",
            data=DataOptions(max_examples=10_000),
            model="cnn",
            num_shadows=64,
            recipe=Recipe(epochs=10, batch_size=64, learning_rate=0.05, momentum=0.9, schedule="cosine"),
        ),
        source="miajax's own",
        measured="15 min on 2 CPU cores with records of every epoch; accuracy .886; LiRA AUC .638, TPR .024",
    ),
    "fashion_mnist_resnet20": Preset(
        CampaignConfig(
            dataset="fashion_mnist",
            model="resnet20",
            num_shadows=64,
            recipe=Recipe(
                epochs=30, batch_size=128, learning_rate=0.1, momentum=0.9, weight_decay=5e-4, flip=True, shift=2
            ),
        ),
        source="miajax's own",
    ),
    "purchase100": Preset(
        CampaignConfig(
            dataset="purchase100",
            data=DataOptions(pool="all"),
            model="purchase_mlp",
            num_shadows=64,
            member_fraction=0.8,
            recipe=Recipe(
                epochs=200, batch_size=32, optimizer="adam", learning_rate=5e-4, schedule="constant", momentum=0.0
            ),
        ),
        source="Khalil et al. 2025, Purchase-100: one model, 157,859 members, 39,465 non-members",
        departures=(
            "64 models instead of 1; no checkpoint is picked on the non-members",
            "minibatches drawn anew every epoch; the source's are fixed, never reshuffled",
        ),
    ),
    "cifar10_densenet": Preset(
        CampaignConfig(
            dataset="cifar10",
            data=DataOptions(pool="all"),
            model="densenet_bc_100_12",
            num_shadows=64,  # of 16, one in four examples would have fewer than the two OUT models that LiRA needs
            member_fraction=5 / 6,
            recipe=Recipe(
                epochs=100,
                batch_size=64,
                learning_rate=0.1,
                momentum=0.9,
                schedule="step",
                milestones=(0.3, 0.6, 0.9),
            ),
        ),
        source="Khalil et al. 2025, CIFAR-10: one model, 50,000 members, 10,000 non-members",
        departures=(
            "64 models instead of 1; no checkpoint is picked on the non-members",
            "minibatches drawn anew every epoch; the source's are fixed, never reshuffled",
        ),
    ),
    "purchase100_fcn": Preset(
        CampaignConfig(
            dataset="purchase100",
            data=DataOptions(pool="all", max_examples=138_126),
            model="mlp",
            model_options=ModelOptions(widths=(1024, 512), activation="tanh"),
            num_shadows=256,
            split="balanced",
            recipe=Recipe(
                epochs=100,
                batch_size=128,
                learning_rate=0.01,
                momentum=0.9,
                nesterov=True,
                weight_decay=5e-4,
                decayed="not_biases",
            ),
        ),
        source="lira_analysis (arXiv 2603.07567), purchase100_baseline",
        departures=(
            "the pool is the first 70 % of the set instead of a random 70 %",
            _PAIRS.format(128),
            "no early stopping on the rest of the set; float32 instead of mixed precision",
        ),
    ),
    "cifar10_resnet18": Preset(
        CampaignConfig(
            dataset="cifar10",
            model="resnet18",
            num_shadows=256,
            split="balanced",
            queries=18,
            recipe=Recipe(
                epochs=100,
                batch_size=256,
                learning_rate=0.1,
                momentum=0.9,
                nesterov=True,
                weight_decay=5e-4,
                decayed="not_biases",
                flip=True,
                shift=4,
                cutout=16,
            ),
        ),
        source="lira_analysis (arXiv 2603.07567), cifar10_baseline",
        departures=(
            "the cutout square lies anywhere and has the mean colour; the source's lies wholly inside and is black",
            _PAIRS.format(128),
            "no early stopping on the test part; float32 instead of mixed precision",
        ),
    ),
    "cifar10_wrn28_2": Preset(
        CampaignConfig(
            dataset="cifar10",
            model="wrn28_2",
            num_shadows=16,
            split="balanced",
            queries=2,
            recipe=Recipe(
                epochs=100,
                batch_size=256,
                learning_rate=0.1,
                momentum=0.9,
                warmup=0.01,
                weight_decay=5e-4,
                decayed="kernels",
                flip=True,
                shift=4,
            ),
        ),
        source="the published LiRA code (Carlini et al. 2022), its demo of 16 WRN-28-2",
        departures=(
            "queries in evaluation mode instead of training mode",
            _PAIRS.format(8),
            "cosine to 0 instead of cos(7 pi/16); images standardised by channel instead of scaled to [-1, 1]",
        ),
    ),
    "cifar10_small": Preset(
        CampaignConfig(
            dataset="cifar10",
            model="small_cifar",
            num_shadows=64,
            queries=2,
            recipe=Recipe(
                epochs=10,
                batch_size=128,
                learning_rate=0.15,
                momentum=0.9,
                nesterov=True,
                schedule="one_cycle",
                weight_decay=5e-4,
                flip=True,
                shift=2,
            ),
        ),
        source="miajax's own, in the spirit of airbench (Jordan, arXiv 2404.00498), for two CPU cores",
        departures=(
            "patches of 4x4 at every second pixel, fewer multiply-adds; no label smoothing",
            "plain SGD with Nesterov momentum and one cycle; scaled batch normalisation",
            "the whitening is computed from the whole pool, so that it is the same for every model",
        ),
    ),
    "cifar10_fast": Preset(
        CampaignConfig(
            dataset="cifar10",
            model="fast_cifar",
            num_shadows=256,
            queries=2,
            recipe=Recipe(
                epochs=10,
                batch_size=512,
                learning_rate=0.4,
                momentum=0.9,
                nesterov=True,
                schedule="one_cycle",
                weight_decay=5e-4,
                label_smoothing=0.2,
                flip=True,
                shift=2,
                precision="bfloat16",
            ),
        ),
        source="in the spirit of airbench (Jordan, arXiv 2404.00498): whitened first layer, 10 epochs of half the data",
        departures=(
            "plain SGD with Nesterov momentum and one cycle instead of Muon or Lookahead; scaled batch normalisation",
            "the whitening is computed from the whole pool, so that it is the same for every model",
        ),
    ),
}


def preset(name: str) -> CampaignConfig:
    """The campaign of that name.

    Raises:
      UserError: an unknown name; the known ones are listed.
    """
    if name not in PRESETS:
        raise UserError(f"--preset {name} is unknown", expected="one of " + ", ".join(sorted(PRESETS)))
    return PRESETS[name].campaign
