"""Audits of campaigns: what they refute, what they refuse, and what they leave behind."""

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from miajax.campaign.privacy import PrivacyFlags
from miajax.data.canaries import canary_ids
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.studies.audit.figures import Audit
from miajax.studies.audit.study import AuditOptions, audit, run_audit, verdict, with_jax_privacy
from miajax.studies.audit.terminal import print_audit_table
from miajax.training.recipe import Recipe
from tests.report.folded import folded_numbers
from tests.report.html import Document
from tests.studies.helpers import small
from tests.studies.made import made

pytestmark = pytest.mark.slow  # campaigns


def coins_and_signals(models, canaries, gap, seed=0):
    rng = np.random.default_rng(seed)
    member = rng.random((models, canaries)) < 0.5
    level = rng.normal(0, 3, canaries)
    return level + gap * member + rng.normal(size=member.shape), member


def test_models_that_give_nothing_away_refute_nothing_and_those_that_do_refute_a_promise():
    quiet = audit(*coins_and_signals(32, 100, 0.0), 16, 1e-5, 1.0, 0.05)
    assert not quiet.violated and quiet.epsilon_lower == 0.0
    loud = audit(*coins_and_signals(32, 100, 4.0), 16, 1e-5, 1.0, 0.05)
    assert loud.violated and loud.epsilon_lower > 2.0
    assert {bound.in_verdict for bound in loud.bounds.named().values()} == {True, False}
    assert loud.epsilon_lower == max(loud.bounds.named()[name].epsilon_lower for name in ("one_run", "many_models"))
    assert "refuted" in loud.verdict and "95 %" in loud.verdict


