"""Presets hold the settings of their sources, literally; published figures say whether they compare."""

import dataclasses

import optax
import pytest
from scipy.stats import binom

from miajax.campaign.presets import PRESETS, preset
from miajax.campaign.privacy import PrivacyFlags
from miajax.data.registry import DataOptions
from miajax.defenses.treatment import Treatment
from miajax.errors import UserError
from miajax.metrics.figures import Figure, Figures
from miajax.models.contract import check_model
from miajax.models.registry import ModelOptions, build_model
from miajax.studies.comparable import flat
from miajax.studies.published import PUBLISHED, beside_published, published_notes, settings
from miajax.training.recipe import Recipe
from tests.studies.helpers import small
from tests.studies.made import made

# Every setting that figures may depend on, as most sources have it.
COMMON = {
    "model_options.widths": (128,),
    "model_options.activation": "relu",
    "model_options.dropout": 0.0,
    "model_options.norm": None,
    "data.pool": "train",
    "data.max_examples": None,
    "data.label_column": None,
    "data.group_column": None,
    "data.keep_keys": False,
    "data.drop_columns": (),
    "data.keep_columns": (),
    "data.stray_cells": "error",
    "data.separator": ",",
    "data.decimal": ".",
    "data.header": "line",
    "data.channels": None,
    "data.pixel_scale": None,
    "data.image_size": None,
    "data.data_seed": 0,
    "data.canaries": 0,
    "data.canary_kind": "mislabelled",
    "data.canary_seed": 0,
    "split": "fixed_size",
    "member_fraction": 0.5,
    "validation_fraction": 0.0,
    "queries": 1,
    "query_mode": "evaluation",
    "recipe.optimizer": "sgd",
    "recipe.momentum": 0.9,
    "recipe.nesterov": False,
    "recipe.schedule": "cosine",
    "recipe.milestones": (0.5, 0.75),
    "recipe.warmup": 0.0,
    "recipe.weight_decay": 0.0,
    "recipe.decayed": "all",
    "recipe.label_smoothing": 0.0,
    "recipe.flip": False,
    "recipe.shift": 0,
    "recipe.cutout": 0,
    "recipe.mixup": 0.0,
    "recipe.relaxloss": 0.0,
    "recipe.relaxloss_upper": 1.0,
    "recipe.hamp": 0.0,
    "recipe.hamp_penalty": 0.0,
    "recipe.ema": 0.0,
    "recipe.early_stopping": 0,
    "recipe.precision": "float32",
    "data.features": None,
    "data.feature_bounds": None,
    "data.encoding": None,
    "model_options.model_args": None,
    "privacy.dp_epsilon": None,
    "privacy.dp_noise_multiplier": None,
    "privacy.dp_delta": 1e-5,
    "privacy.dp_clip_norm": 1.0,
    "privacy.dp_sampling": "poisson",
    "privacy.dp_overflow": "truncate",
    "privacy.dp_slots": None,
    "privacy.dp_microbatch": None,
    "privacy.dp_augmentation_multiplicity": 1,
    "privacy.dp_accountant": "smaller",
    "privacy.dp_reproducible_noise": False,
    "privacy.dp_unit": None,
    "privacy.dp_statistics_epsilon": None,
}


def row(dataset: str, model: str, shadows: int, epochs: int, batch: int, rate: float, **rest) -> dict:
    """One preset's settings; what differs from COMMON in ``rest``, which ``recipe`` nests."""
    recipe = {"epochs": epochs, "batch_size": batch, "learning_rate": rate, **rest.pop("recipe", {})}
    data, options = rest.pop("data", {}), rest.pop("options", {})
    named = {"dataset": dataset, "model": model, "num_shadows": shadows, **rest}
    return COMMON | named | dict(flat({"recipe": recipe, "data": data, "model_options": options}))


