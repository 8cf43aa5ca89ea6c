"""What a shadow campaign is asked to do: the flags that every experiment shares."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import jax.numpy as jnp
import numpy as np

from miajax.campaign.estimator_settings import (
    check_settings,
    estimator_of,
    refuse,
    stand_in,
    with_encoding,
    without_records,
)
from miajax.campaign.members import fewest_members, fitting_batch
from miajax.campaign.privacy import PrivacyFlags, check_sweep, privacy_identity, with_units
from miajax.data.bounds import FeatureBounds, scaled_columns, told_by_preparation
from miajax.data.dataset import Dataset
from miajax.data.groups import group_sizes, note_on_groups
from miajax.data.registry import DataOptions, load_dataset
from miajax.data.splits import Split, is_ragged, member_capacity, membership
from miajax.data.validation import carve_validation
from miajax.defenses.treatment import Treatment
from miajax.described import described
from miajax.errors import UserError
from miajax.estimators.reference import Estimator
from miajax.models.contract import check_model
from miajax.models.model import Model
from miajax.models.registry import WHITENED, ModelOptions, build_model, check_pictures
from miajax.signals.query import QueryMode, check_queries
from miajax.training.dp.mechanism import Mechanism, Privacy, resolve
from miajax.training.parallel import Parallel
from miajax.training.private import trainer_under
from miajax.training.recipe import OptimizerBuilder, Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer
from miajax.typed import Json

Keep = Literal["logits", "losses", "margins", "early", "parameters"]
_ALGORITHM = 1  # raised when the same configuration would give other bits by design


@described
@dataclasses.dataclass(frozen=True)
class CampaignConfig:
    """A shadow campaign: which data, which models, how many, trained how.

    Example:
      >>> config = CampaignConfig(dataset="digits", num_shadows=64, split="balanced")
      >>> config.model, config.recipe.epochs, config.model_range()
      ('mlp', 30, range(0, 64))
    """

    dataset: str = "digits"
    """data set that is attacked"""
    data: DataOptions = dataclasses.field(default_factory=DataOptions)
    model: str = "mlp"
    """network, or an estimator with scikit-learn's interface: module:Class, path/to/file.py:factory"""
    model_options: ModelOptions = dataclasses.field(default_factory=ModelOptions)
    num_shadows: int = 256
    """M, shadow models; each is also a target"""
    recipe: Recipe = dataclasses.field(default_factory=Recipe)
    privacy: PrivacyFlags = dataclasses.field(default_factory=PrivacyFlags)
    seed: int = 0
    """root seed of splits, initial weights and minibatches"""
    split: Split = "fixed_size"
    """how members are drawn: fixed_size, balanced (complementary pairs) or bernoulli"""
    member_fraction: float = 0.5
    """share of the pool that each model trains on"""
    validation_fraction: float = 0.0
    """share of the pool set aside, before any split, for early stopping to look at; no attack ever uses it"""
    queries: int = 1
    """augmented views of each example that every model answers: 1, 2, 18 or 50"""
    query_mode: QueryMode = "evaluation"
    """evaluation: running statistics; batch_stats: statistics of the queried batch, as published code once did"""
    parallel: Parallel = "shard_map"
    """how devices are used"""
    chunk: int | None = None
    """models under one vmap; chosen by the machine when not given"""
    lowering: str | None = None
    """how convolutions are computed: cpu, grouped, patches or unrolled; chosen by the machine when not given"""
    tune: bool | None = None
    """time a few steps of every lowering and chunk before training, and take the fastest; not given: only for
    convolutions on an accelerator"""
    group: int | None = None
    """models trained and stored together; planned from memory when not given"""
    keep: tuple[Keep, ...] | None = None
    """large files to keep: logits, losses and margins (of every example after every epoch), early (logits and gradient
    norms early in training), parameters; not given: logits and parameters while small"""
    models: str | None = None
    """train only this range of model ids, FIRST:END (END not included), so that several machines share a run folder"""
    checkpoint_minutes: float = 10.0
    """how often an unfinished group is stored"""
    strict: bool = False
    """take models that fail (divergence, no memory, a compiler's failure) as an error, instead of leaving them out"""

    def __post_init__(self):
        if self.num_shadows < 1:
            raise UserError(f"--num_shadows {self.num_shadows}", expected="1 or more models")
        if self.split == "balanced" and self.num_shadows % 2:
            raise UserError(
                f"--num_shadows {self.num_shadows} with --split balanced",
                expected="an even number, since models come in pairs",
            )
        if not 0 <= self.seed < 2**63:
            raise UserError(f"--seed {self.seed}", expected="a whole number from 0 to 2**63 - 1")
        if not self.checkpoint_minutes >= 0:
            raise UserError(f"--checkpoint_minutes {self.checkpoint_minutes}", expected="0 or more minutes")
        for name in ("chunk", "group"):
            if (models := getattr(self, name)) is not None and models < 1:
                raise UserError(f"--{name} {models}", expected="1 or more models, or None")
        if name := _not_a_number(dataclasses.asdict(self)):
            raise UserError(f"--{name} is NaN", expected="a number")
        self.model_range()
        self.privacy.asked()

    def model_range(self) -> range:
        """The ids this process trains."""
        if self.models is None:
            return range(self.num_shadows)
        first, colon, end = self.models.partition(":")
        if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end) <= self.num_shadows):
            raise UserError(f"--models {self.models}", expected=f"FIRST:END within 0:{self.num_shadows}")
        return range(int(first), int(end))


