"""Identities between attacks, limits, and the mistakes that peers have made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from miajax.attacks.attack import sides
from miajax.attacks.bavaria import NormalInverseGamma
from miajax.attacks.leave_one_out import LeaveOneOut
from miajax.attacks.options import AttackOptions, MultiSignalOptions, PmiaOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS, run_attack, run_attacks
from miajax.attacks.rmia import choose_offline_a
from miajax.data.splits import membership
from miajax.errors import UserError
from miajax.estimators.answers import logits_of
from miajax.signals import scaled_logit as signals_of
from tests.attacks.helpers import ensemble
from tests.oracles import attacks as oracle

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

OFFLINE = ("lira_offline", "attack_r", "calibrated", "base_offline", "rmia_offline", "informia_offline")
ASKS_THE_POOL = ("attack_p", "rmia_online", "rmia_offline", "informia_online", "informia_offline", "quantile")


def _with_logits(signals, logits):
    phi = np.asarray(signals_of.scaled_logit(logits, signals.labels[:, None]))
    return signals._replace(
        logits=logits, scaled_logit=phi, correct=np.asarray(signals_of.correct(logits[:, :, 0], signals.labels))
    )


def _with_population(signals, size=40, seed=5):
    rng = np.random.default_rng(seed)
    shape = (len(signals.logits), size, signals.logits.shape[-1])
    return signals._replace(
        population_logits=rng.normal(size=shape).astype(np.float32),
        population_labels=rng.integers(0, shape[-1], size).astype(np.int32),
    )


def test_rmia_is_a_non_decreasing_step_function_of_base_at_equal_settings():
    signals, member = ensemble(models=12, examples=60, queries=1)
    signals, valid = _with_population(signals), np.ones(12, bool)
    options = AttackOptions(rmia=RmiaOptions(temperature=1.5, gamma=1.2))
    scores = run_attacks(("rmia_online", "base_online"), signals, member, valid, options)
    for rmia, base in zip(scores["rmia_online"][0], scores["base_online"][0], strict=True):
        known = np.isfinite(base)
        steps = rmia[known][np.argsort(base[known])]
        assert (np.diff(steps) >= 0).all() and len(np.unique(steps)) > 3


def test_informia_online_is_base_less_a_constant_of_the_target():
    signals, member = ensemble(models=12, examples=60, queries=2)
    scores = run_attacks(("informia_online", "base_online"), signals, member, np.ones(12, bool))
    difference = scores["informia_online"][0] - scores["base_online"][0]
    assert np.nanmax(np.nanmax(difference, 1) - np.nanmin(difference, 1)) < 1e-5
    assert np.ptp(np.nanmean(difference, 1)) > 0.01


def test_informia_keeps_apart_the_examples_that_beat_everyone_and_orders_the_rest_as_rmia_does():
    """At equal p(x): RMIA's highest score is one tie, which no threshold of a low false positive rate can cut."""
    signals, member = ensemble(models=12, examples=400, queries=1, gap=4.0)
    options = AttackOptions(rmia=RmiaOptions(gamma=1.2))
    for side in ("online", "offline"):
        scores = run_attacks((f"rmia_{side}", f"informia_{side}"), signals, member, np.ones(12, bool), options)
        for rmia, informia in zip(*(scores[f"{name}_{side}"][0] for name in ("rmia", "informia")), strict=True):
            known = np.isfinite(informia)
            rmia, informia = rmia[known], informia[known]
            assert (np.diff(rmia[np.argsort(informia)]) >= -1 / known.sum()).all()  # x never beats itself
            assert np.unique(rmia, return_counts=True)[1].max() > 20 and len(np.unique(informia)) == len(informia)


def test_a_population_of_its_own_takes_the_place_of_the_pool():
    signals, member = ensemble(models=8, examples=25, queries=1)
    valid = np.ones(8, bool)
    joined = np.concatenate([signals.logits, _with_population(signals).population_logits[:, :, None]], 1)
    labels = np.concatenate([signals.labels, _with_population(signals).population_labels])
    nowhere = np.concatenate([member, np.zeros((8, 40), bool)], 1)
    whole = signals._replace(logits=joined, labels=labels)
    want = oracle.rmia(whole, nowhere, valid, population=range(25, 65))[:, :25]
    got, _ = run_attack("rmia_online", _with_population(signals), member, valid)
    known = ATTACKS["rmia_online"].scorable(member, valid)
    np.testing.assert_allclose(got[known], want[known], atol=1e-6)
    want = oracle.informia(whole, nowhere, valid, population=range(25, 65))[:, :25]
    got, _ = run_attack("informia_online", _with_population(signals), member, valid)
    np.testing.assert_allclose(got[known], want[known], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["pmia_global", "pmia_class", "pmia_instance"])
