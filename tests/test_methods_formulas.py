"""Every formula of docs/methods.md, computed as it is written there in float64, against the code.

A formula's docstring is its cell of the table in docs/methods.md: neither can change without the other.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from miajax.attacks import quantile
from miajax.attacks.label_only import label_ratio_scores
from miajax.attacks.options import AttackOptions, BavariaOptions, QuantileOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS, run_attack
from miajax.outliers.registry import METRICS, Evidence
from tests.attacks.helpers import ensemble, take
from tests.oracles.attack_formulas import FORMULAS, OFFICIAL_FORMULAS, Target
from tests.oracles.outlier_formulas import FORMULAS as METRIC_FORMULAS

METHODS = (Path(__file__).parent.parent / "docs" / "methods.md").read_text(encoding="utf-8")
OFFICIAL = AttackOptions(lira_mode="official")


def table(heading: str) -> dict[str, str]:
    """Name and formula of every row of the first table after a heading."""
    rows = METHODS[METHODS.index(heading) :].split("\n|---|---|", 1)[1].split("\n\n", 1)[0]
    return dict(re.findall(r"^\| (\w+) \| (.+?) \|", rows, re.MULTILINE))


SPLIT_OF = {"independent": ("fixed_size", 9), "pairs": ("balanced", 10)}
BY_NETWORK = {"quantile"}  # a formula with a network in it has a test of its own


@pytest.fixture(scope="module", params=SPLIT_OF)
def models(request):
    split, num_models = SPLIT_OF[request.param]
    signals, member = ensemble(models=num_models, examples=13, queries=3, split=split, seed=8)
    # two models a side, whoever the target is: every formula has a value everywhere
    enough = (np.minimum(member.sum(0), (~member).sum(0)) >= 3) | (split == "balanced")
    assert enough.sum() >= 8
    keep = np.flatnonzero(enough)
    return take(signals, examples=keep), member[:, keep], split


def _compare(name, written, models, options=None):
    signals, member, split = models
    partners = np.arange(len(member)) ^ 1 if split == "balanced" else None
    valid = np.ones(len(member), bool)
    if name == "label_ratio":
        scores = np.asarray(label_ratio_scores(signals.correct, member, valid, partners))
    else:
        scores = np.asarray(ATTACKS[name].score(signals, member, valid, options or AttackOptions(), partners))
    for t in (0, len(member) - 1):
        want = written(Target(signals, member, t))
        np.testing.assert_allclose(scores[t], want, rtol=2e-4, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("name", FORMULAS)
def test_scores_are_the_page_s_formulas(name, models):
    _compare(name, FORMULAS[name], models)


@pytest.mark.parametrize("name", OFFICIAL_FORMULAS)
def test_scores_of_the_official_mode_are_the_page_s_formulas(name, models):
    _compare(name, OFFICIAL_FORMULAS[name], models, OFFICIAL)


def test_the_taylor_likelihood_is_the_page_s_formula(models):
    signals, member, split = models
    partners = np.arange(len(member)) ^ 1 if split == "balanced" else None
    options = AttackOptions(rmia=RmiaOptions(likelihood="taylor", temperature=1.0))
    valid = np.ones(len(member), bool)
    scores = np.asarray(ATTACKS["base_online"].score(signals, member, valid, options, partners))
    target = Target(signals, member, 0)
    taylor = np.polynomial.Polynomial([1, 1, 1 / 2, 1 / 6, 1 / 24])
    label = taylor((target.z * target.own[:, None]).sum(-1) - 0.6)
    p = label / (label + np.where(target.own[:, None], 0, taylor(target.z)).sum(-1))
    want = (np.log(p[0]) - np.log(p[target.shadow].mean(0))).mean(-1)
    np.testing.assert_allclose(scores[0], want, rtol=1e-4, atol=1e-4)


def test_quantile_regression_judges_margins_in_units_of_the_non_members(monkeypatch):
    """(h − ĥ) / ŝ, h the margin z_y − max_{c≠y} z_c in units of the target's non-members"""
    signals, member = ensemble(models=3, examples=20, queries=1)
    mean, log_deviation = np.random.default_rng(0).normal(size=(2, 3, 20))
    answers = np.stack([mean, log_deviation], -1)
    monkeypatch.setattr(quantile, "_expected", lambda *_, options: answers)
    options = AttackOptions(quantile=QuantileOptions())
    scores, _ = run_attack("quantile", signals, member, np.ones(3, bool), options)
    own = signals.labels[:, None] == np.arange(signals.logits.shape[-1])
    z = signals.logits[:, :, 0].astype(np.float64)
    margin = (z * own).sum(-1) - np.where(own, -np.inf, z).max(-1)
    for t in range(3):
        others = margin[t, ~member[t]]
        h = (margin[t] - others.mean()) / others.std()
        np.testing.assert_allclose(scores[t], (h - mean[t]) / np.exp(log_deviation[t]), rtol=1e-4)


@pytest.fixture(scope="module")
def evidence():
    rng = np.random.default_rng(5)
    labels = np.arange(48) % 3
    member = rng.random((8, 48)) < 0.5
    member[0], member[1] = True, False  # no example is on one side only
    return Evidence(
        labels=labels.astype(np.int32),
        vectors=rng.normal(size=(48, 5)) + labels[:, None],
        member=member,
        valid=np.ones(8, bool),
        correct=rng.random((8, 48)) < 0.7,
        probability=rng.random((8, 48)),
        early_logits=rng.normal(size=(8, 48, 3)),
        gradient_norm=rng.random((8, 48)),
        margins=rng.normal(size=(8, 6, 48)),
        losses=rng.random((8, 6, 48)),
    )


@pytest.mark.parametrize("name", METRIC_FORMULAS)
def test_outlier_metrics_are_the_page_s_formulas(name, evidence):
    narrow = evidence._replace(
        **{field: array.astype(np.float32) for field, array in evidence._asdict().items() if array.dtype == np.float64}
    )
    got = np.asarray(METRICS[name].score(narrow, 3))
    np.testing.assert_allclose(got, METRIC_FORMULAS[name](evidence), rtol=1e-3, atol=1e-4)


def test_the_page_has_every_attack_and_every_outlier_metric_and_no_other():
    assert set(table("## Attacks")) == {*ATTACKS, "label_ratio"}
    assert set(table("## Outlier metrics")) == set(METRICS)
    assert set(FORMULAS) | BY_NETWORK == {*ATTACKS, "label_ratio"} and set(METRIC_FORMULAS) == set(METRICS)


def test_formulas_that_are_tested_are_those_of_the_page():
    for heading, formulas in (
        ("## Attacks", FORMULAS),
        ("`--lira_mode official`", OFFICIAL_FORMULAS),
        ("## Outlier metrics", METRIC_FORMULAS),
    ):
        rows = table(heading)
        for name, written in formulas.items():
            assert rows[name] == written.__doc__, name
    own = test_quantile_regression_judges_margins_in_units_of_the_non_members
    assert table("## Attacks")["quantile"] == own.__doc__


def test_constants_of_the_page_are_the_defaults():
    assert (RmiaOptions().gamma, RmiaOptions().temperature, RmiaOptions().offline_a) == (2.0, 2.0, 0.3)
    assert (RmiaOptions().taylor_margin, RmiaOptions().taylor_order) == (0.6, 4)
    assert BavariaOptions().mean_strength == 0.01 and AttackOptions().covariance_shrinkage == 0.5
    assert QuantileOptions().folds == 2
