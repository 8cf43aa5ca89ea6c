"""What an attack without power shows in a finite sample, and that nothing calls it a leak."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from miajax.attacks.registry import run_attacks
from miajax.metrics.claims import against, strongest
from miajax.metrics.figures import fpr_key
from miajax.metrics.paired import influences, mean_rate
from miajax.metrics.pooled import chance_advantage, chance_tpr, pooled_figures
from miajax.metrics.summary import summarise
from miajax.report import attack_table
from miajax.studies.attacked import words as lira_words
from tests.attacks.helpers import ensemble
from tests.metrics.campaigns import entry_and_notes

FPRS = (0.001, 0.01, 0.1)


def draw(rng, num_models, num_examples):
    """Noise, and ranks within each target as Attack-P gives them: the share of non-members below, itself left out."""
    member = np.stack([rng.permutation(num_examples) < num_examples // 2 for _ in range(num_models)])
    noise = rng.normal(size=member.shape)
    below = np.stack([np.searchsorted(np.sort(row[~m]), row) for row, m in zip(noise, member, strict=True)])
    return member, {"noise": noise, "ranks": below / ((~member).sum(axis=1, keepdims=True) - ~member)}


def test_chance_counts_one_gap_for_scores_of_all_targets_together():
    found = chance_tpr(np.array([3, 1]), np.array([0, 1]), np.zeros(2, int), np.array([50, 50]), np.array([50, 50]))
    assert found == pytest.approx((4 + 1) / (100 + 1))


def test_chance_counts_a_gap_of_every_target_where_ranks_coincide():
    ones, none = np.ones(3, int), np.zeros(3, int)
    found = chance_tpr(ones, ones, none, np.array([10, 20, 30]), np.array([99, 99, 49]))
    assert found == pytest.approx((10 * 0.02 + 20 * 0.02 + 30 * 0.04) / 60)


def test_chance_is_never_above_one():
    assert chance_tpr(np.array([5]), np.array([0]), np.array([0]), np.array([5]), np.array([5])) == 1.0


def test_chance_has_no_gap_at_a_value_that_members_share():
    """Right or wrong: every correct cell ties, nothing passes, and chance is hardly anything."""
    rng = np.random.default_rng(12)
    member, _ = draw(rng, 30, 200)
    entry, notes = entry_and_notes((rng.random(member.shape) < 0.9).astype(np.float32), member, np.ones(30, bool))
    assert entry["tpr_at_fpr"]["0.01"] == 0.0
    assert entry["chance_tpr_at_fpr"]["0.01"] == pytest.approx(1 / 3001)
    assert not any("By chance alone" in note for note in notes)


@pytest.mark.parametrize("members, others", [(30, 30), (250, 250), (40, 300)])
def test_chance_of_an_advantage_is_the_mean_of_the_kolmogorov_smirnov_statistic(members, others):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1500, members + others))
    # The statistic is the largest excess of the second sample's distribution: members lie lower there, hence swapped.
    found = [ks_2samp(row[members:], row[:members], alternative="greater", method="asymp").statistic for row in noise]
    expected = chance_advantage(np.array([members]), np.array([others]))[0]
    assert np.mean(found) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("kind", ["noise", "ranks"])
@pytest.mark.parametrize("num_models, num_examples", [(4, 700), (16, 300)])
def test_figures_of_noise_are_on_average_what_results_call_chance(kind, num_models, num_examples):
    rng = np.random.default_rng(1)
    shown, promised = {}, {}
    for _ in range(120):
        member, scores = draw(rng, num_models, num_examples)
        entry, _ = entry_and_notes(scores[kind], member, np.ones(num_models, bool), fprs=FPRS)
        for block, name in ((entry, "pooled"), (entry["per_target"], "per target")):
            for key, rate in block["tpr_at_fpr"].items():
                if rate is not None and rate > 0.0:  # ranks tie at the top: members and non-members, FPR 1 / m
                    shown.setdefault((name, key), []).append(rate)
                    promised.setdefault((name, key), []).append(block["chance_tpr_at_fpr"][key])
        shown.setdefault("advantage", []).append(entry["per_target"]["advantage"])
        promised.setdefault("advantage", []).append(entry["per_target"]["chance_advantage"])
    shown.pop(("pooled", "0.001"), None)  # few hits: runs without one are left out above
    assert len(shown) == 5
    for name, values in shown.items():
        error = 4 * np.std(values) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(np.mean(promised[name]), abs=error), name


def test_the_rate_that_looked_like_twice_chance_is_chance():
    """2,100 examples: one false positive of 1,050 is allowed, and members rank above the second one at 2 / 1,051."""
    rng = np.random.default_rng(2)
    entries = []
    for _ in range(4):
        member, scores = draw(rng, 16, 2100)
        entries.append(entry_and_notes(scores["ranks"], member, np.ones(16, bool), fprs=(0.001,))[0])
    for entry in entries:
        assert entry["chance_tpr_at_fpr"]["0.001"] == pytest.approx(2 / 1051)
        assert entry["per_target"]["chance_tpr_at_fpr"]["0.001"] == pytest.approx(2 / 1051)
        assert 1 / 16_801 <= entry["chance_tpr_at_zero_fp"] <= 1 / 1051  # the best ranks tie in most targets
        assert entry["per_target"]["chance_tpr_at_zero_fp"] == pytest.approx(1 / 1051)
    assert np.mean([entry["tpr_at_fpr"]["0.001"] for entry in entries]) == pytest.approx(2 / 1051, rel=0.25)


def test_scores_that_do_not_coincide_have_hardly_more_than_the_rate():
    member, scores = draw(np.random.default_rng(3), 16, 2100)
    entry, notes = entry_and_notes(scores["noise"], member, np.ones(16, bool), fprs=FPRS)
    assert entry["chance_tpr_at_fpr"] == pytest.approx({"0.001": 0.001, "0.01": 0.01, "0.1": 0.1}, rel=0.04)
    assert not any("By chance alone" in note for note in notes)
    _, notes = entry_and_notes(scores["ranks"], member, np.ones(16, bool), fprs=FPRS)
    assert any("TPR at FPR 0.001 is 1.9 times that rate" in note for note in notes)


def test_a_tie_that_members_share_keeps_chance_near_the_rate_below_it():
    rng = np.random.default_rng(4)
    member, scores = draw(rng, 20, 1000)
    tied = np.where(scores["noise"] > 2.0, scores["noise"], 0.0)  # FPR .023, then one value for everybody else
    figures = pooled_figures(tied, member, (0.1,)).tpr_at_fpr[0.1]
    assert figures.chance == pytest.approx(np.mean(scores["noise"][~member] > 2.0), rel=1e-3, abs=1 / 10_001)


def test_one_target_alone_has_the_same_chance_pooled_and_per_target():
    member, scores = draw(np.random.default_rng(5), 1, 400)
    entry, _ = entry_and_notes(scores["noise"], member, np.ones(1, bool), fprs=(0.01,))
    assert entry["chance_tpr_at_fpr"]["0.01"] == pytest.approx(3 / 201)
    assert entry["per_target"]["chance_tpr_at_fpr"] == entry["chance_tpr_at_fpr"]
    assert entry["chance_advantage"] == pytest.approx(chance_advantage(np.array([200]), np.array([200]))[0])


def test_means_over_sets_carry_the_mean_of_their_chances():
    member, scores = draw(np.random.default_rng(6), 8, 900)
    valid = np.arange(8) < 4
    sets = [influences(scores["ranks"], member, rows, 0.01).tpr for rows in (valid, ~valid)]
    figure = mean_rate(sets)
    assert figure.chance == pytest.approx(5 / 451)
    alone = pooled_figures(scores["ranks"][valid], member[valid], (0.01,)).tpr_at_fpr[0.01]
    assert sets[0].chance == pytest.approx(alone.chance)


def _claims(found):
    """Whether any sentence or flag says that this attack beats chance."""
    for figures in (attack_table.AttackFigures("attack_p", block) for block in (found, found.per_target)):
        for fpr in FPRS:
            standing = lira_words.standing(figures, fpr)
            if standing is not None:
                alarm = against(standing.tpr.interval, standing.chance) == "above"
                yield alarm, lira_words.baseline_sentence(standing)


def _alarms(kinds, num_models, num_examples, repeats, seed):
    rng = np.random.default_rng(seed)
    alarms = []
    for _ in range(repeats):
        member, scores = draw(rng, num_models, num_examples)
        for kind in kinds:
            for alarm, sentence in _claims(summarise(scores[kind], member, fprs=FPRS)):
                assert alarm != ("than chance" in sentence)
                alarms.append(alarm)
    return np.mean(alarms)


def test_noise_is_rarely_called_a_leak():
    assert _alarms(("noise", "ranks"), 16, 300, 60, seed=7) < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("num_models", [2, 8, 64])
@pytest.mark.parametrize("num_examples", [120, 500, 2100])
def test_noise_is_called_a_leak_in_about_one_of_forty_sentences_at_most(num_models, num_examples):
    assert _alarms(("noise", "ranks"), num_models, num_examples, max(20, 4000 // num_examples), seed=8) < 0.045


def test_attack_p_on_signals_without_membership_is_at_its_chance():
    signals, member = ensemble(models=16, examples=600, queries=1, gap=0.0, seed=9)
    scores = np.asarray(run_attacks(("attack_p",), signals, member, np.ones(16, bool))["attack_p"][0])
    entry, _ = entry_and_notes(scores, member, np.ones(16, bool), fprs=(0.01,))
    assert entry["chance_tpr_at_fpr"]["0.01"] == pytest.approx(4 / 301)
    low, high = entry["tpr_at_fpr_ci"]["0.01"]
    assert low <= 4 / 301 <= high


def test_a_leak_above_chance_is_still_called_one():
    member, scores = draw(np.random.default_rng(10), 16, 600)
    found = summarise(scores["noise"] + 2.0 * member, member, fprs=FPRS)
    assert all(alarm for alarm, _ in _claims(found))


def test_the_leading_attack_is_judged_against_the_attainable_rate():
    member, scores = draw(np.random.default_rng(12), 16, 600)
    lead = strongest({"ranks": scores["ranks"]}, member, np.ones(16, bool))
    assert lead is not None and lead.fpr == "0.001"
    assert lead.chance > 0.002  # ranks of 300 non-members cannot show .001
    assert lead.standing == "not shown"


def test_tables_say_where_chance_lies_above_the_rate():
    member, scores = draw(np.random.default_rng(11), 16, 300)
    figures = attack_table.AttackFigures("attack_p", summarise(scores["ranks"], member, fprs=(0.01, 0.1)))
    assert "chance reaches a TPR of 0.013 at FPR 0.01 (every attack)" in attack_table.chance_remark([figures])
    plain = attack_table.AttackFigures("attack_p", summarise(scores["noise"], member, fprs=(0.1,)))
    assert attack_table.chance_remark([plain]) == ""
    assert figures.chance(float(fpr_key(0.01))) == pytest.approx(2 / 151)