def test_what_models_that_saw_an_example_say_of_it_is_no_proxy_of_its_own(name):
    signals, member = ensemble(models=12, examples=40)
    valid, target, example = np.ones(12, bool), 3, 8
    loud = signals.scaled_logit.copy()
    saw = member[:, example] & (np.arange(12) != target)
    loud[saw, example] += 50.0 * np.arange(saw.sum())[:, None]
    before, after = (run_attack(name, signals._replace(scaled_logit=s), member, valid)[0]
                     for s in (signals.scaled_logit, loud))  # fmt: skip
    np.testing.assert_allclose(after[target, example], before[target, example], rtol=1e-5)
    others = signals.labels == signals.labels[example]
    assert not np.allclose(after[target, others], before[target, others], rtol=1e-3)


def test_all_proxies_of_an_ensemble_of_one_class_are_those_of_the_class():
    signals, member = ensemble(models=12, examples=40)
    one = signals._replace(labels=np.zeros_like(signals.labels))
    options = AttackOptions(pmia=PmiaOptions(neighbours=100))
    names = ("pmia_global", "pmia_class", "pmia_instance")
    first, *others = (run[0] for run in run_attacks(names, one, member, np.ones(12, bool), options).values())
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-4, atol=1e-4)


def test_an_example_without_another_of_its_class_has_no_proxies():
    signals, member = ensemble(models=12, examples=40)
    labels = signals.labels.copy()
    labels[labels == 3] = 2
    labels[5] = 3
    alone = signals._replace(labels=labels)
    for name in ("pmia_class", "pmia_instance"):
        scores, report = run_attack(name, alone, member, np.ones(12, bool))
        assert np.isnan(scores[:, 5]).all() and report.degenerate >= report.scored / 40 - 1
        assert np.isfinite(scores[:, :5]).mean() > 0.9


def test_a_towering_target_does_not_wipe_out_what_the_other_models_think():
    """A sum less the own term would leave nothing of likelihoods of 1e-9 beside one of 1."""
    signals, member = ensemble()
    logits, valid = signals.logits.copy(), np.ones(len(member), bool)
    own = signals.labels[:, None, None] == np.arange(logits.shape[-1])
    logits[:] = np.where(own, -40.0 + np.arange(len(member))[:, None, None, None], 0.0)
    logits[4] = np.where(own, 60.0, 0.0)
    got, _ = run_attack("base_online", _with_logits(signals, logits), member, valid)
    want = oracle.base(_with_logits(signals, logits), member, valid)
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("name", OFFLINE)
def test_offline_attacks_never_look_at_models_that_saw_the_example(name):
    """One peer zeroes their signals and takes the largest of all; another keeps the largest k."""
    signals, member = ensemble()
    valid, target = np.ones(len(member), bool), 3
    saw = member.copy()
    saw[target] = False
    logits = np.where(saw[:, :, None, None], signals.logits[::-1] + 9.0 * np.arange(4), signals.logits)
    got, _ = run_attack(name, _with_logits(signals, logits.astype(np.float32)), member, valid)
    want, _ = run_attack(name, signals, member, valid)
    np.testing.assert_allclose(got[target], want[target], rtol=1e-5, atol=1e-6)


def test_no_attack_uses_the_membership_that_it_is_asked_for():
    """Except that the pool's own population leaves the target's members out, as the definition says."""
    signals, member = ensemble()
    valid, target = np.ones(len(member), bool), 7
    flipped = member.copy()
    flipped[target] = ~flipped[target]
    names = tuple(name for name in ATTACKS if name not in ASKS_THE_POOL)
    before, after = (run_attacks(names, signals, m, valid) for m in (member, flipped))
    for name in names:
        np.testing.assert_allclose(after[name][0][target], before[name][0][target], rtol=2e-5, atol=1e-5, err_msg=name)


def test_full_covariance_without_covariances_is_q_times_lira():
    signals, member = ensemble()
    options = AttackOptions(covariance_shrinkage=1.0)
    scores = run_attacks(("lira_online_fullcov", "lira_online"), signals, member, np.ones(len(member), bool), options)
    np.testing.assert_allclose(scores["lira_online_fullcov"][0], 2 * scores["lira_online"][0], rtol=1e-4, atol=1e-4)


