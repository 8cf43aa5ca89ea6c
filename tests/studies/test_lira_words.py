import dataclasses

import numpy as np
import pytest

from miajax.metrics.claims import Lead
from miajax.metrics.figures import Figure, Figures, unresolved
from miajax.report.attack_table import AttackFigures
from miajax.report.numbers import Estimate
from miajax.studies.attacked import words as lira_words
from miajax.studies.attacked.words import Standing
from tests.studies.made import made


def _standing(label, tpr, low=None, high=None):
    return Standing(label, 1e-3, Estimate(tpr, (low, high) if low is not None else None))


_CHANCE = (0.0011, 0.0008, 0.0014)
_SLIGHT = (0.0015, 0.0012, 0.0018)
_CLEAR = (0.027, 0.024, 0.030)
_CLEAR_TOO = (0.010, 0.008, 0.012)


def test_a_run_that_resolves_no_rate_says_so():
    assert "45 non-members" in lira_words.unresolved_sentence(45)
    assert "no scored non-member" in lira_words.unresolved_sentence(0)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (_CLEAR, "names 2.7 % at the same rate: 27 times chance."),
        (_CHANCE, "names 0.11 % at the same rate: not measurably more than chance; a leak of up to 0.14 % would go"),
        ((0.0, 0.0, 0.0006), "names 0 % at the same rate: less than chance; a leak of up to 0.060 % would go unseen."),
        ((1.0, 1.0, 1.0), "names 100 % at the same rate: 1,000 times chance."),
        ((0.001,), "names 0.10 % at the same rate: without an interval that could set it against chance."),
    ],
)
def test_one_threshold_is_set_against_chance_by_its_interval(figures, said):
    assert said in lira_words.baseline_sentence(_standing("threshold", *figures)).replace("\u00a0", " ")


def test_the_precision_sentence_applies_the_prior():
    sentence = lira_words.precision_sentence(_standing("LiRA", 0.027)).replace("\u00a0", " ")
    assert "1 % of the records" in sentence
    assert "21.4 % of those" in sentence  # .01 * .027 / (.01 * .027 + .99 * .001)


def _figures(attack, auc, low, high, tpr=None):
    found = unresolved(0.001, 100) if tpr is None else Figure(tpr[0], tpr[1:])
    none = Figure(0.0, (0.0, 0.1))
    return AttackFigures(attack, Figures(Figure(auc, (low, high)), none, Estimate(0.0), {0.001: found}, none))


def test_an_auc_whose_interval_holds_one_half_says_what_would_go_unseen():
    said = lira_words.auc_sentence(_figures("lira_online", 0.51, 0.49, 0.53))
    assert said.endswith("not measurably more than chance; an AUC of up to 0.530 would go unseen.")
    assert "unseen" not in lira_words.auc_sentence(_figures("lira_online", 0.6, 0.59, 0.61))


def test_a_negative_gap_keeps_its_sign():
    def told(train, test, interval):
        high, low = (Figure(each, (each - 0.01, each + 0.01)) for each in (train, test))
        return lira_words.gap_finding(high, low, Figure(train - test, interval))

    assert told(0.94, 0.96, (-0.03, -0.01)).endswith("a gap of −2.0 points [−3.0, −1.0]")
    assert told(0.96, 0.96, (-0.012, 0.012)).endswith(
        "a gap of 0.0 points [−1.2, 1.2], not measurably different from none"
    )
    assert told(0.96, 0.94, (0.016, 0.024)).endswith("a gap of 2.00 points [1.60, 2.40]")
    assert lira_words.gap_spread_sentence(np.array([-0.01, np.nan, 0.03])) == (
        "From model to model the gap runs from −1.0 points to 3.0 points."
    )


def test_exposed_examples_are_counted_in_words():
    assert lira_words.exposed_finding(0, 90, 0.6) == (
        "None of 90 examples stands out; with these models one would have to pass an AUC of 0.60"
    )
    assert lira_words.exposed_finding(0, 90, 1.5) == (
        "So few models let no single example stand out, whatever it leaks: 90 examples looked at"
    )
    assert lira_words.exposed_finding(1, 90, 0.6).startswith("1 of 90 examples stands out")
    assert lira_words.exposed_finding(7, 90, 0.6).startswith("7 of 90 examples stand out")


def test_an_attack_is_measured_against_what_chance_reaches_in_so_few_non_members():
    estimate = Estimate(0.0024, (0.00185, 0.00307))
    attainable = Standing("Attack-P", 1e-3, estimate, attainable=0.0019)
    assert "times chance" in lira_words.baseline_sentence(Standing("Attack-P", 1e-3, estimate))
    assert "not measurably more than chance" in lira_words.baseline_sentence(attainable)
    assert attainable.ratio == pytest.approx(0.0024 / 0.0019)
    chance = lira_words.precision_sentence(Standing("Attack-P", 1e-3, Estimate(0.0019), attainable=0.0019), prior=0.5)
    assert "50" in chance.replace("\u00a0", " ").split("members,")[1]


def test_an_attack_that_was_chosen_shows_the_interval_of_all_attacks():
    own = _standing("LiRA online", 0.027, 0.024, 0.030)
    intervals = {"lira_online": {"value": 0.027, "ci": [0.02, 0.035]}}
    lead = made(Lead, {"by": "tpr_at_fpr", "fpr": "0.001", "intervals": intervals})
    others = ({"by": "auc", "fpr": None}, {"fpr": "0.01"}, {"intervals": {}})
    assert lira_words.among_all(own, "lira_online", lead).tpr.interval == (0.02, 0.035)
    for other in (None, *(dataclasses.replace(lead, **each) for each in others)):
        assert lira_words.among_all(own, "lira_online", other) == own
