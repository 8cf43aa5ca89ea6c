"""What another execution plan does to an attack is told from the two sets of signals."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from miajax.attacks.registry import run_attack
from miajax.campaign.plan_effect import effect_on_scores
from miajax.data.splits import membership
from miajax.signals.bundle import Signals

RNG = np.random.default_rng(0)
N = 200


def campaign(models: int):
    member = np.array([RNG.permutation(N) < N // 2 for _ in range(models)])
    signals = (RNG.normal(size=(models, N)) + 2.0 * member).astype(np.float32)[..., None]
    return signals, member


@pytest.mark.parametrize(("models", "attack"), [(4, "global_threshold"), (16, "lira_online")])
def test_equal_signals_have_equal_scores_and_rates(models, attack):
    signals, member = campaign(models)
    effect = effect_on_scores(signals, signals, member)
    assert effect is not None and effect["attack"] == attack
    assert effect["rank_correlation"] == pytest.approx(1.0)
    assert effect["tpr_before"] == effect["tpr_now"] > 0


def test_scores_and_rates_of_both_plans_stand_side_by_side():
    before, member = campaign(4)
    now = before + RNG.normal(size=before.shape).astype(np.float32)
    effect = effect_on_scores(before, now, member)
    signals = [Signals(s, np.zeros((4, N), bool), np.zeros(N, np.int32)) for s in (before, now)]
    scores = [run_attack("global_threshold", s, member, np.ones(4, bool))[0] for s in signals]
    rates = []
    for array in scores:
        cut = np.sort(array[~member])[-5]  # of 400 non-members 4 may lie above it at FPR .01
        rates.append(float((array[member] > cut).mean()))
    assert effect["rank_correlation"] == pytest.approx(spearmanr(*(s.ravel() for s in scores)).statistic)
    assert (effect["tpr_before"], effect["tpr_now"]) == pytest.approx(tuple(rates)) and rates[0] > rates[1]


def test_a_model_that_diverged_under_either_plan_is_left_out():
    before, member = campaign(4)
    now = before.copy()
    now[1] = np.nan
    effect = effect_on_scores(before, now, member)
    assert effect["rank_correlation"] == pytest.approx(1.0)
    assert effect_on_scores(before, np.full_like(now, np.nan), member) is None


@pytest.mark.parametrize(("models", "attack"), [(4, "global_threshold"), (16, "lira_online")])
def test_complementary_pairs_are_attacked_by_what_is_left_without_partners(models, attack):
    """Of four models in pairs, a target has one shadow model on either side."""
    signals, _ = campaign(models)
    member = membership(0, N, models, "balanced")
    effect = effect_on_scores(signals, signals, member)
    assert effect is not None and effect["attack"] == attack
    assert effect["rank_correlation"] == pytest.approx(1.0)
