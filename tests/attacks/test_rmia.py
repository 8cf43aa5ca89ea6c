"""RMIA's population: examples that no model says anything of are no part of it."""

import numpy as np
import pytest

from miajax.attacks.attack import shadow_counts
from miajax.attacks.options import AttackOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS
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
