"""Presets hold the settings of their sources, literally; published figures say whether they compare."""

import dataclasses

import pytest

from miajax.errors import UserError
from miajax.models.contract import check_model
from miajax.models.registry import build_model
from miajax.studies.presets import PRESETS, preset
from miajax.studies.published import PUBLISHED, beside_published, published_notes

# Typed once more from the sources:
# (data set, network, models, fraction, pool, queries, epochs, batch, optimizer, rate)
TABLE = {
    "digits": ("digits", "mlp", 256, 0.5, "train", 1, 30, 64, "sgd", 0.1),
    "purchase100": ("purchase100", "purchase_mlp", 64, 0.8, "all", 1, 200, 32, "adam", 5e-4),
    "cifar10_densenet": ("cifar10", "densenet_bc_100_12", 16, 5 / 6, "all", 1, 100, 64, "sgd", 0.1),
    "purchase100_fcn": ("purchase100", "mlp", 256, 0.5, "all", 1, 100, 128, "sgd", 0.01),
    "cifar10_resnet18": ("cifar10", "resnet18", 256, 0.5, "all", 18, 100, 256, "sgd", 0.1),
    "cifar10_wrn28_2": ("cifar10", "wrn28_2", 16, 0.5, "train", 2, 100, 256, "sgd", 0.1),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_preset_holds_its_sources_settings(name):
    c = preset(name)
    found = (c.dataset, c.model, c.num_shadows, c.member_fraction, c.data.pool, c.queries, c.recipe.epochs)
    assert (*found, c.recipe.batch_size, c.recipe.optimizer, c.recipe.learning_rate) == TABLE[name]


def test_the_papers_splits_have_the_papers_sizes():
    assert int(preset("purchase100").member_fraction * 197_324) == 157_859
    assert int(preset("cifar10_densenet").member_fraction * 60_000) == 50_000


def test_every_preset_says_where_it_comes_from_and_what_was_measured():
    for entry in PRESETS.values():
        assert entry.source and entry.measured
    with pytest.raises(UserError, match="digits"):
        preset("digit")


def results(accuracy: float):
    return {"test_accuracy": accuracy, "attacks": {"global_threshold": {"auc": 0.58}}}


def test_an_equal_set_up_compares_and_its_differences_are_named():
    config = dataclasses.replace(preset("purchase100"))
    (entry,) = beside_published(config, results(0.87))
    assert entry["comparable"] and entry["attacks"]["global_threshold"]["auc"] == 0.5727
    (note,) = published_notes([entry], results(0.87))
    assert "0.5727 (here 0.5800)" in note and "Comparable" in note


@pytest.mark.parametrize(
    ("changes", "accuracy", "told"),
    [
        ({}, 0.70, "accuracy"),
        ({"num_shadows": 4}, 0.87, "num_shadows"),
        ({"member_fraction": 0.5}, 0.87, "member_fraction"),
    ],
)
def test_another_set_up_or_accuracy_is_not_comparable(changes, accuracy, told):
    config = dataclasses.replace(preset("purchase100"), **changes)
    (entry,) = beside_published(config, results(accuracy))
    assert not entry["comparable"] and any(told in reason for reason in entry["why_not"])


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
