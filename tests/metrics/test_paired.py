"""Differences between attacks on the same models: their value, their width, and how often they hold the truth."""

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.metrics import roc
from miajax.metrics.paired import influences, mean_difference, mean_rate
from miajax.metrics.pooled import pooled_figures
from tests.metrics.campaigns import Effects

FPR = 0.01
EFFECTS = Effects(model=0.2, example=0.5)


def two_attacks(rng, num_models: int, num_examples: int, gain: float = 0.0, noise: float = 0.3):
    """Scores of two attacks that read the same signal, the second with noise of its own and members ``gain`` higher."""
    scores, member = EFFECTS.draw(rng, num_models, num_examples)
    other = scores + gain * member + noise * rng.normal(size=scores.shape)
    return scores, other.astype(np.float32), member


def measured(scores, member, fpr=FPR):
    return influences(scores, member, np.ones(len(scores), bool), fpr)


def test_values_are_those_of_the_pooled_roc_and_differences_are_theirs():
    one, other, member = two_attacks(np.random.default_rng(0), 6, 301)
    a, b = measured(one, member), measured(other, member)
    assert a.auc.value == pytest.approx(roc.auc(roc.roc_curve(one, member)))
    assert a.tpr.value == roc.tpr_at_fpr(roc.roc_curve(one, member), FPR)
    assert mean_difference([(a.tpr, b.tpr)]).value == a.tpr.value - b.tpr.value
    for influence in (*a, *b):
        assert influence.cells.sum() == pytest.approx(0.0, abs=1e-3)


def test_one_set_has_the_interval_of_pooled_figures():
    one, _, member = two_attacks(np.random.default_rng(1), 8, 400)
    expected = pooled_figures(one, member, (FPR,))
    found = measured(one, member)
    np.testing.assert_allclose(mean_rate([found.auc]).ci, expected.auc.ci, rtol=1e-9)
    np.testing.assert_allclose(mean_rate([found.tpr]).ci, expected.tpr_at_fpr[FPR].ci, rtol=0.02)


def test_an_influence_says_what_happens_to_the_auc_when_a_model_is_left_out():
    one, _, member = two_attacks(np.random.default_rng(2), 12, 300)
    found = measured(one, member).auc
    without = [measured(np.delete(one, m, 0), np.delete(member, m, 0)).auc.value for m in range(12)]
    np.testing.assert_allclose(found.by_model * 12 / 11, found.value - np.array(without), atol=2e-4)


def test_pairing_narrows_the_interval():
    one, other, member = two_attacks(np.random.default_rng(3), 16, 500)
    a, b = measured(one, member).auc, measured(other, member).auc
    low, high = mean_difference([(a, b)]).ci
    alone = [np.diff(mean_rate([each]).ci)[0] for each in (a, b)]
    assert high - low < 0.5 * np.hypot(*alone)


def test_attacks_that_call_the_same_cells_do_not_differ():
    one, _, member = two_attacks(np.random.default_rng(4), 8, 400)
    a, b = measured(one, member), measured(2.0 * one + 1.0, member)
    for figure in (mean_difference([(a.auc, b.auc)]), mean_difference([(a.auc, b.auc)] * 4)):
        assert figure.value == 0.0 and figure.ci == [0.0, 0.0]


def test_missing_scores_and_failed_models_take_no_part():
    one, _, member = two_attacks(np.random.default_rng(5), 6, 200)
    valid = np.arange(6) != 2
    holes = np.where(np.random.default_rng(5).random(one.shape) < 0.1, np.nan, one)
    found = influences(holes, member, valid, FPR)
    known = ~np.isnan(holes) & valid[:, None]
    assert found.auc.value == pytest.approx(roc.auc(roc.roc_curve(holes[known], member[known])))
    assert not found.tpr.cells[~known].any() and not found.auc.cells[~known].any()


def test_a_rate_below_one_non_member_is_none_and_no_scores_are_an_error():
    one, _, member = two_attacks(np.random.default_rng(6), 2, 40)
    assert measured(one, member, 0.001).tpr is None
    with pytest.raises(UserError, match="0 members"):
        measured(np.full_like(one, np.nan), member)


def test_two_attacks_without_a_hit_are_not_certainly_equal():
    member = np.stack([np.arange(400) % 2 == 0] * 4)
    scores = np.where(member, 0.0, 1.0) + np.random.default_rng(7).random(member.shape) / 10
    nothing = measured(scores, member).tpr
    assert nothing.value == 0.0
    low, high = mean_difference([(nothing, nothing)]).ci
    assert low < 0.0 < high


def coverage(num_sets: int, num_models: int, num_examples: int, repeats: int) -> dict[str, float]:
    """How often the interval holds the true difference; the sets of a repeat share their examples' effects."""
    truth = two_attacks(np.random.default_rng(8), 400, 4000, gain=0.3)
    true_auc = EFFECTS.auc() - measured(truth[1], truth[2]).auc.value
    differences, held = [], {"auc": 0, "tpr": 0}
    rng = np.random.default_rng([num_sets, num_models])
    intervals = []
    for _ in range(repeats):
        one, other, member = two_attacks(rng, num_sets * num_models, num_examples, gain=0.3)
        pairs = [
            (measured(one[rows], member[rows]), measured(other[rows], member[rows]))
            for rows in np.split(np.arange(len(one)), num_sets)
        ]
        low, high = mean_difference([(a.auc, b.auc) for a, b in pairs]).ci
        held["auc"] += low <= true_auc <= high
        tpr = mean_difference([(a.tpr, b.tpr) for a, b in pairs])
        differences.append(tpr.value)
        intervals.append(tpr.ci)
    mean = np.mean(differences)  # a TPR at a handful of false positives has a mean of its own
    held["tpr"] = sum(low <= mean <= high for low, high in intervals)
    return {name: count / repeats for name, count in held.items()}


@pytest.mark.parametrize("num_sets, num_models", [(1, 16), (8, 4)])
def test_intervals_hold_the_true_difference(num_sets, num_models):
    found = coverage(num_sets, num_models, 250, repeats=100)
    assert all(0.88 <= share <= 1.0 for share in found.values()), found


def test_many_sets_need_no_single_cells():
    one, other, member = two_attacks(np.random.default_rng(9), 16, 200)
    rows, valid = np.split(np.arange(16), 4), np.ones(4, bool)
    found = [
        [tuple(influences(s[r], member[r], valid, FPR, keep_cells=keep).tpr for s in (one, other)) for r in rows]
        for keep in (True, False)
    ]
    assert mean_difference(found[0]) == mean_difference(found[1])
    assert all(influence.cells is None for pair in found[1] for influence in pair)
