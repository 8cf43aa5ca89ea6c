"""The paper's tables of defences: every figure as printed, and when ours may be compared with them."""

import jax
import numpy as np
import pytest

from miajax.campaign.presets import preset
from miajax.models.registry import build_model
from miajax.studies.defenses.catalogue import Strengths, catalogue
from miajax.studies.defenses.published import published_row
from miajax.studies.paper_tables import TABLES
from miajax.studies.published import Beside
from tests.studies.made import made

# As printed, in per cent: accuracy on members and on others, AUC, advantage; then seconds.
PURCHASE = """
original                  97.76 87.54 57.27 13.86 1201
early_stopping            96.88 89.58 55.07 10.40 200
l2_5e-4                   94.91 89.34 53.25 7.26 1209
l2_1e-3                   92.63 88.37 52.22 4.87 1205
l2_5e-3                   77.76 76.16 50.92 1.73 1207
l2_dropout_25             90.02 87.14 51.87 3.70 1489
l2_dropout_50             86.52 84.45 51.44 2.46 1320
label_smoothing           99.15 88.52 59.43 16.43 1699
dp_sgd                    61.71 61.21 50.36 0.70 3507
"""
CIFAR = """
original                  99.97 87.91 60.27 22.07 3558
early_stopping            99.97 87.93 60.21 21.96 2024
l2_5e-4                   99.99 91.46 57.11 19.13 3573
l2_1e-3                   99.95 89.61 58.07 20.52 3564
l2_5e-3                   60.35 59.71 50.06 0.82 3574
l2_dropout_25             99.85 91.78 56.00 15.44 3616
l2_dropout_50             91.97 84.89 53.61 7.52 3610
label_smoothing           99.99 86.47 67.33 37.04 3539
dp_sgd                    59.51 59.55 50.00 0.53 7738
reweighting_0.1           - - 55.94 11.89 -
l2_dropout_25_reweighting - - 53.76 7.73 0.46
"""
COMPARABLE = made(Beside, {"why_not": []})


@pytest.mark.parametrize(
    ("key", "printed"), [(("purchase100", "purchase_mlp"), PURCHASE), (("cifar10", "densenet_bc_100_12"), CIFAR)]
)
def test_tables_hold_what_is_printed_for_rows_that_we_have(key, printed):
    lines = [line.split() for line in printed.strip().splitlines()]
    assert [name for name, *_ in lines] == list(TABLES[key])
    assert set(TABLES[key]) <= set(catalogue(Strengths()))
    for name, *figures in lines:
        row, units = TABLES[key][name], (100, 100, 100, 100, 1)
        for value, figure, unit in zip(row[:5], figures, units, strict=True):
            assert (value is None) == (figure == "-"), name
            assert value is None or value * unit == pytest.approx(float(figure)), name


def test_a_row_is_comparable_where_the_campaign_and_the_defence_are_the_same():
    theirs = catalogue(Strengths(smoothing=0.03, private_epsilon=2.38))
    for name in ("original", "l2_5e-4", "label_smoothing", "dp_sgd"):
        row = published_row("purchase100", "purchase_mlp", theirs[name], COMPARABLE)
        assert row is not None and row.comparable and not row.why_not, name
    assert published_row("purchase100", "purchase_mlp", theirs["dp_sgd_1"], COMPARABLE) is None
    assert published_row("digits", "mlp", theirs["original"], None) is None


def test_another_strength_or_campaign_is_not_comparable_and_the_reason_is_named():
    ours = catalogue(Strengths())
    smoothed = published_row("purchase100", "purchase_mlp", ours["label_smoothing"], COMPARABLE)
    assert smoothed is not None and smoothed.why_not == ("label_smoothing is 0.1, theirs 0.03",)
    private = published_row("cifar10", "densenet_bc_100_12", ours["dp_sgd"], COMPARABLE)
    assert private is not None and private.why_not == ("dp_epsilon is 8, theirs 4.95",)
    grouped = catalogue(Strengths(private_epsilon=4.95, private_norm="group"))["dp_sgd"]
    assert grouped.config(preset("cifar10_densenet")).model_options.norm == "group"
    private = published_row("cifar10", "densenet_bc_100_12", grouped, COMPARABLE)
    assert private is not None and not private.comparable
    assert private.why_not[0].startswith("the network is normalised by group, theirs by the batch")
    short = published_row(
        "purchase100", "purchase_mlp", ours["original"], made(Beside, {"why_not": ["recipe.epochs is 3"]})
    )
    assert short is not None and not short.comparable and short.why_not == ("recipe.epochs is 3",)
    unknown = published_row("purchase100", "purchase_mlp", ours["original"], None)
    assert unknown is not None and not unknown.comparable


def test_the_densenet_of_the_private_row_passes_nothing_between_examples():
    """Running statistics would carry examples past the clipping norm; the row would be refused."""
    example = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    for norm, stateless in ((None, False), ("group", True)):
        row = catalogue(Strengths(private_norm=norm))["dp_sgd"]
        config = row.config(preset("cifar10_densenet"))
        model = build_model(config.model, 10, config.model_options)
        _, state = jax.eval_shape(model.init, jax.random.key(0), example)
        assert (not jax.tree.leaves(state)) == stateless
