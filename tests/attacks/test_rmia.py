"""RMIA's population: examples that no model says anything of are no part of it."""

import numpy as np
import pytest

from miajax.attacks.attack import shadow_counts
from miajax.attacks.options import AttackOptions, RmiaOptions
from miajax.attacks.population import pool_sample
from miajax.attacks.registry import ATTACKS, run_attacks
from tests.attacks.helpers import ensemble
from tests.oracles import attacks as oracle


@pytest.fixture(scope="module")
def few():
    """Five models: of many examples, all of a target's four others were trained on them."""
    signals, member = ensemble(models=5, examples=60, queries=1, seed=3)
    nowhere = (shadow_counts(member, np.ones(5, bool))[1] == 0) & ~member
    assert nowhere.any(1).sum() >= 3
    return signals, member, nowhere


def test_offline_the_population_leaves_out_examples_that_all_other_models_trained_on(few):
    signals, member, _ = few
    valid = np.ones(5, bool)
    scorable = np.asarray(ATTACKS["rmia_offline"].scorable(member, valid))
    got = np.asarray(ATTACKS["rmia_offline"].score(signals, member, valid, AttackOptions()))
    want = np.where(scorable, oracle.rmia(signals, member, valid, offline=True), np.nan)
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("offline_a", [0.3, None])
def test_what_a_target_says_of_such_an_example_moves_no_other_score(few, offline_a):
    signals, member, nowhere = few
    valid, options = np.ones(5, bool), AttackOptions(rmia=RmiaOptions(offline_a=offline_a))
    target, example = np.argwhere(nowhere)[0]
    changed = signals.logits.copy()
    changed[target, example, :, signals.labels[example]] += 30.0
    rest = np.arange(member.shape[1]) != example
    before, after = (
        np.asarray(ATTACKS["rmia_offline"].score(each, member, valid, options))[target, rest]
        for each in (signals, signals._replace(logits=changed))
    )
    np.testing.assert_array_equal(before, after)


OFFLINE, ONLINE = ("rmia_offline", "informia_offline"), ("rmia_online", "informia_online")


def outside(signals, member, valid, options=None):
    """What the reports of attacks count."""
    runs = run_attacks((*OFFLINE, *ONLINE), signals, member, valid, options)
    return {name: report.outside_population for name, (_, report) in runs.items()}


@pytest.mark.parametrize("failed", [None, 2])
@pytest.mark.parametrize("size", [None, 20])
def test_reports_count_the_pairs_that_offline_populations_lack(few, failed, size):
    signals, member, _ = few
    valid = np.arange(5) != failed
    population = range(60) if size is None else pool_sample(60, size)
    by_hand = sum(
        not member[target, z] and all(member[other, z] for other in range(5) if other != target and valid[other])
        for target in np.flatnonzero(valid)
        for z in population
    )
    found = outside(signals, member, valid, AttackOptions(population_size=size))
    assert found == {**dict.fromkeys(OFFLINE, by_hand), **dict.fromkeys(ONLINE, 0)} and by_hand > 0


def test_reports_count_none_where_every_example_has_a_model_without_it_or_the_population_comes_from_outside(few):
    signals, member, _ = few
    elsewhere = signals._replace(population_logits=signals.logits[:, :9, 0], population_labels=signals.labels[:9])
    assert not any(outside(elsewhere, member, np.ones(5, bool)).values())
    many, of_many = ensemble(models=24, examples=40, queries=1, seed=3)
    assert not any(outside(many, of_many, np.ones(24, bool)).values())
