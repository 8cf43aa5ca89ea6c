"""Signals that know nothing of membership score at chance, whatever the attack, the split and the number of models."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from miajax.attacks.label_only import label_ratio_scores
from miajax.attacks.options import AttackOptions, CalibrationOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS, run_attack, run_attacks, why_not
from miajax.data.splits import SPLITS
from miajax.errors import UserError
from tests.attacks.helpers import ensemble, uninformative

KINDS = ("noise", "constant", "tied", "example")
OTHER_OPTIONS = AttackOptions(
    lira_mode="official",
    class_thresholds=True,
    rmia=RmiaOptions(offline_a=None),
    calibration=CalibrationOptions("median", "both"),
)
TAKES_OPTIONS = ("lira", "entropy", "rmia", "informia", "calibrated")
TAKE_OPTIONS = [name for name, attack in ATTACKS.items() if attack.family in TAKES_OPTIONS]
QUICK = ("lira_online", "lira_online_fixed", "attack_r", "base_online", "rmia_online", "bavaria_t")

# Attacks with a spread of their own: one shadow model a side has none, nor have models that all agree.
SPREAD = {"lira_online", "lira_online_fixed", "lira_offline", "lira_offline_fixed", "lira_online_fullcov"}
SPREAD |= {"mean_rank", "union", "intersection", "lira_online_multi", "pmia_global", "pmia_class", "pmia_instance"}


def _scores(name, signals, member, options):
    """None where the attack is refused, and then it must be one that cannot know better."""
    valid = np.ones(len(member), bool)
    try:
        if why_not(name, signals, member, valid) is None:
            return run_attack(name, signals, member, valid, options)[0]
    except UserError as error:
        assert "has no score" in str(error)
    assert name in SPREAD | {"bavaria_t", "bavaria_n"}
    assert len(member) == 4 or np.ptp(np.asarray(signals.scaled_logit), 0).max() == 0
    return None


def _assert_chance(name, scores, member):
    if scores is None:
        return
    assert np.isfinite(scores).any(0).all() or name in SPREAD  # an example is left out whole where its models agree
    # All targets share an example's shadow models, so cells are no sample: 25 blocks of examples are.
    aucs = np.array(
        [
            roc_auc_score(side[known], block[known])
            for block, side in zip(np.array_split(scores, 25, 1), np.array_split(member, 25, 1), strict=True)
            if (known := np.isfinite(block)).any() and len(set(side[known].tolist())) == 2
        ]
    )
    assert len(aucs) >= 5, name
    error = aucs.std(ddof=1) / np.sqrt(len(aucs))
    assert abs(aucs.mean() - 0.5) <= 5 * error + 1e-9, (name, aucs.mean(), error)


def _check(kind, models, cells, names, options=None):
    signals, member = uninformative(kind, models, cells // models, seed=models)
    for name in names:
        _assert_chance(name, _scores(name, signals, member, options), member)


def test_eight_models_in_pairs_say_nothing_by_noise():
    _check("noise", 8, 20_000, QUICK)


@pytest.mark.parametrize("models", [4, 8, 16, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_label_ratios_of_models_in_pairs_say_nothing(kind, models):
    signals, member = uninformative(kind, models, 20_000 // models, seed=models)
    scores = np.asarray(label_ratio_scores(signals.correct, member, np.ones(models, bool)))
    _assert_chance("label_ratio", scores, member)


@pytest.mark.slow
@pytest.mark.parametrize("models", [4, 8, 16, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_no_attack_on_models_in_pairs_takes_signals_that_know_nothing_for_membership(kind, models):
    _check(kind, models, 40_000, [name for name in ATTACKS if ATTACKS[name].pure])
    _check(kind, models, 40_000, TAKE_OPTIONS, OTHER_OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("models, examples", [(8, 2500), (64, 1000)])
def test_attacks_on_noise_are_at_chance(split, models, examples):
    signals, member = ensemble(models, examples, queries=1, gap=0.0, split=split, seed=11)
    for name, (scores, _) in run_attacks(tuple(ATTACKS), signals, member, np.ones(models, bool)).items():
        keep = np.isfinite(scores)
        assert abs(roc_auc_score(member[keep], scores[keep]) - 0.5) < 0.018, name


@pytest.mark.slow
def test_a_pair_left_in_would_be_seen():
    """The same models, each called its own partner: the check above can fail."""
    signals, member = uninformative("noise", 8, 5000, seed=8)
    own = np.arange(8)
    for name, known in {"lira_online": 0.433, "lira_online_fixed": 0.472, "bavaria_t": 0.449}.items():
        scores = np.asarray(ATTACKS[name].score(signals, member, np.ones(8, bool), AttackOptions(), own))
        keep = np.isfinite(scores)
        assert abs(roc_auc_score(member[keep], scores[keep]) - known) < 0.015, name


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS[name].pure])
def test_a_partner_may_say_anything(name):
    signals, member = ensemble(models=8, examples=60, queries=1, split="balanced")
    target, partner = 2, 3
    loud = {}
    for field, array in signals._asdict().items():
        if array is not None and field not in ("labels", "features"):
            loud[field] = array.copy()
            loud[field][partner] = loud[field][partner][..., ::-1] if field == "logits" else loud[field][0]
    valid = np.ones(8, bool)
    before, after = (run_attack(name, s, member, valid)[0] for s in (signals, signals._replace(**loud)))
    np.testing.assert_allclose(after[target], before[target], rtol=1e-4, atol=1e-4)
    assert ATTACKS[name].min_out == 0 or not np.allclose(before[0], after[0], rtol=1e-3, atol=1e-3, equal_nan=True)
