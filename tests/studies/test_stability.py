"""Attackers with disjoint shadow models: who they are, where their thresholds come from, what the curve says."""

import dataclasses

import numpy as np
import pytest

from benchmarks._simulated_signals import campaign
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import run_attacks
from miajax.data.pairs import complementary_partners
from miajax.data.splits import membership
from miajax.errors import UserError
from miajax.metrics.figures import Estimate
from miajax.metrics.vulnerability import exposure_at_pooled_fpr
from miajax.signals.bundle import Signals
from miajax.studies.stability.attackers import Ensemble, attacked, exposed_by, sizes
from miajax.studies.stability.figures import AtSize
from miajax.studies.stability.study import StabilityOptions, at_size, models_until_same

SETTINGS = AttackOptions()


def ensemble(phi, member, groups=None):
    signals = Signals(scaled_logit=phi[..., None], correct=phi > 0, labels=np.zeros(phi.shape[1], np.int32))
    paired = complementary_partners(member) is not None
    return Ensemble(signals, member, np.ones(len(member), bool), groups, paired)


@pytest.fixture(scope="module")
def leaking():
    return ensemble(*campaign("strong", 24, 200, 0))


def test_an_attacker_has_neither_the_target_nor_another_attackers_models(leaking):
    found = attacked(leaking, ["calibrated"], 2, 6, 0.05, SETTINGS)
    assert found.models == 8 and len(found.targets) == 6
    assert {target // 8 for target in found.targets} == {0, 1, 2}
    own = np.arange(8, 16)
    threshold = exposure_at_pooled_fpr(
        scores_of(leaking, own), leaking.member[own], np.ones(8, bool), 0.05
    ).threshold  # fmt: skip
    scores = scores_of(leaking, np.append(own, found.targets[0]))
    np.testing.assert_array_equal(found.named["calibrated"][0, 0], scores[-1] >= threshold)


def scores_of(run, rows):
    signals = Signals(run.signals.scaled_logit[rows], run.signals.correct[rows], run.signals.labels)
    return run_attacks(["calibrated"], signals, run.member[rows], np.ones(len(rows), bool))["calibrated"][0]


@pytest.mark.parametrize("name", ["global_threshold", "lira_online_fixed", "lira_online", "calibrated"])
def test_what_is_named_does_not_know_the_targets_members(leaking, name):
    """The target is a shadow model of nobody, not even where an attacker sets the threshold."""
    found = attacked(leaking, [name], 2, 3, 0.05, SETTINGS)
    assert found.named[name][:, 0].any()
    other = leaking.member.copy()
    other[found.targets[0]] = ~other[found.targets[0]]
    changed = attacked(dataclasses.replace(leaking, member=other), [name], 2, 3, 0.05, SETTINGS)
    np.testing.assert_array_equal(changed.named[name][:, 0], found.named[name][:, 0])


def test_thresholds_of_noise_reach_the_rate_that_they_were_set_for():
    found = attacked(ensemble(*campaign("no leak", 48, 400, 1)), ["lira_online_fixed"], 2, 48, 0.05, SETTINGS)
    named = found.named["lira_online_fixed"]
    assert named.shape == (2, 48, 400)
    assert named[:, ~found.member].mean() == pytest.approx(0.05, abs=0.012)
    assert named[:, found.member].mean() == pytest.approx(0.05, abs=0.012)


def test_complementary_pairs_stay_in_one_set():
    member = membership(0, 120, 26, "balanced")
    assert complementary_partners(member) is not None
    phi = np.random.default_rng(0).normal(size=member.shape).astype(np.float32)
    of = ensemble(phi, member)
    for rows in of.sets(26 // 3, 3):
        assert len(rows) % 2 == 0
        partners = complementary_partners(member)
        assert set(partners[rows]) == set(rows)


def test_groups_are_named_as_a_whole(leaking):
    groups = np.arange(200) // 4
    member = leaking.member[:, groups * 4]
    found = attacked(dataclasses.replace(leaking, member=member, groups=groups), ["calibrated"], 2, 6, 0.05, SETTINGS)
    assert found.named["calibrated"].shape == (2, 6, 50) and found.member.shape == (6, 50)
    np.testing.assert_array_equal(found.member[0], member[found.targets[0], ::4])


def test_an_attack_that_cannot_run_on_a_part_is_told_and_left_out():
    found = attacked(ensemble(*campaign("strong", 6, 40, 0)), ["lira_online", "global_threshold"], 2, 3, 0.1, SETTINGS)
    assert set(found.named) == {"global_threshold"} and "lira_online" in found.failed


def test_sets_that_expose_the_same_records_share_the_top_and_noise_shares_it_by_chance():
    """5 % of the records leak 3 standard deviations each: two sets of 16 models find most of them."""
    phi, member = campaign("few exposed", 32, 400, 2)
    sets, failed = exposed_by(ensemble(phi, member), ["lira_online_fixed"], 16, 4, 0.01, SETTINGS)
    assert not failed and len(sets["lira_online_fixed"]) == 2
    same = at_size(sets["lira_online_fixed"], 0.04)
    noise, _ = exposed_by(ensemble(*campaign("no leak", 32, 400, 2)), ["lira_online_fixed"], 16, 4, 0.01, SETTINGS)
    chance = at_size(noise["lira_online_fixed"], 0.04)
    assert same.num_sets == 2 and same.shared_top.chance == 16 / 400
    assert same.shared_top.value > 0.5 > chance.shared_top.value
    assert same.shared_top.interval[0] > 0.1 and chance.shared_top.interval[0] < 0.1


def test_sizes_are_those_of_which_two_sets_fit():
    assert sizes(7) == () and sizes(8) == (4,) and sizes(63) == (4, 8, 16) and sizes(64) == (4, 8, 16, 32)


def test_models_are_enough_from_where_all_larger_sets_share_the_top():
    def at(value):
        return AtSize(2, Estimate(value), 0.0, Estimate(None))

    assert models_until_same({4: at(0.95), 8: at(0.4), 16: at(0.6), 32: at(0.92)}) == {0.5: 16, 0.9: 32}
    assert models_until_same({4: at(0.1), 8: at(None)}) == {0.5: None, 0.9: None}
    assert models_until_same({}) == {0.5: None, 0.9: None}


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"sets": 1}, "2 or more attackers"), ({"targets": 0}, "1 or more"), ({"fpr": 1.0}, "between 0 and 1"),
     ({"top": 0.0}, "between 0 and 1"), ({"attacks": ("quantile",)}, "trains networks"),
     ({"attacks": ()}, "no attack")],
)  # fmt: skip
def test_options_that_make_no_sense_are_one_line(changes, told):
    with pytest.raises(UserError, match=told):
        StabilityOptions(**changes)


def test_too_few_models_are_told_before_anything_trains():
    with pytest.raises(UserError, match="11 models cannot be cut into 3 sets"):
        StabilityOptions().check(11)
    StabilityOptions().check(12)