def _not_a_number(settings: Json) -> str | None:
    """The name of a setting that is NaN, which passes comparisons that are meant to refuse it."""
    for name, value in settings.items():
        if isinstance(value, dict) and (found := _not_a_number(cast(Json, value))):
            return found
        for one in cast(tuple[Any, ...], value if isinstance(value, tuple) else (value,)):
            if isinstance(one, float) and math.isnan(one):
                return name
    return None


@dataclasses.dataclass(frozen=True)
class Setup:
    """A configuration with its data at hand: what training and attacks start from.

    Attributes:
      config: what was asked for.
      dataset: what is attacked.
      trainer: of one model.
      privacies: private trainings as they were asked for, that models take in turn by id; empty where none is private.
      mechanisms: what runs for each of them.
      treatment: what is done to single examples before training, or None.
      notes: what was chosen by the data.
      estimator: what is trained instead of a network, or None; ``trainer`` then only knows its members.

    Example:
      >>> setup = Setup.of(CampaignConfig(num_shadows=4))
      >>> setup.dataset.features.shape, setup.membership(4).shape  # [N, ...], bool[M, N]
      ((1797, 64), (4, 1797))
    """

    config: CampaignConfig
    dataset: Dataset
    trainer: Trainer
    privacies: tuple[Privacy, ...] = ()
    mechanisms: tuple[Mechanism, ...] = ()
    treatment: Treatment | None = None
    notes: tuple[str, ...] = ()
    estimator: Estimator | None = None

    @classmethod
    def of(
        cls,
        config: CampaignConfig,
        dataset: Dataset | None = None,
        model: Model | None = None,
        optimizer: OptimizerBuilder | None = None,
        privacies: Sequence[Privacy] | None = None,
        treatment: Treatment | None = None,
        fit_batch: bool = False,
    ) -> "Setup":
        """Reads the data set and builds the network, unless they are given, and the trainer.

        ``optimizer`` makes any optax chain from the recipe's schedule; the fingerprint holds its ``__name__``, which
        must tell it from others. ``privacies``, instead of the configuration's one, are what models take in turn by
        id: a sweep over noise and clipping is one ensemble. ``treatment`` changes what is trained on, not what is
        attacked. ``fit_batch`` lowers a batch size that a model's members don't fill (`fitting_batch`), and notes it,
        where it would be refused otherwise.

        Raises:
          UserError: whatever in data, model, recipe and privacy does not fit together.
          ValueError: several mechanisms that don't make one ensemble.
        """
        notes: tuple[str, ...] = ()
        estimator = None if model is not None else estimator_of(config)
        if estimator is not None:
            check_settings(config, estimator, treatment is not None and treatment.weights is not None)
            config, notes = without_records(config)
            config = with_encoding(config, estimator)
        elif config.data.encoding == "trees":
            raise UserError("--encoding trees with a network", expected="--encoding networks, or another --model")
        dataset = dataset or load_dataset(config.dataset, config.data)
        if config.validation_fraction and dataset.validation_labels is None:
            dataset = carve_validation(dataset, config.validation_fraction, config.seed)
        if config.recipe.early_stopping and dataset.validation_labels is None:
            raise UserError(
                f"--early_stopping {config.recipe.early_stopping} without a validation part",
                expected="--validation_fraction",
                remedy="Add for example --validation_fraction 0.1",
            )
        check_queries(config.queries, dataset.features.shape[1:])
        if config.recipe.augments_images and dataset.features.ndim != 4:
            raise UserError(
                f"--flip, --shift or --cutout on rows of shape {dataset.features.shape[1:]}",
                expected="images [height, width, channels]",
                remedy="Tables take no image augmentation",
            )
        n, f = dataset.num_examples, config.member_fraction
        groups = dataset.groups
        membership(config.seed, n, 0, config.split, f, groups)  # refuses impossible fractions before anything is made
        capacity = member_capacity(n, config.split, f, groups)
        if groups is not None:
            notes = (*notes, note_on_groups(dataset.group_name, groups))
        excluded = None if treatment is None else treatment.excluded
        fewest = fewest_members(config, n, excluded, groups)
        if privacies is None:
            asked = config.privacy.asked()
            privacies = () if asked is None else (asked,)
        privacies = with_units(privacies, groups is not None)
        by_group = bool(privacies) and privacies[0].unit == "group"
        if by_group:
            if excluded is not None:
                raise UserError(
                    "a treatment that leaves out examples, under differential privacy of groups",
                    expected="--dp_unit row",
                )
            n, groups = len(dataset.group_keys), None  # what is sampled, clipped and accounted for are groups
            capacity, fewest = member_capacity(n, config.split, f), fewest_members(config, n, None, None)
        if estimator is not None:
            trainer = stand_in(config, dataset, estimator, excluded is not None)
            return cls(config, dataset, trainer, treatment=treatment, estimator=estimator, notes=notes)
        if fit_batch and 0 < fewest < config.recipe.batch_size:
            batch = fitting_batch(config.recipe.batch_size, min(int(n * f), 4 * fewest))
            notes = (
                *notes,
                f"Batches hold {batch} {'groups' if by_group else 'examples'} instead of {config.recipe.batch_size}: "
                f"of the pool of {n}, a model has {fewest} members or more, and an epoch is to have four full batches. "
                "--batch_size sets another size.",
            )
            config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=batch))
        if config.recipe.batch_size > fewest:
            unit = "groups" if by_group else "members"
            raise UserError(
                f"--batch_size {config.recipe.batch_size} is more than a model's {fewest} {unit}",
                expected=f"at most {fewest}",
                remedy="Lower --batch_size, or raise --member_fraction",
            )
        asked = config.data.feature_bounds
        scaling = InputScaling.of(dataset, None if asked is None else FeatureBounds.read(asked))
        spread = dataset.features[:: max(1, dataset.num_examples // 5000)]
        images = lambda: np.asarray(scaling(jnp.asarray(spread)))  # noqa: E731
        if model is None:
            check_pictures(config.model, dataset.features.shape[1:])
        model = model or build_model(config.model, dataset.num_classes, config.model_options, images)
        check_model(model, dataset.features.shape[1:], dataset.num_classes)
        trainer = Trainer(
            model,
            config.recipe,
            scaling,
            capacity,
            is_ragged(n, config.split, groups) or excluded is not None,
            dataset.features.shape[1:],
            config.seed,
            optimizer,
        )
        check_sweep(privacies, config.split)
        if privacies and treatment is not None and treatment.weights is not None:
            raise UserError(
                f"treatment {treatment.name} weighs examples under differential privacy",
                expected="training without --dp_epsilon and --dp_noise_multiplier, or a treatment without weights",
                remedy="Clipping would undo the weights of examples whose gradients are long",
            )
        rows = int(group_sizes(dataset.groups).max()) if by_group and dataset.groups is not None else 0
        mechanisms = tuple(
            resolve(privacy, config.recipe, trainer.capacity, trainer.ragged, rows) for privacy in privacies
        )
        if mechanisms:
            statistics = any(mechanism.statistics_epsilon is not None for mechanism in mechanisms)
            if statistics and config.data.feature_bounds is None:
                raise UserError(
                    "--dp_statistics_epsilon without public bounds of the features",
                    expected="--feature_bounds with it, which say how far one record can move a mean",
                )
            columns = scaled_columns(dataset) if statistics else None
            if columns is not None and not (columns >= 0).any():
                raise UserError(
                    "--dp_statistics_epsilon for a table without columns of numbers",
                    expected="columns of numbers, which alone are scaled",
                )
            trainer = trainer_under(trainer, mechanisms, columns)
        return cls(config, dataset, trainer, tuple(privacies), mechanisms, treatment, notes)

    def require_network(self, what: str) -> None:
        """Refuses, by name, a study that only networks allow.

        Raises:
          UserError: the models are estimators.
        """
        if self.estimator is not None:
            refuse(self.estimator, what)

    def membership(self, num_models: int | None = None):
        """``bool[M, N]`` of this campaign."""
        config = self.config
        models, n = config.num_shadows if num_models is None else num_models, self.dataset.num_examples
        member = membership(config.seed, n, models, config.split, config.member_fraction, self.dataset.groups)
        if self.treatment is not None and self.treatment.excluded is not None:
            member &= ~self.treatment.excluded
        return member

    @property
    def training_set(self) -> Dataset:
        """The data set as models train on it."""
        if self.treatment is None or self.treatment.labels is None:
            return self.dataset
        return dataclasses.replace(self.dataset, labels=self.treatment.labels)

    @property
    def weights(self) -> np.ndarray | None:
        """``float32[N]``, of each example in the loss; None weighs all 1."""
        return None if self.treatment is None else self.treatment.weights

    def told_by_preparation(self) -> list[str]:
        """What was read off this campaign's records before training, which no guarantee covers, by name."""
        whitened = self.trainer.model.name in WHITENED
        return told_by_preparation(self.dataset, self.config.data.feature_bounds, whitened)

    def identity(self) -> dict[str, Any]:
        """JSON of all that models and signals depend on; the number of models is left out, so that a run can grow."""
        config, dataset = self.config, self.dataset
        identity = {
            "algorithm": _ALGORITHM,
            "dataset": dataset.name,
            "content_hash": dataset.content_hash,
            "num_examples": dataset.num_examples,
            "num_classes": dataset.num_classes,
            "model": {"name": self.trainer.model.name, **self.trainer.model.config},
            "recipe": config.recipe.identity() if self.estimator is None else {},
            "optimizer": getattr(self.trainer.optimizer, "__name__", None),
            "seed": config.seed,
            "split": config.split,
            "member_fraction": config.member_fraction,
            "queries": config.queries,
            "query_mode": config.query_mode,
            "validation_fraction": config.validation_fraction,
        }
        if dataset.groups is not None:
            identity["unit"] = "group"
        if self.privacies:
            identity["privacy"] = [
                {**plain(privacy_identity(privacy)), "resolved_noise_multiplier": mechanism.step.noise_multiplier}
                for privacy, mechanism in zip(self.privacies, self.mechanisms, strict=True)
            ]
        if self.estimator is not None and dataset.tree_features is not None:
            digest = hashlib.sha256(np.ascontiguousarray(dataset.tree_features).view(np.uint8).data).hexdigest()
            identity["encoding"] = {"name": "trees", "sha256": digest}
        if config.data.feature_bounds is not None:
            # Tables hold the bounds in their content; pixels are scaled when they are read.
            identity["scaling"] = {"mean": self.trainer.scaling.mean, "std": self.trainer.scaling.std}
        if self.treatment is not None:
            identity["treatment"] = self.treatment.identity()
        return identity


def plain(settings: Any) -> Any:
    """Settings as JSON, which has no infinity: ``"inf"``."""
    if isinstance(settings, dict):
        return {name: plain(value) for name, value in cast(Json, settings).items()}
    if isinstance(settings, (list, tuple)):
        return [plain(value) for value in cast(Sequence[Any], settings)]
    return "inf" if isinstance(settings, float) and math.isinf(settings) else settings