def test_lira_on_several_signals_is_lira_on_the_scaled_logit_alone():
    signals, member = ensemble()
    options = AttackOptions(multi=MultiSignalOptions(("scaled_logit",)))
    scores = run_attacks(("lira_online_multi", "lira_online"), signals, member, np.ones(len(member), bool), options)
    np.testing.assert_allclose(scores["lira_online_multi"][0], scores["lira_online"][0], rtol=1e-5, atol=1e-5)


def test_lira_on_signals_that_are_taken_for_independent_adds_up():
    signals, member = ensemble()
    valid, names = np.ones(len(member), bool), ("scaled_logit", "loss", "hinge", "entropy")

    def scored(*some):
        options = AttackOptions(multi=MultiSignalOptions(some, 1.0))
        return run_attack("lira_online_multi", signals, member, valid, options)[0]

    np.testing.assert_allclose(scored(*names), sum(map(scored, names)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("setting", [{"signals": ()}, {"signals": ("loss", "loss")}, {"shrinkage": 1.5}])
def test_signals_and_shrinkage_that_mean_nothing_are_refused_by_name(setting):
    with pytest.raises(UserError, match=f"--{next(iter(setting))}"):
        MultiSignalOptions(**setting)


def test_the_mean_rank_of_one_attack_orders_a_target_s_examples_as_it_does():
    signals, member = ensemble()
    options = AttackOptions(mean_rank=("lira_online_fixed",))
    scores = run_attacks(("mean_rank", "lira_online_fixed"), signals, member, np.ones(len(member), bool), options)
    for ranks, own in zip(*(run[0] for run in scores.values()), strict=True):
        known = np.isfinite(own)
        np.testing.assert_array_equal(np.argsort(ranks[known]), np.argsort(own[known]))
        assert ranks[known].min() > 0 and ranks[known].max() < 1


@pytest.mark.parametrize("names", [(), ("gap",), ("base_online", "lyra")])
def test_a_mean_rank_of_attacks_that_are_not_there_is_refused_by_name(names):
    signals, member = ensemble()
    with pytest.raises(UserError, match=r"expected some of .*base_online"):
        run_attack("mean_rank", signals, member, np.ones(len(member), bool), AttackOptions(mean_rank=names))


PRIOR = NormalInverseGamma(*(np.float32(v) for v in (1.5, 0.3, 2.5, 4.0)))


def test_bavaria_without_models_is_its_prior_predictive():
    nothing = LeaveOneOut(jnp.float32(0), jnp.float32(7), jnp.float32(0))
    posterior = PRIOR.updated(nothing)
    jax.tree.map(np.testing.assert_array_equal, tuple(posterior), tuple(jnp.asarray(v) for v in PRIOR))
    scale = np.sqrt(4.0 * 1.3 / (2.5 * 0.3))
    value = np.float32([-30.0, 0.0, 1.5, 4.0, 100.0])
    np.testing.assert_allclose(posterior.log_student_t(value), stats.t(5.0, 1.5, scale).logpdf(value), rtol=1e-5)
    np.testing.assert_allclose(posterior.log_normal(value), stats.norm(1.5, scale).logpdf(value), rtol=1e-5)


@pytest.mark.parametrize("density", [NormalInverseGamma.log_student_t, NormalInverseGamma.log_normal])
def test_bavaria_with_many_models_is_lira(density):
    many = LeaveOneOut(jnp.float32(1e7), jnp.float32(-2), jnp.float32(9e7))
    value = np.float32([-8.0, -2.0, 3.0])
    np.testing.assert_allclose(density(PRIOR.updated(many), value), stats.norm(-2, 3).logpdf(value), rtol=1e-4)


def test_bavaria_scores_cells_that_lira_cannot():
    signals, member = ensemble(models=4, examples=200, queries=1)
    reports = run_attacks(("lira_online_fixed", "bavaria_t"), signals, member, np.ones(4, bool))
    assert reports["lira_online_fixed"][1].too_few > 100 and reports["bavaria_t"][1].scored == member.size


def test_online_lira_reaches_the_closed_form_on_gaussian_signals():
    member = membership(0, 400, 128)
    rng = np.random.default_rng(3)
    phi = 4 * rng.normal(size=(1, 400, 1)) + rng.normal(size=(128, 400, 1)) + 1.5 * member[..., None]
    signals = ensemble(2, 2)[0]._replace(scaled_logit=phi.astype(np.float32))
    closed = stats.norm.cdf(1.5 / np.sqrt(2))
    for name in ("lira_online", "lira_online_fixed", "lira_offline", "bavaria_t"):
        scores, _ = run_attack(name, signals, member, np.ones(128, bool))
        auc = roc_auc_score(member.ravel(), scores.ravel())
        assert closed - 0.02 < auc < closed + 0.01, (name, auc)


def test_rounded_probabilities_of_exactly_zero_and_one_can_be_attacked():
    signals, member = ensemble(gap=3.0)
    p = np.asarray(jax.nn.softmax(3 * signals.logits)).round(3)
    assert (p == 0).any() and (p == 1).any()
    rounded = _with_logits(signals, logits_of("probabilities", p))
    told = {"logits", "labels", "scaled_logit", "correct"}
    names = tuple(name for name, attack in ATTACKS.items() if set(attack.needs) <= told)
    for name, (scores, report) in run_attacks(names, rounded, member, np.ones(len(member), bool)).items():
        keep = np.isfinite(scores)
        assert report.scored > 0.6 * member.size and roc_auc_score(member[keep], scores[keep]) > 0.55, name


def test_chosen_offline_a_attacks_the_paired_model_best_and_the_target_has_no_part_in_it():
    signals, member = ensemble(models=8, examples=40, queries=1, gap=1.0)
    valid, options = np.ones(8, bool), AttackOptions(rmia=RmiaOptions(gamma=1.0, offline_a=None))
    chosen = np.asarray(choose_offline_a(signals, member, valid, options))
    target, pair, odd = 4, 5, slice(1, None, 2)
    half = signals._replace(logits=signals.logits[odd])

    def paired_auc(a):
        scores = oracle.rmia(half, member[odd], valid[odd], offline=True, a=a, gamma=1.0)
        return roc_auc_score(member[pair], scores[pair // 2])

    assert paired_auc(float(chosen[target])) == max(paired_auc(a) for a in np.arange(11) / 10)
    logits = signals.logits.copy()
    logits[target] *= -3
    assert choose_offline_a(signals._replace(logits=logits), member, valid, options)[target] == chosen[target]
    fixed = [AttackOptions(rmia=RmiaOptions(gamma=1.0, offline_a=round(float(a), 1))) for a in chosen]
    tuned, _ = run_attack("rmia_offline", signals, member, valid, options)
    for t in (target, pair):
        np.testing.assert_array_equal(tuned[t], run_attack("rmia_offline", signals, member, valid, fixed[t])[0][t])


def test_among_pairs_neither_target_nor_partner_has_a_part_in_its_offline_a():
    signals, member = ensemble(models=16, examples=40, queries=1, gap=1.0, split="balanced")
    valid, options = np.ones(16, bool), AttackOptions(rmia=RmiaOptions(gamma=1.0, offline_a=None))
    chosen = np.asarray(choose_offline_a(signals, member, valid, options))
    for target, partner, stand_in in ((4, 5, 6), (7, 6, 5), (12, 13, 14)):
        own = [m for m in range(16) if m // 2 % 2 == stand_in // 2 % 2]  # the pairs that take turns with the target's
        half = signals._replace(logits=signals.logits[own])

        def auc(a, half=half, own=own, stand_in=stand_in):
            scores = oracle.rmia(half, member[own], valid[own], offline=True, a=a, gamma=1.0)
            return roc_auc_score(member[stand_in], scores[own.index(stand_in)])

        assert auc(float(chosen[target])) == max(auc(a) for a in np.arange(11) / 10)
        logits = signals.logits.copy()
        logits[[target, partner]] *= -3
        assert choose_offline_a(signals._replace(logits=logits), member, valid, options)[target] == chosen[target]
    shuffled = np.random.default_rng(0).permutation(16)
    again = choose_offline_a(signals._replace(logits=signals.logits[shuffled]), member[shuffled], valid, options)
    assert set(np.asarray(again).round(1)) <= set((np.arange(11) / 10).astype(np.float32).round(1))
    few = choose_offline_a(signals._replace(logits=signals.logits[:4]), member[:4], valid[:4], options)
    np.testing.assert_array_equal(few, np.full(4, np.float32(0.3)))


@pytest.mark.parametrize("setting", [{"gamma": 0.5}, {"temperature": 0.0}, {"taylor_order": 3}, {"offline_a": 1.5}])
def test_settings_that_mean_nothing_are_refused_by_name(setting):
    with pytest.raises(UserError, match=f"--{next(iter(setting))}"):
        RmiaOptions(**setting)


def test_no_neighbours_are_refused_by_name():
    with pytest.raises(UserError, match="--neighbours 0"):
        PmiaOptions(neighbours=0)


def test_sides_hold_valid_models_only():
    member, valid = np.array([[True], [False], [True]]), np.array([True, True, False])
    is_in, is_out = np.asarray(sides(member, valid))[:, :, 0]
    np.testing.assert_array_equal(is_in, [True, False, False])
    np.testing.assert_array_equal(is_out, [False, True, False])