WEAK = {"flip": True, "shift": 4}
# Typed once more from the sources: (data set, network, models, epochs, batch, rate), and the rest by name.
TABLE = {
    "digits": row("digits", "mlp", 256, 30, 64, 0.1),
    "digits_dp": row(
        "digits", "mlp", 64, 100, 128, 1.0, split="bernoulli", recipe={"momentum": 0.0},
        **{"privacy.dp_epsilon": 8.0, "privacy.dp_overflow": "microbatch"},
    ),
    "fashion_mnist_cnn": row("fashion_mnist", "cnn", 64, 10, 64, 0.05, data={"max_examples": 10_000}),
    "fashion_mnist_resnet20": row(
        "fashion_mnist", "resnet20", 64, 30, 128, 0.1, recipe={"weight_decay": 5e-4, "flip": True, "shift": 2}
    ),
    "purchase100": row(
        "purchase100", "purchase_mlp", 64, 200, 32, 5e-4, member_fraction=0.8, data={"pool": "all"},
        recipe={"optimizer": "adam", "schedule": "constant", "momentum": 0.0},
    ),
    "cifar10_densenet": row(
        "cifar10", "densenet_bc_100_12", 64, 100, 64, 0.1, member_fraction=5 / 6, data={"pool": "all"},
        recipe={"schedule": "step", "milestones": (0.3, 0.6, 0.9)},
    ),
    "purchase100_fcn": row(
        "purchase100", "mlp", 256, 100, 128, 0.01, split="balanced", data={"pool": "all", "max_examples": 138_126},
        options={"widths": (1024, 512), "activation": "tanh"},
        recipe={"nesterov": True, "weight_decay": 5e-4, "decayed": "not_biases"},
    ),
    "cifar10_resnet18": row(
        "cifar10", "resnet18", 256, 100, 256, 0.1, split="balanced", queries=18,
        recipe={"nesterov": True, "weight_decay": 5e-4, "decayed": "not_biases", "cutout": 16, **WEAK},
    ),
    "cifar10_wrn28_2": row(
        "cifar10", "wrn28_2", 16, 100, 256, 0.1, split="balanced", queries=2,
        recipe={"warmup": 0.01, "weight_decay": 5e-4, "decayed": "kernels", **WEAK},
    ),
    "cifar10_small": row(
        "cifar10", "small_cifar", 64, 10, 128, 0.15, queries=2,
        recipe={"nesterov": True, "schedule": "one_cycle", "weight_decay": 5e-4, "flip": True, "shift": 2},
    ),
    "cifar10_fast": row(
        "cifar10", "fast_cifar", 256, 10, 512, 0.4, queries=2,
        recipe={
            "nesterov": True, "schedule": "one_cycle", "weight_decay": 5e-4, "label_smoothing": 0.2,
            "flip": True, "shift": 2, "precision": "bfloat16",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_holds_its_sources_settings(name):
    assert settings(preset(name)) == TABLE[name]


def test_the_papers_splits_have_the_papers_sizes():
    assert int(preset("purchase100").member_fraction * 197_324) == 157_859
    assert int(preset("cifar10_densenet").member_fraction * 60_000) == 50_000


def test_the_papers_campaigns_have_two_models_without_nearly_every_example():
    """LiRA leaves the target out and needs two OUT models of an example: fewer give it no score."""
    for name in ("purchase100", "cifar10_densenet"):
        out = binom(preset(name).num_shadows - 1, 1 - preset(name).member_fraction)
        assert out.cdf(1) < 1e-3


def test_every_preset_says_where_it_comes_from_and_what_was_measured():
    for entry in PRESETS.values():
        assert entry.source and entry.measured
    with pytest.raises(UserError, match="digits"):
        preset("digit")


def told(entry, accuracy, **more):
    attacks = {"global_threshold": made(Figures, {"auc": 0.58})}
    train, test = (Figure(value, (value - 0.01, value + 0.01)) for value in (0.98, accuracy))
    return published_notes([entry], attacks, train, test, **more)


@pytest.fixture(scope="module")
def purchase():
    """A set-up by the preset, over other data: what is compared is what was asked for."""
    return dataclasses.replace(small(), config=preset("purchase100"))


def test_an_equal_set_up_compares_and_its_departures_are_named(purchase):
    (entry,) = beside_published(purchase, 0.87)
    assert entry.comparable and entry.attacks["global_threshold"].auc == 0.5727
    (note,) = told(entry, 0.87, seconds=12.5)
    assert "0.5727 (here 0.5800)" in note and "Comparable" in note and "never reshuffled" in note
    assert "on members 0.9776 (here 0.9800), accuracy on non-members 0.8754 (here 0.8700)" in note
    assert "1201 s of training on its machine (here 12.5 s a model" in note


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"chunk": 4}, {"keep": ("logits",)}, {"data": DataOptions(data_path="elsewhere", pool="all")}],
)
def test_seed_execution_and_place_of_the_data_are_harmless(purchase, changes):
    changed = dataclasses.replace(purchase, config=dataclasses.replace(purchase.config, **changes))
    (entry,) = beside_published(changed, 0.87)
    assert entry.comparable and not entry.why_not


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_shadows": 4}, "num_shadows is 4, theirs 64"),
        ({"member_fraction": 0.5}, "member_fraction is 0.5, theirs 0.8"),
        ({"split": "bernoulli"}, "split is bernoulli, theirs fixed_size"),
        ({"validation_fraction": 0.1}, "validation_fraction is 0.1, theirs 0.0"),
        ({"queries": 2}, "queries is 2, theirs 1"),
        ({"query_mode": "batch_stats"}, "query_mode is batch_stats, theirs evaluation"),
        ({"model_options": ModelOptions(dropout=0.5)}, "model_options.dropout is 0.5, theirs 0.0"),
        ({"privacy": PrivacyFlags(dp_epsilon=1.0)}, "privacy.dp_epsilon is 1.0, theirs None"),
        ({"data": DataOptions(pool="all", canaries=10)}, "data.canaries is 10, theirs 0"),
        ({"data": DataOptions(pool="all", max_examples=99)}, "data.max_examples is 99, theirs None"),
        ({"data": DataOptions()}, "data.pool is train, theirs all"),
    ],
)
def test_another_set_up_is_not_comparable(purchase, changes, reason):
    changed = dataclasses.replace(purchase, config=dataclasses.replace(purchase.config, **changes))
    (entry,) = beside_published(changed, 0.87)
    assert not entry.comparable and entry.why_not == (reason,) and reason in entry.differences


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_difference_in_the_recipe_disqualifies(purchase, field):
    theirs = purchase.config.recipe
    other = {
        "optimizer": "sgd", "schedule": "step", "milestones": (0.1,), "decayed": "kernels", "precision": "bfloat16",
        "nesterov": True, "flip": True, "hamp_penalty": 1.0, "relaxloss_upper": 0.5, "epochs": 10, "batch_size": 64,
    }.get(field, 1 if isinstance(getattr(theirs, field), int) else 0.3)  # fmt: skip
    with_it = {"hamp": 0.5} if field == "hamp_penalty" else {}
    recipe = dataclasses.replace(theirs, **{field: other}, **with_it)
    changed = dataclasses.replace(purchase, config=dataclasses.replace(purchase.config, recipe=recipe))
    (entry,) = beside_published(changed, 0.87)
    assert not entry.comparable and any(f"recipe.{field} is" in reason for reason in entry.why_not)


