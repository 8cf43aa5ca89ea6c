"""Whose exposure changed: exact tests by hand, nobody named without a change, the right ones named with one."""

import numpy as np
import pytest
from scipy import stats

from miajax.metrics.changes import discoveries, exposure_changes, models_to_see_one
from miajax.metrics.paired import influences, influences_at


def run(rng: np.random.Generator, leak: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Scores of members that lie ``leak[N]`` standard deviations higher; models differ by a shift of their own."""
    return rng.normal(size=member.shape) + leak * member + 0.3 * rng.normal(size=(len(member), 1))


def drawn(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    return np.argsort(rng.random((m, n)), 1) < n // 2


def changes(before, after, member, other, **options):
    valid = [np.ones(len(each), bool) for each in (member, other)]
    return exposure_changes(before, after, member, other, *valid, fpr=0.05, **options)


@pytest.mark.parametrize("paired", [True, False])
def test_where_nothing_changed_hardly_ever_anybody_is_named(paired):
    rng = np.random.default_rng(0)
    leak = rng.gamma(1.0, 1.0, 200)
    named = 0
    for _ in range(100):
        member = drawn(rng, 40, 200)
        other = member if paired else drawn(rng, 40, 200)
        found = changes(run(rng, leak, member), run(rng, leak, other), member, other, paired=paired)
        named += bool(found.direction.any())
    assert named <= 10, f"{named} of 100 pairs of runs name somebody; 5 are allowed on average"


@pytest.mark.parametrize("paired", [True, False])
def test_those_who_changed_are_named_with_their_direction_and_few_others(paired):
    rng = np.random.default_rng(1)
    leak, later = np.full(200, 1.0), np.full(200, 1.0)
    leak[:20], later[:20] = 6.0, 0.0
    leak[20:40], later[20:40] = 0.0, 6.0
    member = drawn(rng, 64, 200)
    other = member if paired else drawn(rng, 64, 200)
    found = changes(run(rng, leak, member), run(rng, later, other), member, other, paired=paired)
    assert (found.direction[:20] == -1).mean() > 0.9 and (found.direction[20:40] == 1).mean() > 0.9
    assert np.count_nonzero(found.direction[40:]) <= 6
    assert found.before[:20].mean() > 0.9 and found.after[:20].mean() < 0.3


def test_p_values_are_those_of_the_exact_tests():
    rng = np.random.default_rng(2)
    member, other = drawn(rng, 24, 30), drawn(rng, 20, 30)
    before, twin = (run(rng, np.full(30, leak), member) for leak in (2.0, 0.0))
    after = run(rng, np.zeros(30), other)

    def hits(scores, side):
        others = np.sort(scores[~side])[::-1]
        return scores > others[int(0.05 * len(others))]

    found = changes(before, twin, member, member, paired=True)
    one, two = hits(before, member), hits(twin, member)
    for i in range(30):
        lost, gained = ((member & a & ~b)[:, i].sum() for a, b in ((one, two), (two, one)))
        p = stats.binomtest(int(lost), int(lost + gained)).pvalue if lost + gained else 1.0
        assert found.p[i] == pytest.approx(p) and found.models[i] == member[:, i].sum()
    found = changes(before, after, member, other, paired=False)
    two = hits(after, other)
    for i in range(30):
        table = [[(member & one)[:, i].sum(), (member & ~one)[:, i].sum()],
                 [(other & two)[:, i].sum(), (other & ~two)[:, i].sum()]]  # fmt: skip
        tails = [stats.fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        assert found.p[i] == pytest.approx(min(1.0, 2 * min(tails)))


def test_an_example_without_models_is_no_test():
    rng = np.random.default_rng(3)
    member = drawn(rng, 10, 20)
    member[:, 0] = False
    found = changes(run(rng, np.zeros(20), member), run(rng, np.zeros(20), member), member, member, paired=True)
    assert np.isnan(found.p[0]) and found.direction[0] == 0 and np.isfinite(found.p[1:]).all()


def test_the_rule_is_that_of_benjamini_and_hochberg():
    rng = np.random.default_rng(4)
    p = np.concatenate([rng.random(50), rng.random(20) * 0.003, [np.nan]])
    adjusted = stats.false_discovery_control(p[:-1])
    assert 0 < (adjusted <= 0.05).sum() < 70
    assert list(discoveries(p)) == [*(adjusted <= 0.05), False]
    assert not discoveries(np.full(3, np.nan)).any() and not discoveries(np.array([])).any()


def test_models_that_one_example_needs_are_where_the_smallest_p_passes_alone():
    n = models_to_see_one(300)
    assert 2 * 0.5**n <= 0.05 / 300 < 2 * 0.5 ** (n - 1)


def test_influences_at_several_rates_are_those_at_each():
    rng = np.random.default_rng(5)
    member = drawn(rng, 12, 100)
    scores, valid = run(rng, np.full(100, 1.5), member), np.arange(12) != 3
    auc, tprs = influences_at(scores, member, valid, (0.0001, 0.01, 0.1))
    for fpr, tpr in tprs.items():
        both = influences(scores, member, valid, fpr)
        assert both.auc.value == auc.value and (tpr is None) == (both.tpr is None)
        if tpr is not None and both.tpr is not None:
            assert both.tpr.value == tpr.value and np.array_equal(both.tpr.cells, tpr.cells)
    assert tprs[0.0001] is None and tprs[0.1] is not None
