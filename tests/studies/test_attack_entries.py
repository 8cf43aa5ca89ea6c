"""What stands beside an attack's figures: precision, and why cells have no score."""

import dataclasses

import pytest

from miajax.attacks.registry import AttackReport
from miajax.metrics.figures import Estimate, Figure
from miajax.studies.attacked.entries import _precision
from miajax.studies.common import attack_notes
from miajax.studies.low_budget import page as low_budget
from miajax.studies.low_budget.figures import AtBudget, Recommended


@pytest.mark.parametrize("tpr", [None, 0.0])
def test_who_names_nobody_has_no_precision(tpr):
    shares = _precision(Estimate(tpr, chance=0.001)).values()
    assert {share.value for share in shares} == {None} and all("Nothing is named" in share.reason for share in shares)


def test_who_names_members_has_one():
    assert _precision(Estimate(0.01, chance=0.01))[0.5].value == pytest.approx(0.5)
    assert _precision(Estimate(1.0, chance=0.001))[0.01].value == pytest.approx(0.01 / (0.01 + 0.99 * 0.001))


@pytest.mark.parametrize(
    ("too_few", "degenerate", "said"),
    [
        (3, 0, "a: of the (target, example) pairs 3 have too few shadow models; they are left out."),
        (0, 7, "a: of the (target, example) pairs 7 have shadow models that all agree; they are left out."),
        (3, 7, "a: of the (target, example) pairs 3 have too few shadow models and 7 have shadow models that all agree"
               "; they are left out."),
    ],
)  # fmt: skip
def test_cells_are_left_out_for_the_reason_that_they_have(too_few, degenerate, said):
    assert attack_notes({}, {"a": AttackReport("a", 90, too_few, degenerate, ())}) == [said]


def test_pairs_that_populations_lack_have_a_note_of_their_own():
    assert attack_notes({}, {"a": AttackReport("a", 90, 0, 0, (), outside_population=12)}) == [
        "a: its populations lack 12 (target, example) pairs that they should hold: no shadow model was trained without "
        "the example, so nothing says how such a model answers."
    ]


def test_nothing_left_out_is_not_mentioned():
    assert attack_notes({}, {"a": AttackReport("a", 90, 0, 0, ())}) == []


def _budgets(*rates):
    auc = Figure(0.5, (0.4, 0.6))
    return {2**k: AtBudget(4, 1000, auc, Estimate(rate)) for k, rate in enumerate(rates, 1)}


@pytest.mark.parametrize(
    ("rates", "gain"), [((0.001, 0.004), 4.0), ((0.0, 0.004), 0.0), ((None, None), 0.0), ((), 0.0)]
)
def test_a_gain_is_taken_between_rates_that_there_are(rates, gain):
    assert low_budget._gain(_budgets(*rates)) == gain


def test_equals_are_named_by_paired_differences():
    lead = Recommended("lira_online", "auc", (), (0.51, 0.6), "above")
    assert low_budget._named(lead) == "LiRA online finds the most"
    said = low_budget._named(dataclasses.replace(lead, not_told_apart=("gap", "rmia_online")))
    assert said == "LiRA online finds the most, and paired differences do not tell 2 others from it"
    quiet = low_budget._named(dataclasses.replace(lead, standing="not shown"))
    assert quiet == (
        "no attack finds measurably more than chance (by LiRA online, an AUC of up to 0.600 would go unseen)"
    )
