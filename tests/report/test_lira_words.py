import numpy as np
import pytest

from miajax.report import lira_words
from miajax.report.attack_table import AttackFigures
from miajax.report.lira_words import Standing
from miajax.report.numbers import Estimate


def _standing(label, tpr, low=None, high=None):
    return Standing(label, 1e-3, Estimate(tpr, (low, high) if low is not None else None))


_CHANCE = (0.0011, 0.0008, 0.0014)
_SLIGHT = (0.0015, 0.0012, 0.0018)
_CLEAR = (0.027, 0.024, 0.030)
_CLEAR_TOO = (0.010, 0.008, 0.012)


@pytest.mark.parametrize(
    ("main", "baseline", "finding"),
    [
        (_CLEAR, _CHANCE, "LiRA picks out members at low false-alarm rates; one threshold for all examples does not "
                          "measurably beat chance"),
        (_CLEAR, _SLIGHT, "LiRA picks out members at low false-alarm rates; one threshold for all examples stays close "
                          "to chance"),
        (_CLEAR, _CLEAR_TOO, "LiRA picks out members at low false-alarm rates; so does one threshold for all examples, "
                             "though LiRA finds 2.7 times as many"),
        (_CLEAR_TOO, _CLEAR, "LiRA picks out members at low false-alarm rates; so does one threshold for all examples, "
                             "and it finds 2.7 times as many"),
        (_CLEAR, _CLEAR, "LiRA picks out members at low false-alarm rates; so does one threshold for all examples, and "
                         "about as many"),
        (_CHANCE, _CLEAR, "One threshold for all examples picks out members at low false-alarm rates; LiRA does not "
                          "measurably beat chance"),
        (_SLIGHT, _CLEAR, "One threshold for all examples picks out members at low false-alarm rates; LiRA stays close "
                          "to chance"),
        (_CHANCE, _CHANCE, "Neither LiRA nor one threshold for all examples measurably beats chance at low false-alarm "
                           "rates"),
        (_SLIGHT, _CHANCE, "LiRA and one threshold for all examples stay close to chance at low false-alarm rates"),
    ],
)
def test_the_finding_follows_the_numbers_whichever_way_they_point(main, baseline, finding):
    assert lira_words.low_rate_finding(_standing("LiRA", *main), _standing("threshold", *baseline)) == finding


@pytest.mark.parametrize(
    ("main", "finding"),
    [
        (_CLEAR, "LiRA picks out members at low false-alarm rates"),
        (_SLIGHT, "LiRA picks out members at low false-alarm rates slightly more often than chance"),
        (_CHANCE, "LiRA does not measurably beat chance at low false-alarm rates"),
    ],
)
def test_without_a_threshold_attack_the_finding_speaks_of_one_attack_only(main, finding):
    assert lira_words.low_rate_finding(_standing("LiRA", *main), None) == finding


def test_a_rate_that_cannot_be_resolved_supports_no_claim():
    assert lira_words.low_rate_finding(None, None) == "This run is too small to speak of low false-alarm rates"
    assert "45 non-members" in lira_words.rate_sentence(None, 45)


def test_a_rate_is_told_against_chance():
    sentence = lira_words.rate_sentence(_standing("LiRA", *_CLEAR), 10**5).replace("\u00a0", " ")
    assert sentence == (
        "At one false alarm per thousand non-members, LiRA names 2.7 % of the members "
        "(95 % interval 2.4 % to 3.0 %): 27 times chance."
    )


def test_without_an_interval_only_a_large_ratio_counts_as_more_than_chance():
    assert _standing("LiRA", 0.0014).level == "chance"
    assert _standing("LiRA", 0.0019).level == "slightly"
    assert _standing("LiRA", 0.02).level == "clearly"


def test_the_precision_sentence_applies_the_prior():
    sentence = lira_words.precision_sentence(_standing("LiRA", 0.027)).replace("\u00a0", " ")
    assert "1 % of the records" in sentence
    assert "21.4 % of those" in sentence  # .01 * .027 / (.01 * .027 + .99 * .001)


def _figures(attack, auc, low, high, tpr=None):
    entry = {"auc": auc, "auc_ci": [low, high], "tpr_at_fpr": {"0.001": tpr and tpr[0]},
             "tpr_at_fpr_ci": {"0.001": tpr and list(tpr[1:])}}
    return AttackFigures(attack, entry, 10**6)


@pytest.mark.parametrize(
    ("ours", "gap", "conclusion"),
    [
        ((0.6, 0.59, 0.61), (0.52, 0.51, 0.53), "does not account for all of the leakage"),
        ((0.52, 0.51, 0.53), (0.6, 0.59, 0.61), "the gap in accuracy is the better signal here"),
        ((0.53, 0.51, 0.55), (0.52, 0.50, 0.54), "may account for all that it finds"),
    ],
)
def test_leakage_beyond_the_gap_is_claimed_only_where_intervals_part(ours, gap, conclusion):
    sentence = lira_words.beyond_gap_sentence(_figures("lira_online", *ours), _figures("gap", *gap))
    assert conclusion in sentence


def test_an_auc_whose_interval_holds_one_half_is_called_chance():
    assert "cannot be told from chance" in lira_words.auc_sentence(_figures("lira_online", 0.51, 0.49, 0.53))
    assert "cannot be told" not in lira_words.auc_sentence(_figures("lira_online", 0.6, 0.59, 0.61))


@pytest.mark.parametrize(
    ("rival", "addition"),
    [
        ((0.010, 0.008, 0.012), ""),
        ((0.026, 0.023, 0.029), ", with LiRA offline close behind"),
    ],
)
def test_a_lead_within_the_intervals_is_called_close(rival, addition):
    attacks = [_figures("lira_online", 0.6, 0.5, 0.7, _CLEAR), _figures("lira_offline", 0.6, 0.5, 0.7, rival)]
    finding = "Of 2 attacks LiRA online finds the most, 2.7 % of members at one false alarm per thousand"
    assert lira_words.ranking_finding(attacks, 1e-3).replace("\u00a0", " ") == finding + addition


def test_a_negative_gap_keeps_its_sign():
    assert lira_words.gap_finding(0.94, 0.96).endswith("a gap of −2.0 points")
    assert lira_words.gap_finding(0.96, 0.96).endswith("there is hardly a gap")
    assert lira_words.gap_spread_sentence(np.array([-0.01, np.nan, 0.03])) == (
        "From model to model the gap runs from −1.0 points to 3.0 points."
    )


def test_exposed_examples_are_counted_in_words():
    assert lira_words.exposed_finding(0, 90, 0.6).startswith("None of 90 examples stands out")
    assert lira_words.exposed_finding(1, 90, 0.6).startswith("1 of 90 examples stands out")
    assert lira_words.exposed_finding(7, 90, 0.6).startswith("7 of 90 examples stand out")


def test_an_attack_is_measured_against_what_chance_reaches_in_so_few_non_members():
    estimate = Estimate(0.0024, (0.00185, 0.00307))
    assert Standing("Attack-P", 1e-3, estimate).level == "clearly"
    attainable = Standing("Attack-P", 1e-3, estimate, attainable=0.0019)
    assert attainable.level == "chance"
    assert attainable.ratio == pytest.approx(0.0024 / 0.0019)
    assert "does not measurably beat chance" in lira_words.low_rate_finding(attainable, None)
    chance = lira_words.precision_sentence(Standing("Attack-P", 1e-3, Estimate(0.0019), attainable=0.0019), prior=0.5)
    assert "50" in chance.replace("\u00a0", " ").split("members,")[1]
