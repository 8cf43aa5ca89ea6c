"""Figures per group, and intervals that resample groups."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from miajax.attacks.registry import ATTACKS
from miajax.metrics.accuracy import share_by_model, share_correct
from miajax.metrics.calibration import shadow_calibrated
from miajax.metrics.claims import strongest
from miajax.metrics.clusters import by_group, rows_a_draw
from miajax.metrics.groups import JOINS, figures_per_group, joined, leading_join
from miajax.metrics.paired import influences_at, mean_rate
from miajax.metrics.summary import summarise

RNG = np.random.default_rng(3)


def campaign(num_models=16, num_groups=60, rows=4, within=0.0, seed=0):
    """Scores of groups that are alike under all models, and whose rows differ by ``within``."""
    rng = np.random.default_rng(seed)
    member = rng.random((num_models, num_groups)) < 0.5
    common = rng.normal(size=(num_models, num_groups)) + 1.5 * rng.normal(size=num_groups) + 0.7 * member
    scores = np.repeat(common, rows, 1) + within * rng.normal(size=(num_models, num_groups * rows))
    return scores, np.repeat(member, rows, 1), np.repeat(np.arange(num_groups), rows)


def numbers(figures):
    found: list[Any] = [figures.auc, figures.advantage, *figures.tpr_at_fpr.values(), figures.tpr_at_zero_fp]
    return np.array([[each.value, *each.interval] for each in found if each.value is not None])


def test_scores_are_joined_as_plain_loops_join_them():
    scores = RNG.normal(size=(3, 9)).astype(np.float32)
    scores[0, :2] = np.nan
    scores[1, 3] = np.nan
    groups = np.array([0, 0, 2, 1, 2, 1, 2, 2, 1])
    reduce = {"sum": np.nansum, "mean": np.nanmean, "max": np.nanmax}
    for join in JOINS:
        slow = np.full((3, 3), np.nan)
        for model in range(3):
            for group in range(3):
                rows = scores[model, groups == group].astype(np.float64)
                if not np.isnan(rows).all():
                    slow[model, group] = reduce[join](rows)
        np.testing.assert_allclose(joined(scores, groups, join), slow, rtol=1e-12)


def test_only_ratios_are_added_for_the_figure_that_leads():
    ratios = {name for name, attack in ATTACKS.items() if attack.log_likelihood_ratio}
    assert ratios == {
        "lira_online", "lira_online_fixed", "lira_online_fullcov", "lira_online_multi", "base_online", "base_offline",
        "bavaria_t", "bavaria_n", "pmia_global", "pmia_class", "pmia_instance",
    }  # fmt: skip
    assert leading_join(True) == "sum" and leading_join(False) == "mean"


def test_ratios_that_are_marked_as_such_follow_the_densities():
    """On Gaussian signals of known sides the score tends to log N(in) - log N(out)."""
    from miajax.attacks.registry import run_attacks
    from miajax.signals.bundle import Signals

    rng = np.random.default_rng(0)
    member = rng.random((3000, 4)) < 0.5
    phi = rng.normal(size=(3000, 4)) + 1.0 * member
    signals = Signals(scaled_logit=phi[..., None].astype(np.float32))
    names = ["lira_online", "lira_online_fixed", "bavaria_n", "bavaria_t"]
    true = (phi**2 - (phi - 1.0) ** 2) / 2
    for name, (scores, _) in run_attacks(names, signals, member, np.ones(3000, bool)).items():
        assert np.corrcoef(scores.ravel(), true.ravel())[0, 1] > 0.99, name
        assert abs(np.polyfit(true.ravel(), scores.ravel(), 1)[0] - 1) < 0.1, name


def test_groups_of_one_row_change_no_figure_and_no_interval():
    scores, member, _ = campaign(rows=1, num_groups=200)
    plain, grouped = (summarise(scores, member, groups=groups) for groups in (None, np.arange(200)))
    np.testing.assert_allclose(numbers(plain), numbers(grouped), rtol=0.01, atol=1e-3)
    assert plain.auc.value == grouped.auc.value
    np.testing.assert_allclose(plain.auc.interval, grouped.auc.interval, rtol=1e-9)
    assert plain.per_target is not None and grouped.per_target is not None
    np.testing.assert_allclose(plain.per_target.auc.interval, grouped.per_target.auc.interval, rtol=1e-9)


def test_copies_of_rows_within_groups_leave_the_interval_of_the_auc_as_it_was():
    scores, member, groups = campaign(rows=4)
    once = summarise(scores[:, ::4], member[:, ::4])
    copied = summarise(scores, member, groups=groups)
    naive = summarise(scores, member)
    np.testing.assert_allclose(copied.auc.interval, once.auc.interval, rtol=1e-9)
    assert np.ptp(naive.auc.interval) < np.ptp(once.auc.interval) - 1e-3
    assert copied.per_target is not None and once.per_target is not None
    np.testing.assert_allclose(copied.per_target.auc.interval, once.per_target.auc.interval, rtol=1e-9)
    for fpr in (1e-2,):
        wide, narrow = (np.ptp(np.array(each.tpr_at_fpr[fpr].interval)) for each in (copied, naive))
        assert wide > narrow


def test_every_figure_with_an_interval_resamples_groups():
    """Of copies, each interval is as wide as that of single rows, and wider than if copies were independent."""
    scores, member, groups = campaign(rows=4, num_models=24, num_groups=100)
    valid, right = np.ones(24, bool), scores > 0.3
    one = slice(None, None, 4)

    def widths(scores, member, right, groups):
        calibrated = shadow_calibrated(scores, member, valid, 0.1, groups=groups)
        auc, tprs = influences_at(scores, member, valid, (0.1,), groups)
        lead = strongest({"a": scores, "b": -scores}, member, valid, groups=groups)
        tpr = tprs[0.1]
        assert calibrated is not None and tpr is not None and lead is not None
        found = [
            calibrated.tpr.interval,
            calibrated.fpr.interval,
            mean_rate([auc]).interval,
            mean_rate([tpr]).interval,
            mean_rate([share_correct(right, member, groups)]).interval,
            mean_rate([share_by_model(right, member, valid, groups)]).interval,
            lead.ci,
        ]
        return np.array([high - low for low, high in found])

    once = widths(scores[:, one], member[:, one], right[:, one], None)
    copied = widths(scores, member, right, groups)
    naive = widths(scores, member, right, None)
    np.testing.assert_allclose(copied, once, rtol=0.25)
    assert (copied > naive).all()


@pytest.mark.parametrize("within", [0.0, 0.7])
def test_intervals_over_groups_hold_the_truth_as_often_as_promised(within):
    truth = summarise(*campaign(64, 3000, within=within, seed=99)[:2], each_target=False).auc.value
    inside = naive_inside = 0
    runs = 60
    for seed in range(runs):
        scores, member, groups = campaign(16, 40, within=within, seed=seed)
        low, high = summarise(scores, member, groups=groups, each_target=False).auc.interval
        naive = summarise(scores, member, each_target=False).auc.interval
        inside += low <= truth <= high
        naive_inside += naive[0] <= truth <= naive[1]
    assert inside / runs >= 0.88
    assert naive_inside < inside


def test_figures_per_group_are_those_of_joined_scores():
    scores, member, groups = campaign(within=1.0)
    found = figures_per_group(scores, member, None, groups, "sum")
    assert found.num_groups == 60 and found.leads == "sum"
    by_hand = summarise(scores.reshape(16, 60, 4).sum(2), member[:, ::4])
    assert found.figures.auc.value == pytest.approx(by_hand.auc.value, abs=1e-12)
    entry = found.to_json()
    assert entry["auc"] == entry["sum"]["auc"] and set(JOINS) <= set(entry) and entry["headline"] == "sum"
    assert found.figures.auc.value > summarise(scores, member).auc.value


def test_sizes_say_how_many_rows_are_one_draw():
    assert rows_a_draw(None) == 1.0 and rows_a_draw(np.repeat(np.arange(5), 4)) == 4.0
    assert rows_a_draw(np.array([0, 1, 1, 1])) == pytest.approx(2.5)
    np.testing.assert_array_equal(by_group(np.array([[True, True, False]]), np.array([1, 1, 0])), [[0, 2]])


def test_figures_within_a_part_of_the_examples_count_its_groups():
    scores, member, groups = campaign()
    where = np.broadcast_to(groups < 30, scores.shape)
    part = summarise(scores, member, groups=groups, where=where)
    alone = summarise(scores[:, :120], member[:, :120], groups=groups[:120])
    np.testing.assert_allclose(numbers(part), numbers(alone))
    assert dataclasses.asdict(part)["num_members"] == int(member[:, :120].sum())
