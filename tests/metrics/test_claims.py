import numpy as np
import pytest

from miajax.metrics.claims import against, at_once, chance_of_tpr, difference_of_separate, strongest


@pytest.mark.parametrize(
    ("interval", "level", "standing"),
    [
        (None, 0.0, "not shown"), ([0.0, 0.0], 0.0, "not shown"), ([0.001, 0.2], 0.001, "not shown"),
        ([0.0011, 0.2], 0.001, "above"), ([-3.0, -1e-9], 0.0, "below"), ([1e9, 2e9], 0.5, "above"),
        ([-1e9, 1e9], 0.5, "not shown"), ([float("nan"), float("nan")], 0.5, "not shown"),
    ],
)  # fmt: skip
def test_an_interval_shows_what_lies_wholly_on_one_side(interval, level, standing):
    assert against(interval, level) == standing


def test_chance_is_the_rate_unless_more_is_attainable():
    assert chance_of_tpr(0.001) == 0.001
    assert chance_of_tpr(0.001, 0.0024) == 0.0024
    assert chance_of_tpr(0.01, 0.0) == 0.01


def test_a_difference_of_separate_figures_covers_at_its_level():
    rng = np.random.default_rng(0)
    missed = {1: 0, 20: 0}
    for _ in range(2000):
        one, other = rng.normal(0.3, 0.02), rng.normal(0.1, 0.05)
        ends = [(one - 1.96 * 0.02, one + 1.96 * 0.02), (other - 1.96 * 0.05, other + 1.96 * 0.05)]
        for comparisons in missed:
            low, high = difference_of_separate(one, ends[0], other, ends[1], comparisons)
            missed[comparisons] += not low <= 0.2 <= high
    assert 60 <= missed[1] <= 140  # 100 of 2,000 are expected
    assert missed[20] <= 15  # 5 are


def _campaign(shift, models=24, examples=300, seed=0):
    rng = np.random.default_rng(seed)
    member = rng.random((models, examples)) < 0.5
    noise = rng.normal(size=(models, examples))
    return {name: noise + by * member + 0.3 * rng.normal(size=noise.shape) for name, by in shift.items()}, member


def test_the_attack_that_finds_more_leads_whatever_the_order():
    for shift in ({"weak": 0.2, "strong": 2.0}, {"strong": 2.0, "weak": 0.2}):
        scores, member = _campaign(shift)
        lead = strongest(scores, member, np.ones(len(member), bool))
        assert (lead.attack, lead.standing, lead.by, lead.fpr) == ("strong", "above", "tpr_at_fpr", "0.001")
        assert lead.not_told_apart == ()
        assert lead.confidence == 0.975


def test_equals_are_not_told_apart_by_the_paired_difference():
    scores, member = _campaign({"one": 1.0, "other": 1.0})
    lead = strongest(scores, member, np.ones(len(member), bool))
    assert lead.not_told_apart == (({"one", "other"} - {lead.attack}).pop(),)


def test_a_run_too_small_for_rates_is_ranked_by_auc_and_one_without_scores_by_nothing():
    scores, member = _campaign({"one": 3.0}, models=4, examples=10)
    lead = strongest(scores, member, np.ones(4, bool))
    assert (lead.by, lead.fpr, lead.chance, lead.differences) == ("auc", None, 0.5, {})
    nothing = {"one": np.full(member.shape, np.nan)}
    assert strongest(nothing, member, np.ones(4, bool)) is None
    assert strongest({}, member, np.ones(4, bool)) is None
    assert strongest(scores, member, np.zeros(4, bool)) is None


def test_an_attack_with_few_scores_hides_no_rate_that_most_others_resolve():
    scores, member = _campaign({"strong": 2.0, "weak": 0.2})
    few = np.full(member.shape, np.nan)
    few[0, :60] = member[0, :60]
    lead = strongest({**scores, "few": few}, member, np.ones(len(member), bool))
    assert (lead.attack, lead.fpr, lead.confidence) == ("strong", "0.001", 0.975)
    assert lead.unresolved == {"few": int((~member[0, :60]).sum())}
    assert "few" not in {**lead.intervals, **lead.differences}
    half = strongest({"strong": scores["strong"], "few": few}, member, np.ones(len(member), bool))
    assert (half.by, half.unresolved) == ("auc", {})  # most is more than half


def test_a_rate_that_all_resolve_comes_before_one_that_most_do():
    scores, member = _campaign({"one": 1.0, "other": 0.5})
    some = np.full(member.shape, np.nan)
    some[:2] = scores["one"][:2]  # some 300 non-members resolve FPR .01 and not .001
    lead = strongest({**scores, "some": some}, member, np.ones(len(member), bool))
    assert (lead.fpr, lead.unresolved) == ("0.01", {})


def test_one_model_and_two_records_are_ranked_and_show_nothing():
    member = np.array([[True, False]])
    lead = strongest({"one": np.array([[1.0, 0.0]])}, member, np.ones(1, bool))
    assert (lead.value, lead.standing, lead.by) == (1.0, "not shown", "auc")


