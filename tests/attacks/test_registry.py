"""What every attack of the registry has to do, whatever it computes."""

import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS, run_attack, run_attacks, why_not
from miajax.errors import UserError
from miajax.signals.bundle import Signals
from tests.attacks.helpers import ensemble, take

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

NAMES = tuple(ATTACKS)
PURE = tuple(name for name in NAMES if ATTACKS[name].pure)
SIGNALS, MEMBER = ensemble()
VALID = np.ones(len(MEMBER), bool)


@pytest.fixture(scope="module")
def plain():
    return run_attacks(NAMES, SIGNALS, MEMBER, VALID)


def _close(got, want, name):
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4, err_msg=name)


def test_answers_without_confidence_leave_what_needs_none():
    bare = Signals(None, correct=SIGNALS.correct, labels=SIGNALS.labels)
    assert why_not("lira_online", bare, MEMBER, VALID) == "needs scaled_logit, which were not recorded"
    for name in ("lira_online", "global_threshold", "attack_r", "pmia_global", "bavaria_t", "lira_online_fullcov"):
        with pytest.raises(ValueError, match="signals lack what the attack needs"):
            ATTACKS[name].score(bare, MEMBER, VALID, AttackOptions())
    want, _ = run_attack("gap", SIGNALS, MEMBER, VALID)
    np.testing.assert_array_equal(run_attack("gap", bare, MEMBER, VALID)[0], want)


@pytest.mark.parametrize("name", NAMES)
def test_every_attack_says_what_it_is(name):
    attack = ATTACKS[name]
    assert attack.name == name and attack.knowledge and attack.source and attack.cost and attack.family
    assert set(attack.needs) <= set(SIGNALS._fields)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_float32_for_odd_numbers_of_models_and_examples(plain, name):
    scores, report = plain[name]
    assert scores.shape == MEMBER.shape and scores.dtype == np.float32
    assert report.scored == np.isfinite(scores).sum() == MEMBER.size - report.too_few - report.degenerate
    assert report.scored > 0.9 * MEMBER.size


@pytest.mark.parametrize("name", NAMES)
def test_planted_members_score_higher(plain, name):
    scores, _ = plain[name]
    keep = np.isfinite(scores)
    assert roc_auc_score(MEMBER[keep], scores[keep]) > 0.6


def test_attacks_alone_give_what_they_give_together(plain):
    for name in NAMES:
        np.testing.assert_array_equal(run_attack(name, SIGNALS, MEMBER, VALID)[0], plain[name][0], err_msg=name)


def test_order_of_models_and_of_examples_does_not_matter_to_pure_attacks(plain):
    rng = np.random.default_rng(1)
    models, examples = rng.permutation(len(MEMBER)), rng.permutation(MEMBER.shape[1])
    shuffled = run_attacks(PURE, take(SIGNALS, models, examples), MEMBER[models][:, examples], VALID)
    for name in PURE:
        _close(shuffled[name][0], plain[name][0][models][:, examples], name)


def test_a_failed_model_is_nan_and_touches_no_other(plain):
    failed = 5
    valid = np.arange(len(MEMBER)) != failed

    def with_row(value):
        rows = {field: array.copy() for field, array in SIGNALS._asdict().items() if array is not None}
        for field, array in rows.items():
            if field not in ("labels", "features", "correct"):
                array[failed] = value
        return SIGNALS._replace(**rows)

    broken, different = (run_attacks(NAMES, with_row(value), MEMBER, valid) for value in (np.nan, 3.0))
    for name in NAMES:
        scores, report = broken[name]
        assert np.isnan(scores[failed]).all() and report.failed_models == (failed,)
        np.testing.assert_array_equal(scores, different[name][0], err_msg=name)
        if ATTACKS[name].min_out:
            assert not np.array_equal(scores[valid], plain[name][0][valid], equal_nan=True), name


@pytest.mark.parametrize("name", PURE)
def test_scoring_works_under_jit_and_vmap(plain, name):
    batch = jax.tree.map(lambda a: np.stack([a, a]), (SIGNALS, MEMBER))
    scores = jax.jit(jax.vmap(lambda s, m: ATTACKS[name].score(s, m, VALID, AttackOptions())))(*batch)
    _close(scores[1], plain[name][0], name)


@pytest.mark.parametrize("name", [name for name in NAMES if ATTACKS[name].min_out])
def test_too_few_models_are_refused_by_name(name):
    reason = why_not(name, take(SIGNALS, slice(2)), MEMBER[:2] & False, VALID[:2] & [True, False])
    assert "shadow models" in reason
    with pytest.raises(UserError, match=f"attack {name}: needs .* shadow models"):
        run_attack(name, take(SIGNALS, slice(2)), MEMBER[:2] & False, VALID[:2] & [True, False])


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_signal_is_named(name):
    field = ATTACKS[name].needs[0]
    with pytest.raises(UserError, match=f"attack {name}: needs {field}"):
        run_attack(name, SIGNALS._replace(**{field: None}), MEMBER, VALID)


@pytest.mark.parametrize("name", [name for name in NAMES if ATTACKS[name].needs != ("correct",)])
def test_a_valid_model_with_nan_is_named(name):
    field = next(field for field in ATTACKS[name].needs if field != "labels")
    dirty = np.array(getattr(SIGNALS, field))
    dirty[3, 0] = np.nan
    with pytest.raises(UserError, match=f"model 3 counts as valid but its {field}"):
        run_attack(name, SIGNALS._replace(**{field: dirty}), MEMBER, VALID)


def test_models_that_all_agree_are_refused_rather_than_scored_as_nan():
    same = SIGNALS._replace(scaled_logit=np.ones_like(SIGNALS.scaled_logit))
    with pytest.raises(UserError, match="attack lira_offline has no score"):
        run_attack("lira_offline", same, MEMBER, VALID)


def test_an_unknown_attack_lists_the_known_ones():
    with pytest.raises(UserError, match=r"attack lyra is unknown; expected one of .*lira_online"):
        run_attack("lyra", SIGNALS, MEMBER, VALID)


def test_what_an_attacker_with_shadow_models_must_know_follows_from_what_the_attack_requires():
    trained = "shadow models trained without the example"
    assert ATTACKS["attack_r"].knowledge == f"{trained} on data like the target's"
    assert ATTACKS["rmia_offline"].knowledge == f"{trained}, and a population, on data like the target's"
