"""What is said of epochs, from figures made by hand: small, empty, huge and negative ones."""

import pytest

from miajax.studies.overfitting import words
from miajax.studies.overfitting.figures import Overfitting
from tests.studies.made import made


def _figure(value, low, high):
    return {"value": value, "ci": [low, high]}


@pytest.mark.parametrize(
    ("auc", "said"),
    [
        (_figure(0.0061, 0.002, 0.0102), "LiRA online finds more once accuracy stands: AUC +0.0061 [+0.0020, +0.0102]"),
        (_figure(-0.3, -0.35, -0.25), "LiRA online finds less once accuracy stands: AUC −0.300 [−0.350, −0.250]"),
        (_figure(0.0, 0.0, 0.0), "LiRA online is not shown to find more or less once accuracy stands: AUC 0.000 ["),
        (_figure(0.1, -0.8, 1.0), "LiRA online is not shown to find more or less once accuracy stands: AUC +0.100"),
    ],
)
def test_a_change_of_auc_stands_in_the_unit_of_the_auc_beside_it(auc, said):
    change = {"attacks": {"lira_online": {"auc": auc}}}
    results = {"main_attack": "lira_online", "growth": {"from_epoch": 3, "to_epoch": 9, "change": change}}
    finding = words.growth_finding(made(Overfitting, results))
    assert finding.startswith(said) and "points" not in finding
    stopping = {"main_attack": "lira_online", "early_stopping": {"rules": {"validation_loss": {"change": change}}}}
    assert "points" not in words.stopping_finding(made(Overfitting, stopping))


def test_without_growth_or_validation_nothing_is_claimed():
    nothing = made(Overfitting, {"main_attack": "gap", "growth": None, "early_stopping": None})
    assert "not separated from learning" in words.growth_finding(nothing)
    assert words.stopping_finding(nothing) == "Without a validation part early stopping is not judged"


@pytest.mark.parametrize(
    ("rise", "said"),
    [
        (None, ""),
        ({"epoch": 2, "value": 0.2, "ci": [0.1, 0.3]}, "is lowest after epoch 2 of 9 and rises from there by +0.200"),
        ({"epoch": 8, "value": 1e-4, "ci": [-0.01, 0.01]}, "is lowest after epoch 8 of 9, but not shown to rise from"),
    ],
)
def test_a_loss_rises_only_where_its_interval_says_so(rise, said):
    assert said in words.loss_clause(made(Overfitting, {"loss": {"rise": rise}, "epochs": list(range(9))}))