def test_no_bound_of_the_verdict_exceeds_the_truth_more_often_than_promised():
    """Signals of randomised response of epsilon 1, in audits of all methods together."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(40):
        member = rng.random((24, 60)) < 0.5
        said = np.where(rng.random(member.shape) < np.e / (1 + np.e), member, ~member)
        signal = said + 0.01 * rng.normal(size=member.shape)
        wrong += audit(signal, member, 12, 1e-6, 1.0, 0.2).violated
    assert wrong <= 14  # of 40 at 80 % confidence: 8 expected at most


def test_many_thresholds_refute_what_one_does_and_stay_below_the_truth():
    loud = audit(*coins_and_signals(64, 40, 6.0), 32, 1e-5, 1.0, 0.05, "bonferroni").bounds.many_models
    assert loud.thresholds == "bonferroni" and loud.epsilon_lower > 0.3
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(40):
        member = rng.random((48, 40)) < 0.5
        said = np.where(rng.random(member.shape) < np.e / (1 + np.e), member, ~member)
        signal = said + 0.01 * rng.normal(size=member.shape)
        bounds = audit(signal, member, 24, 1e-6, 1.0, 0.2, "bonferroni").bounds
        wrong += bounds.many_models.epsilon_lower > 1.0
    assert wrong <= 8  # of 40 at 90 % confidence: 4 expected at most


@pytest.mark.parametrize("thresholds", ["split", "bonferroni"])
def test_jax_privacys_estimators_stand_beside_the_bounds_and_see_the_same_leak(thresholds):
    pytest.importorskip("jax_privacy")
    for gap in (0.0, 6.0):
        shown = coins_and_signals(160, 20, gap)
        found = audit(*shown, 80, 1e-5, 1.0, 0.05, thresholds)
        found = with_jax_privacy(found, *shown, 80, thresholds)
        theirs = {name: bound.jax_privacy.value for name, bound in found.bounds.named().items()}
        assert theirs.pop("many_models_gdp") is None
        assert {name: value > 0.3 for name, value in theirs.items()} == dict.fromkeys(theirs, gap > 0), theirs
        written = io.StringIO()
        print_audit_table(dataclasses.replace(made(Audit, {}), audit=found), Console(file=written))
        assert "jax-privacy" in written.getvalue()


def test_one_model_alone_is_audited_without_references():
    found = audit(*coins_and_signals(1, 400, 5.0), 1, 1e-5, None, 0.05)
    assert found.references == 0 and set(found.bounds.named()) == {"one_run", "one_run_gdp"}
    assert found.violated is None and found.epsilon_lower > 0.5


def test_the_verdict_names_promise_bound_and_confidence():
    shown = "that so many models and canaries can show, at confidence"
    assert verdict(7.991, 1.239, 0.95, 9.5) == (
        f"Epsilon promised 8.00, lower bound found 1.23 of at most 9.50 {shown} 95 %: the promise is not refuted."
    )
    assert verdict(7.991, 0.0, 0.95, 3.219).endswith(
        f"0.00 of at most 3.21 {shown} 95 %: the promise is not refuted, and no attack could have refuted it here."
    )
    assert verdict(None, 1.0, 0.9, 2.0) == f"No epsilon promised, lower bound found 1.00 of at most 2.00 {shown} 90 %."
    assert verdict(0.5, 1.0, 0.9, 2.0).endswith("90 %: the promise is refuted.")


def test_no_bound_exceeds_its_ceiling_and_an_attack_that_is_always_right_reaches_it():
    for models, canaries in ((4, 20), (32, 100)):
        signal, member = coins_and_signals(models, canaries, 60.0)
        bounds = audit(signal, member, models // 2, 1e-9, 1.0, 0.05).bounds
        for bound in bounds.named().values():
            assert bound.epsilon_lower <= bound.largest_possible + 1e-9
        assert bounds.many_models.epsilon_lower == pytest.approx(bounds.many_models.largest_possible)


@pytest.mark.parametrize("kind", ["mislabelled", "out_of_distribution"])
def test_a_campaign_without_privacy_is_caught_by_its_canaries(tmp_path, kind):
    data = DataOptions(max_examples=300, canaries=60, canary_kind=kind)
    setup = small(16, split="bernoulli", data=data, recipe=Recipe(epochs=40, batch_size=16))
    result = run_audit(setup, tmp_path / "run", AuditOptions(promised_epsilon=0.5))
    stored = json.loads((tmp_path / "run" / "audit" / "results.json").read_text())
    assert stored["violated"] and stored["verdict"] == result.results["verdict"]
    assert stored["canaries"] == {"kind": kind, "count": 60, "seed": 0}
    assert [entry["model"] for entry in stored["per_model"]] == list(range(8, 16))
    assert stored["bounds"]["many_models"]["canary"] in canary_ids(300, 60, 0)
    html = (tmp_path / "run" / "audit" / "report.html").read_text()
    page = Document(html)
    assert folded_numbers(html) == []
    assert "the promise is refuted" in page.text
    assert len(page.pictures()) == 2


def test_a_private_campaign_is_held_to_its_own_epsilon(tmp_path):
    privacy = PrivacyFlags(dp_epsilon=3.0, dp_reproducible_noise=True)
    setup = small(8, split="bernoulli", privacy=privacy, data=DataOptions(max_examples=300, canaries=50))
    results = run_audit(setup, tmp_path / "run").results
    assert 2.5 < results["promised_epsilon"] <= 3.0 and results["violated"] is False
    assert results["delta"] == 1e-5


def test_unfair_coins_are_refused(tmp_path):
    for changes in ({"split": "fixed_size"}, {"split": "bernoulli", "member_fraction": 0.3}):
        with pytest.raises(UserError, match="fair coin"):
            run_audit(small(4, **changes), tmp_path / "run")
    with pytest.raises(UserError, match="--audited 9"):
        run_audit(small(4, split="bernoulli"), tmp_path / "run", AuditOptions(audited=9))


@pytest.mark.parametrize(
    "bad",
    [{"confidence": 1.0}, {"delta": 0.0}, {"promised_epsilon": -1.0}, {"audited": 0}],
    ids=str,
)
def test_bad_values_are_refused_by_flag(bad):
    with pytest.raises(UserError, match=f"--{next(iter(bad))}"):
        dataclasses.replace(AuditOptions(), **bad)