def test_treated_examples_and_an_optimiser_of_ones_own_are_not_comparable(purchase):
    treated = dataclasses.replace(purchase, treatment=Treatment("drop"))
    (entry,) = beside_published(treated, 0.87)
    assert entry.why_not == ("examples are treated: drop",)
    own = dataclasses.replace(purchase, trainer=dataclasses.replace(purchase.trainer, optimizer=optax.sgd))
    (entry,) = beside_published(own, 0.87)
    assert entry.why_not == ("the optimiser is sgd",)


@pytest.mark.parametrize("accuracy", [0.70, float("nan")])
def test_another_accuracy_is_not_comparable(purchase, accuracy):
    (entry,) = beside_published(purchase, accuracy)
    assert not entry.comparable and any("accuracy on non-members" in reason for reason in entry.why_not)


def test_a_source_whose_accuracy_is_not_known_is_not_comparable(purchase):
    (entry,) = beside_published(dataclasses.replace(purchase, config=preset("cifar10_wrn28_2")), 0.9)
    assert entry.why_not == ("the accuracy of the source's models is not known",)
    assert "Not comparable" in told(entry, 0.9)[0]


def test_published_figures_belong_to_presets_and_are_rates():
    for published in PUBLISHED:
        assert published.preset in PRESETS
        for auc, tpr in published.attacks.values():
            assert 0.5 <= auc < 1 and (tpr is None or 0 < tpr < 0.2)


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_network_exists_and_keeps_the_contract(name):
    c = preset(name)
    shape, classes = {
        "digits": ((64,), 10),
        "fashion_mnist": ((28, 28, 1), 10),
        "cifar10": ((32, 32, 3), 10),
        "purchase100": ((600,), 100),
    }[c.dataset]
    check_model(build_model(c.model, classes, c.model_options), shape, classes)
