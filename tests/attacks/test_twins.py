"""Every attack against its slow float64 twin: 1e-5 in float32, 1e-6 in float64."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scipy import stats

from miajax.attacks.options import (
    AttackOptions,
    BavariaOptions,
    CalibrationOptions,
    MultiSignalOptions,
    PmiaOptions,
    RmiaOptions,
)
from miajax.attacks.registry import ATTACKS
from miajax.signals import scaled_logit as signals_of
from tests.attacks.helpers import ensemble
from tests.oracles import attacks as oracle

DESIGNS = {
    "independent": ensemble(split="bernoulli", seed=3),
    "pairs": ensemble(models=14, split="balanced", seed=4),  # with model 9 failed, model 8 has no partner
}


def _phi(signals):
    return np.vectorize(oracle.scaled_logit, signature="(c),()->()")(signals.logits, signals.labels[:, None])


def _lira(name):
    return lambda s, m, v: oracle.lira(_phi(s), m, v)[name]


def _bavaria(student, **prior):
    return lambda s, m, v: oracle.bavaria(_phi(s), m, v, student, **prior)


def _pmia(form, **options):
    return lambda s, m, v: oracle.pmia(_phi(s), s, m, v, form, **options)


def _mean_rank(signals, member, valid, names=("bavaria_t", "base_online", "informia_offline"), join=np.mean):
    scores = [np.where(ATTACKS[n].scorable(member, valid), TWINS[n](signals, member, valid), np.nan) for n in names]
    ranks = [[(stats.rankdata(own, nan_policy="omit") - 0.5) / np.isfinite(own).sum() for own in s] for s in scores]
    return join(ranks, 0)


def _with(**changes):
    return dataclasses.replace(AttackOptions(), **changes)


TWINS = {
    "global_threshold": oracle.global_threshold,
    "gap": oracle.gap,
    "entropy": oracle.entropy,
    "modified_entropy": oracle.modified_entropy,
    "lira_online": _lira("lira_online"),
    "lira_online_fixed": _lira("lira_online_fixed"),
    "lira_offline": _lira("lira_offline"),
    "lira_offline_fixed": _lira("lira_offline_fixed"),
    "lira_online_fullcov": lambda s, m, v: oracle.lira_fullcov(_phi(s), m, v),
    "attack_p": oracle.attack_p,
    "attack_r": oracle.attack_r,
    "calibrated": oracle.calibrated,
    "rmia_online": oracle.rmia,
    "rmia_offline": lambda s, m, v: oracle.rmia(s, m, v, offline=True),
    "base_online": oracle.base,
    "base_offline": lambda s, m, v: oracle.base(s, m, v, offline=True),
    "bavaria_t": _bavaria(True),
    "bavaria_n": _bavaria(False),
    "informia_online": oracle.informia,
    "informia_offline": lambda s, m, v: oracle.informia(s, m, v, offline=True),
    "pmia_global": _pmia("global"),
    "pmia_class": _pmia("class"),
    "pmia_instance": _pmia("instance"),
    "lira_online_multi": oracle.lira_multi,
    "mean_rank": _mean_rank,
    "union": functools.partial(_mean_rank, join=np.max),
    "intersection": functools.partial(_mean_rank, join=np.min),
    "loss_trace_iqr": oracle.loss_trace_iqr,
    "gradient_norm": lambda s, m, v: np.where(v[:, None], -s.gradient_norm.astype(np.float64), np.nan),
    "input_gradient_norm": lambda s, m, v: np.where(v[:, None], -s.input_gradient_norm.astype(np.float64), np.nan),
}

VARIANTS = [
    (
        "calibrated",
        _with(calibration=CalibrationOptions("median", "both")),
        lambda s, m, v: oracle.calibrated(s, m, v, np.median, "both"),
    ),
    (
        "calibrated",
        _with(calibration=CalibrationOptions("mean", "in")),
        lambda s, m, v: oracle.calibrated(s, m, v, np.mean, "in"),
    ),
    (
        "rmia_online",
        _with(rmia=RmiaOptions(temperature=1.0, gamma=1.1), population_size=7),
        lambda s, m, v: oracle.rmia(s, m, v, gamma=1.1, temperature=1.0, population=range(0, 31, 5)),
    ),
    (
        "rmia_offline",
        _with(rmia=RmiaOptions(likelihood="taylor", offline_a=1.0, gamma=1.0)),
        lambda s, m, v: oracle.rmia(s, m, v, offline=True, a=1.0, gamma=1.0, kind="taylor"),
    ),
    (
        "base_online",
        _with(rmia=RmiaOptions(likelihood="taylor", taylor_order=2, taylor_margin=0.3)),
        lambda s, m, v: oracle.base(s, m, v, kind="taylor", order=2, margin=0.3),
    ),
    (
        "informia_online",
        _with(rmia=RmiaOptions(temperature=1.0), population_size=7),
        lambda s, m, v: oracle.informia(s, m, v, temperature=1.0, population=range(0, 31, 5)),
    ),
    (
        "informia_offline",
        _with(rmia=RmiaOptions(likelihood="taylor", offline_a=0.8)),
        lambda s, m, v: oracle.informia(s, m, v, offline=True, a=0.8, kind="taylor"),
    ),
    ("pmia_instance", _with(pmia=PmiaOptions(neighbours=3)), _pmia("instance", k=3)),
    (
        "lira_online_multi",
        _with(multi=MultiSignalOptions(("entropy", "scaled_logit"), 0.9)),
        lambda s, m, v: oracle.lira_multi(s, m, v, ("entropy", "scaled_logit"), 0.9),
    ),
    (
        "mean_rank",
        _with(mean_rank=("attack_r", "lira_online_fixed")),
        lambda s, m, v: _mean_rank(s, m, v, ("attack_r", "lira_online_fixed")),
    ),
    ("bavaria_t", _with(bavaria=BavariaOptions(None, None)), _bavaria(True, mean_strength=None)),
    ("bavaria_n", _with(bavaria=BavariaOptions(1.0, 3.0)), _bavaria(False, mean_strength=1.0, variance_strength=3.0)),
    (
        "calibrated",
        _with(calibration=CalibrationOptions("mean", "both")),
        lambda s, m, v: oracle.calibrated(s, m, v, np.mean, "both"),
    ),
    (
        "calibrated",
        _with(calibration=CalibrationOptions("median", "out")),
        lambda s, m, v: oracle.calibrated(s, m, v, np.median, "out"),
    ),
    ("lira_online_fullcov", _with(covariance_shrinkage=0.1), lambda s, m, v: oracle.lira_fullcov(_phi(s), m, v, 0.1)),
]


def _check(design, name, options, twin):
    narrow, member = DESIGNS[design]
    valid = np.arange(len(member)) != 9
    want = twin(narrow, member, valid)
    want = np.where(ATTACKS[name].scorable(member, valid), want, np.nan)
    assert np.isfinite(want).sum() > 0.9 * (len(member) - 1) * member.shape[1]

    def compare(signals, rtol):
        got = np.asarray(ATTACKS[name].score(signals, member, valid, options))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        if ATTACKS[name].family == "ensemble" and rtol > 1e-6:  # float32 may swap neighbours in an attack's order
            apart = np.abs(got - want)[np.isfinite(want)]
            assert (apart > rtol).mean() < 0.03 and apart.max() < 1.5 / member.shape[1]
            return
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.nanmean(np.abs(want)))

    compare(narrow, 1e-5)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: a.astype(np.float64) if a.dtype == np.float32 else a, narrow)
        wide = wide._replace(scaled_logit=np.asarray(signals_of.scaled_logit(wide.logits, wide.labels[:, None])))
        compare(wide, 1e-6)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", TWINS)
def test_attack_equals_its_slow_twin_in_both_precisions(design, name):
    _check(design, name, AttackOptions(), TWINS[name])


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name, options, twin", VARIANTS)
def test_options_do_what_the_twin_does(design, name, options, twin):
    _check(design, name, options, twin)


def test_every_pure_attack_has_a_twin():
    assert set(TWINS) == {name for name, attack in ATTACKS.items() if attack.pure}