def test_infinite_huge_and_negative_scores_are_ordinary_extremes():
    scores, member = _campaign({"one": 1.0})
    called = member & (scores["one"] > 2)
    ways = {"infinite": np.where(called, np.inf, scores["one"]), "below": np.where(called, scores["one"], -np.inf),
            "huge": scores["one"] * 1e300, "negative": scores["one"] - 1e6}  # fmt: skip
    lead = strongest(ways, member, np.ones(len(member), bool))
    assert lead.fpr == "0.001" and len(lead.intervals) == 4 and lead.unresolved == {}
    assert lead.intervals["infinite"].value == pytest.approx(called.sum() / member.sum())
    plain = strongest(scores, member, np.ones(len(member), bool))
    assert lead.intervals["huge"].value == lead.intervals["negative"].value == plain.value


def test_of_exact_equals_the_name_decides_and_no_order():
    scores, member = _campaign({"b": 1.0})
    for names in (("b", "a"), ("a", "b")):
        lead = strongest(dict.fromkeys(names, scores["b"]), member, np.ones(len(member), bool))
        assert (lead.attack, lead.not_told_apart) == ("a", ("b",))


def test_among_many_attacks_without_power_few_runs_name_one_as_above_chance():
    false = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        member = rng.random((16, 200)) < 0.5
        scores = {str(k): rng.normal(size=member.shape) for k in range(12)}
        lead = strongest(scores, member, np.ones(16, bool))
        false += lead.standing == "above"
    assert false <= 8  # 3 of 60 are expected at most; 9 or more has probability .004


def test_the_truly_strongest_attack_leads_or_is_among_its_equals():
    missed = 0
    for seed in range(60):
        shift = {"best": 1.1, **{str(k): 1.0 for k in range(5)}}
        scores, member = _campaign(shift, models=12, examples=150, seed=seed)
        lead = strongest(scores, member, np.ones(12, bool))
        missed += "best" not in (lead.attack, *lead.not_told_apart)
    assert missed <= 7  # 3 of 60 are expected at most; 8 or more has probability .01


def test_who_leads_among_some_has_the_interval_that_holds_for_all():
    rng = np.random.default_rng(0)
    member = np.arange(4000)[None] % 2 == 0
    scores = {name: rng.normal(size=member.shape) + gain * member for name, gain in (("a", 2), ("b", 1), ("c", 0))}
    whole, some = (strongest(scores, member, np.ones(1, bool), among=among) for among in (None, ("b", "c")))
    assert whole is not None and some is not None and (whole.attack, some.attack) == ("a", "b")
    assert some.ci == whole.intervals["b"].interval and some.confidence == whole.confidence
    assert some.differences["a"].ci[1] < 0
    assert strongest(scores, member, np.ones(1, bool), among=()) is None


def test_where_no_rate_is_above_chance_aucs_are_looked_at_by_intervals_that_hold_at_once():
    scores, member = _campaign({"weak": 0.05, "ranks": 0.5})
    # of the best non-members all are above every member: no rate near 0 shows anything, and the order of the rest does
    top = ~member & (np.random.default_rng(1).random(member.shape) < 0.05)
    scores = {name: np.where(top, 50.0 + array, array) for name, array in scores.items()}
    valid = np.ones(len(member), bool)
    lead = strongest(scores, member, valid)
    assert lead.by == "tpr_at_fpr" and lead.standing != "above" and lead.shows
    own, alone = lead.by_auc, strongest({"ranks": scores["ranks"]}, member, valid).by_auc
    assert own.attack == "ranks" and own.standing == "above"
    inside, outside = np.sort(scores["ranks"][member]), np.sort(scores["ranks"][~member])
    by_count = (np.searchsorted(outside, inside, "left") / len(outside)).mean()
    assert own.value == pytest.approx(by_count, abs=1e-9)
    assert own.ci[0] < alone.ci[0] < alone.value < alone.ci[1] < own.ci[1]  # chosen among two: wider
    assert strongest(scores, member, valid, among=["weak"]).by_auc.attack == "weak"
    huge = strongest({name: array * 1e300 for name, array in scores.items()}, member, valid)
    assert huge.by_auc == own


def test_a_rate_above_chance_and_a_ranking_by_auc_need_no_second_look():
    scores, member = _campaign({"strong": 2.0})
    assert strongest(scores, member, np.ones(len(member), bool)).by_auc is None
    scores, member = _campaign({"one": 0.0}, models=4, examples=10)
    assert strongest(scores, member, np.ones(4, bool)).by_auc is None


def test_scores_without_information_show_nothing_by_auc_either():
    scores, member = _campaign({"one": 0.0, "other": 0.0})
    lead = strongest({**scores, "same": np.zeros(member.shape)}, member, np.ones(len(member), bool))
    assert lead.by_auc is not None and lead.by_auc.standing == "not shown" and not lead.shows


def test_an_interval_chosen_among_many_is_wider_and_stays_within_0_and_1():
    assert at_once(0.7, (0.6, 0.8), 1) == pytest.approx((0.6, 0.8))
    wider = 2.2414027 / 1.9599640  # normal quantiles of .9875 and .975
    assert at_once(0.7, (0.6, 0.75), 2) == pytest.approx((0.7 - 0.1 * wider, 0.7 + 0.05 * wider), abs=1e-6)
    assert at_once(0.99, (0.1, 0.999), 10**6)[1] == 1.0
