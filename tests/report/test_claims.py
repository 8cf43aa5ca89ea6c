import dataclasses

import pytest

from miajax.metrics.claims import Lead, Ranking
from miajax.report import claims
from miajax.report.numbers import Estimate
from tests.studies.made import made


def _lead(value, ci, *, by="tpr_at_fpr", standing="above", others=("gap",), equal=(), auc=(0.1, (0.05, 0.15))):
    names = ("lira_online_fixed", *others)
    differences = {name: {"value": 0.1, "ci": [0.0, 0.2], "auc": auc[0], "auc_ci": list(auc[1])} for name in others}
    return made(Lead, {
        "attack": names[0], "by": by, "fpr": None if by == "auc" else "0.001", "chance": 0.5 if by == "auc" else 0.001,
        "value": value, "ci": list(ci), "standing": standing, "confidence": 1 - 0.05 / len(names),
        "intervals": {name: {"value": value, "ci": list(ci)} for name in names},
        "differences": differences, "not_told_apart": list(equal),
    })  # fmt: skip


def _plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("lead", "finding", "sentence"),
    [
        (None, "No attack could be measured", "No attack could be measured."),
        (
            _lead(0.027, (0.02, 0.035)),
            "Of 2 attacks LiRA online (fixed variance) is strongest and names 2.7 % of the members at one false alarm "
            "per thousand",
            "At one false alarm per thousand non-members, LiRA online (fixed variance) names 2.7 % of the members "
            "(2.0 % to 3.5 %, the interval that holds for all 2 attacks at once): 27 times chance.",
        ),
        (
            _lead(0.0, (0.0, 0.002), standing="not shown"),
            "Neither of 2 attacks does measurably better than chance at one false alarm per thousand; for LiRA online "
            "(fixed variance), a leak of up to 0.20 % would go unseen",
            "names 0 % of the members (0 % to 0.20 %, the interval that holds for all 2 attacks at once): not "
            "measurably more than chance; a leak of up to 0.20 % would go unseen.",
        ),
        (
            _lead(1.0, (0.999, 1.0), others=()),
            "LiRA online (fixed variance) is strongest and names 100 % of the members at one false alarm per thousand",
            "names 100 % of the members (95 % interval 99.9 % to 100 %): 1,000 times chance.",
        ),
        (
            _lead(0.52, (0.47, 0.57), by="auc", standing="not shown", others=("gap", "lira_offline")),
            "None of 3 attacks does measurably better than chance; for LiRA online (fixed variance), an AUC of up to "
            "0.570 would go unseen",
            "with an AUC of 0.520 [0.470, 0.570], the interval that holds for all 3 attacks at once (chance 0.5): not "
            "measurably better than chance; an AUC of up to 0.570 would go unseen.",
        ),
    ],
)  # fmt: skip
def test_the_headline_is_the_strongest_attack_or_what_would_go_unseen(lead, finding, sentence):
    assert _plain(claims.lead_finding(lead)) == finding
    assert _plain(claims.lead_sentence(lead)).endswith(sentence)


def test_a_headline_without_a_rate_above_chance_says_what_the_auc_shows():
    nothing = _lead(0.0, (0.0, 0.002), standing="not shown")
    shown = dataclasses.replace(nothing, by_auc=Ranking("gap", 0.7041, (0.65, 0.75), "above"))
    assert _plain(claims.lead_finding(shown)).endswith(
        "a leak of up to 0.20 % would go unseen; but gap (right or wrong) ranks members with an AUC of 0.704 [0.650, "
        "0.750]"
    )
    assert _plain(claims.lead_sentence(shown)).endswith(
        "would go unseen. Over all rates, gap (right or wrong) ranks members with an AUC of 0.704 [0.650, 0.750], the "
        "interval that holds for the AUCs of all 2 at once: measurably more than chance (0.5)."
    )
    assert "rates and AUCs hold together with probability 90 % or more" in claims.lead_rule(shown)
    neither = dataclasses.replace(nothing, by_auc=Ranking("gap", 0.52, (0.45, 0.6), "not shown"))
    for said in (claims.lead_finding, claims.lead_sentence, claims.lead_rule):
        assert said(neither) == said(nothing)


def test_the_rule_and_the_equals_are_said_for_several_attacks_only():
    assert claims.lead_rule(_lead(0.1, (0.05, 0.2), others=())) == claims.equals_sentence(None) == ""
    assert "97.5 % (Bonferroni)" in claims.lead_rule(_lead(0.1, (0.05, 0.2)))
    alone = dataclasses.replace(_lead(0.1, (0.05, 0.2), others=()), unresolved={"gap": 40})
    assert claims.lead_rule(alone) == (
        "Only one attack has a TPR at FPR 0.001, so that none was chosen. Too few non-members have a score of gap "
        "(right or wrong) (40) to show a rate at FPR 0.001: it does not compete, and may find more."
    )
    assert "none of the other 1 is as strong" in claims.equals_sentence(_lead(0.1, (0.05, 0.2)))
    many = [f"attack_{k}" for k in range(9)]
    assert claims.equals_sentence(_lead(0.1, (0.05, 0.2), others=many, equal=many)).endswith("attack_5 and 3 more.")


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (None, "without an interval that could set it against chance"),
        ([0.0, 0.0], "less than chance; a leak of up to 0 % would go unseen"),
        ([0.0005, 0.0042], "not measurably more than chance; a leak of up to 0.42 % would go unseen"),
        ([1e-17, 0.9999999997], "not measurably more than chance; a leak of any size would go unseen"),
        ([0.5, 0.6], "measurably more than chance"),
    ],
)
def test_chance_is_never_called_the_absence_of_a_leak(interval, said):
    assert _plain(claims.against_chance(interval, 0.001)) == said


@pytest.mark.parametrize(
    ("auc", "conclusion"),
    [
        ((0.08, (0.07, 0.09)), "does not account for all of the leakage"),
        ((0.001, (-0.01, 0.012)), "the former may account for all that it ranks"),
        ((-0.08, (-0.09, -0.07)), "the former is the better signal"),
    ],
)
def test_leakage_beyond_another_attack_is_judged_by_the_paired_difference(auc, conclusion):
    ours, theirs = Estimate(0.6, (0.5, 0.7)), Estimate(0.55, (0.45, 0.65))  # overlapping intervals decide nothing
    sentence = claims.beyond_sentence(_lead(0.1, (0.05, 0.2), auc=auc), "gap", ours, theirs, "Who sees less")
    assert conclusion in sentence
    assert claims.beyond_sentence(None, "gap", ours, theirs, "x") == ""
    assert claims.beyond_sentence(_lead(0.1, (0.05, 0.2), others=()), "gap", ours, theirs, "x") == ""
