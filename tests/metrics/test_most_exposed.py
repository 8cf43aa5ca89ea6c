import numpy as np
import pytest

from miajax.metrics.intervals import clopper_pearson
from miajax.metrics.most_exposed import most_exposed


def _campaign(models=32, records=40, seed=0):
    rng = np.random.default_rng(seed)
    member = rng.random((models, records)) < 0.5
    return rng.normal(size=(models, records)), member, np.ones(models, bool), rng


def test_a_record_that_gives_itself_away_is_found_and_counted_on_the_other_models():
    signals, member, valid, _ = _campaign(models=48)
    signals[:, 7] += 50 * member[:, 7]
    first = most_exposed(signals, member, valid, 3)[0]
    other = member[1::2, 7]  # models of odd place
    assert (first.record, first.num_in, first.num_out) == (7, other.sum(), (~other).sum())
    assert (first.named_in, first.named_out, first.above_chance) == (first.num_in, 0, True)
    assert list(first.named_in_ci) == clopper_pearson(first.num_in, first.num_in, 1 - 0.05 / 6)


def test_counts_are_those_of_a_rule_that_the_counted_models_never_saw():
    signals, member, valid, _ = _campaign(seed=3)
    for one in most_exposed(signals, member, valid, 5):
        named = signals[1::2, one.record] >= one.threshold
        inside = member[1::2, one.record]
        assert one.named_in == (named & inside).sum() and one.named_out == (named & ~inside).sum()
    changed = signals.copy()
    changed[1::2] = 0.0
    chosen = [(one.record, one.threshold) for one in most_exposed(signals, member, valid, 5)]
    assert chosen == [(one.record, one.threshold) for one in most_exposed(changed, member, valid, 5)]


def test_of_records_without_a_leak_few_runs_name_one():
    false = 0
    for seed in range(80):
        signals, member, valid, _ = _campaign(models=24, records=200, seed=seed)
        false += any(one.above_chance for one in most_exposed(signals, member, valid, 10))
    assert false <= 4  # at most 4 are expected, since all intervals hold at once with probability .95


def test_few_models_without_spread_by_chance_are_not_preferred():
    signals, member, valid, _ = _campaign(models=16, records=500, seed=1)
    signals = signals.round(1)
    signals[:, 9] += 6 * member[:, 9]
    assert most_exposed(signals, member, valid, 1)[0].record == 9


@pytest.mark.parametrize("models", [0, 1, 3])
def test_with_too_few_models_there_is_none(models):
    signals, member = np.zeros((models, 5)), np.zeros((models, 5), bool)
    assert most_exposed(signals, member, np.ones(models, bool)) == []


def test_records_of_one_side_only_missing_signals_and_failed_models_are_left_out():
    signals, member, valid, _ = _campaign()
    member[:, 0] = True
    signals[:, 1] = np.nan
    valid[[0, 5]] = False
    signals[[0, 5]] = 1e9
    found = most_exposed(signals, member, valid, 100)
    assert len(found) == 38 and {0, 1}.isdisjoint(one.record for one in found)
    assert all(one.num_in + one.num_out == 15 for one in found)  # of 30 valid models


def test_infinite_and_huge_signals_are_ordinary_extremes():
    signals, member, valid, _ = _campaign(models=40)
    signals[:, 2] = np.where(member[:, 2], np.inf, -np.inf)
    signals[:, 3] = np.where(member[:, 3], 1e300, -1e300)
    found = {one.record: one for one in most_exposed(signals, member, valid, 2)}
    assert set(found) == {2, 3}
    assert all(one.named_in == one.num_in and one.named_out == 0 for one in found.values())


def test_constant_signals_name_nobody_measurably():
    _, member, valid, _ = _campaign()
    assert not any(one.above_chance for one in most_exposed(np.zeros(member.shape), member, valid))
