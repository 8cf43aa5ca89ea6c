"""What a campaign of estimators makes of the flags: which of them need a network, and what stands in for one."""

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NoReturn

from miajax.campaign.privacy import PrivacyFlags
from miajax.data.dataset import Dataset
from miajax.data.splits import is_ragged, member_capacity
from miajax.errors import UserError
from miajax.estimators.elsewhere import ELSEWHERE, trained_elsewhere
from miajax.estimators.reference import Estimator, load_estimator, names_estimator
from miajax.models.model import Model
from miajax.models.registry import MODELS
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer

if TYPE_CHECKING:
    from miajax.campaign.config import CampaignConfig

_RECORDS = ("losses", "margins", "early", "parameters")
_PICTURES = ("flip", "shift", "cutout", "mixup")
_OF_NETWORKS = ("lowering", "chunk", "tune", "parallel", "query_mode", "widths", "activation", "dropout", "norm")


def estimator_of(config: "CampaignConfig") -> Estimator | None:
    """The estimator that ``--model`` names, or None for a network."""
    reference, args = config.model, config.model_options.model_args
    if reference == ELSEWHERE:
        return trained_elsewhere(args)
    if reference not in MODELS and names_estimator(reference, args):
        return load_estimator(reference, args)
    module, _, name = reference.rpartition(".")
    if reference not in MODELS and module and ":" not in reference:
        raise UserError(
            f"--model {reference} is unknown",
            expected=f"one of {', '.join(MODELS)}, path/to/file.py:name, or module:Class",
            remedy=f"Write {module}:{name}",
        )
    if args is not None:
        raise UserError(
            f"--model_args with --model {reference}",
            expected="an estimator, module:Class or path/to/file.py:factory",
            remedy="Networks have flags of their own: --widths, --activation, --dropout, --norm",
        )
    return None


def refuse(estimator: Estimator, what: str) -> NoReturn:
    """Raises the error of whatever asks an estimator for what only networks have."""
    if estimator.reference == ELSEWHERE:
        raise UserError(
            f"{what} needs the networks themselves, and of models trained elsewhere only answers came back",
            expected="a run whose networks were trained here (--model mlp, or another)",
            remedy="Leave it out",
        )
    raise UserError(
        f"{what} needs a network, and {estimator.label} is an estimator",
        expected="--model mlp, or another network",
        remedy="Leave it out, or train networks",
    )


def check_settings(config: "CampaignConfig", estimator: Estimator, weighed: bool) -> None:
    """Refuses, by name, settings that only a network can follow.

    Args:
      config: the campaign.
      estimator: its model.
      weighed: whether a treatment gives examples weights in the loss.

    Raises:
      UserError: the first such setting.
    """
    recipe = config.recipe
    if config.privacy.asked() is not None:
        refuse(estimator, "differentially private training (--dp_epsilon, --dp_noise_multiplier)")
    if recipe.early_stopping:
        refuse(estimator, f"--early_stopping {recipe.early_stopping}")
    for name in (*_PICTURES, "relaxloss", "hamp", "ema"):
        if getattr(recipe, name):
            refuse(estimator, f"--{name} {getattr(recipe, name)}")
    if config.queries > 1:
        refuse(estimator, f"--queries {config.queries} (augmented views)")
    if weighed:
        refuse(estimator, "a treatment that weighs examples")


def without_records(config: "CampaignConfig") -> tuple["CampaignConfig", tuple[str, ...]]:
    """The campaign without records that only networks leave, and a note on those that were asked for."""
    if config.keep is None or not (left := [kind for kind in config.keep if kind in _RECORDS]):
        return config, ()
    keep = tuple(kind for kind in config.keep if kind not in _RECORDS)
    note = f"Estimators train without epochs, gradients and parameters: nothing to keep of {', '.join(left)}."
    return dataclasses.replace(config, keep=keep), (note,)


def with_encoding(config: "CampaignConfig", estimator: Estimator) -> "CampaignConfig":
    """The campaign whose table is encoded as asked for, else as its model is made for."""
    if config.dataset != "table" or config.data.encoding is not None or config.data.features is not None:
        return config
    encoding = "trees" if estimator.grows_trees else "networks"
    return dataclasses.replace(config, data=dataclasses.replace(config.data, encoding=encoding))


def refuse_typed(estimator: Estimator, config: "CampaignConfig", typed: Collection[str]) -> None:
    """Refuses flags of networks that were typed, instead of leaving them without effect.

    Raises:
      UserError: the first of them.
    """
    own = {field.name for kind in (Recipe, PrivacyFlags) for field in dataclasses.fields(kind)} | {*_OF_NETWORKS}
    for name in sorted(typed):
        if name.removeprefix("no_") in own:
            refuse(estimator, f"--{name}")
    for kind in config.keep or () if "keep" in typed else ():
        if kind in _RECORDS:
            refuse(estimator, f"--keep {kind}")


def stand_in(config: "CampaignConfig", dataset: Dataset, estimator: Estimator, excludes: bool) -> Trainer:
    """The trainer of a campaign whose models are no networks: it knows their members, and refuses to run.

    Args:
      config: the campaign.
      dataset: what is attacked.
      estimator: its model.
      excludes: whether a treatment keeps some examples from every model.
    """

    def no_network(*_: Any) -> NoReturn:
        refuse(estimator, "this")

    model = Model(estimator.name, no_network, no_network, {"estimator": estimator.reference, **estimator.config})
    n, split, groups = dataset.num_examples, config.split, dataset.groups
    return Trainer(
        model,
        config.recipe,
        InputScaling.of(dataset),
        member_capacity(n, split, config.member_fraction, groups),
        is_ragged(n, split, groups) or excludes,
        dataset.features.shape[1:],
        config.seed,
    )
