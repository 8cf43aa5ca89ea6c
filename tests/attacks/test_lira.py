"""LiRA in both modes against its slow twins, and the properties that every run relies on."""

import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from miajax.attacks import blocks
from miajax.attacks.lira import lira_scores
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS, run_attacks
from miajax.data.splits import SPLITS, membership
from miajax.signals.bundle import Signals
from tests.oracles import attacks as oracle

VARIANTS = ("lira_online", "lira_online_fixed", "lira_offline", "lira_offline_fixed")


def _signals(phi):
    return Signals(phi, phi[..., 0] > 0, np.zeros(phi.shape[1], np.int32))


def _sample(models, examples, queries, gap=1.0, split="fixed_size", seed=0):
    rng = np.random.default_rng(seed)
    member = membership(seed, examples, models, split)
    hard = rng.normal(size=(1, examples, 1)) * 3
    phi = hard + gap * member[:, :, None] + rng.normal(size=(models, examples, queries))
    return phi.astype(np.float32), member


def _run(phi, member, valid=None, mode="default"):
    valid = np.ones(len(phi), bool) if valid is None else valid
    out = run_attacks(VARIANTS, _signals(phi), member, valid, AttackOptions(lira_mode=mode))
    return {name: scores for name, (scores, _) in out.items()}


def _assert_close(got, want, rtol=1e-5):
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    scale = np.nanmax(np.abs(want), initial=1.0)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * min(scale, 10.0))


@pytest.mark.parametrize("gap", [1.0, 20.0])
@pytest.mark.parametrize("models, examples, queries", [(9, 37, 1), (16, 23, 3), (64, 11, 2)])
def test_every_target_at_once_equals_the_loop_over_targets(models, examples, queries, gap):
    phi, member = _sample(models, examples, queries, gap)
    want = oracle.lira(phi, member, np.ones(models, bool))
    for name, got in _run(phi, member).items():
        _assert_close(got, want[name])


def test_targets_that_answer_otherwise_are_judged_by_the_shadow_models_as_they_are():
    phi, member = _sample(9, 37, 2)
    targets = phi[::-1] + 0.5
    valid = np.ones(9, bool)
    got = lira_scores(phi, member, valid, targets=targets)
    for t in range(9):
        mixed = phi.copy()
        mixed[t] = targets[t]
        want = lira_scores(mixed, member, valid)
        for name in VARIANTS:
            np.testing.assert_allclose(got[name][t], want[name][t], rtol=1e-4, atol=1e-4)
    assert (np.asarray(got["lira_online"]) != np.asarray(lira_scores(phi, member, valid)["lira_online"])).any()


def test_double_precision_agrees_to_one_in_a_million():
    phi, member = _sample(12, 19, 2, 20.0)
    valid = np.ones(12, bool)
    want = oracle.lira(phi, member, valid)
    with jax.enable_x64(True):
        got = lira_scores(phi.astype(np.float64), member, valid)
    for name in VARIANTS:
        keep = ~np.isnan(want[name])
        np.testing.assert_allclose(np.asarray(got[name])[keep], want[name][keep], rtol=1e-6)


@pytest.mark.parametrize(
    "models, examples, queries, split", [(33, 7, 1, "bernoulli"), (24, 40, 2, "fixed_size"), (24, 40, 2, "balanced")]
)
def test_official_mode_equals_the_published_formulas_for_every_target(models, examples, queries, split):
    phi, member = _sample(models, examples, queries, split=split)
    got = _run(phi, member, mode="official")
    for target in range(models):
        for name, want in oracle.lira_official(phi, member, target).items():
            _assert_close(got[name][target], want)


def test_official_lists_are_cut_in_model_order():
    phi, member = _sample(24, 40, 2)
    order = np.random.default_rng(1).permutation(24)
    plain, shuffled = _run(phi, member, mode="official"), _run(phi[order], member[order], mode="official")
    assert not np.allclose(plain["lira_online"][order], shuffled["lira_online"], rtol=1e-3)


def test_offline_default_has_one_side_and_official_two():
    phi, member = _sample(24, 40, 2, gap=0.0, split="balanced")
    phi[0, 0] = -50.0
    default = _run(phi, member)["lira_offline"]
    assert default[0, 0] == default.min()
    official = _run(phi, member, mode="official")["lira_offline"]
    assert official[0, 0] == official.max()


def test_blocks_and_a_memory_map_change_nothing(tmp_path, monkeypatch):
    phi, member = _sample(10, 103, 2)
    whole = _run(phi, member)
    np.save(tmp_path / "signals.npy", phi)
    monkeypatch.setattr(blocks, "_BLOCK_NUMBERS", 320)
    mapped = _run(np.load(tmp_path / "signals.npy", mmap_mode="r"), member)
    for name in VARIANTS:
        np.testing.assert_allclose(mapped[name], whole[name], rtol=1e-5, atol=1e-5)


def test_planted_members_stand_out_only_where_models_saw_them():
    phi, member = _sample(64, 100, 1, gap=3.0)
    for name, scores in _run(phi, member).items():
        assert roc_auc_score(member.ravel(), scores.ravel()) > 0.95, name


_DEFAULT = [("default", split, models) for split in SPLITS for models in (8, 64)]
_OFFICIAL = [("official", split, 64) for split in SPLITS] + [("official", "balanced", 8)]


@pytest.mark.parametrize("mode, split, models", _DEFAULT + _OFFICIAL)
def test_random_signals_score_at_chance(mode, split, models):
    examples = 80_000 // models
    member = membership(5, examples, models, split)
    phi = np.random.default_rng(7).normal(size=(models, examples, 1)).astype(np.float32)
    for name, scores in _run(phi, member, mode=mode).items():
        keep = ~np.isnan(scores)
        auc = roc_auc_score(member[keep], scores[keep])
        assert abs(auc - 0.5) < 0.013, (name, auc)


@pytest.mark.parametrize("mode", ["default", "official"])
@pytest.mark.parametrize("failed", [None, 5])
def test_a_target_s_partner_is_left_out_with_it(mode, failed):
    phi, member = _sample(12, 37, 2, split="balanced")
    valid = np.arange(12) != failed
    got = _run(np.where(valid[:, None, None], phi, np.nan).astype(np.float32), member, valid, mode)
    kept = np.flatnonzero(valid)
    if mode == "default":
        want = oracle.lira(phi, member, valid)
    else:
        rows = [oracle.lira_official(phi[kept], member[kept], place) for place in range(len(kept))]
        want = {name: np.full(member.shape, np.nan) for name in VARIANTS}
        for name in VARIANTS:
            want[name][kept] = [row[name] for row in rows]
    for name in VARIANTS:
        _assert_close(got[name], want[name])


def test_models_that_choose_shadow_no_partner_among_those_that_are_measured():
    phi, member = _sample(12, 37, 1, split="balanced")
    even = np.arange(12) % 2 == 0
    louder = phi.copy()
    louder[4] += 100.0
    before, after = (np.asarray(lira_scores(values, member, even)["lira_online_fixed"]) for values in (phi, louder))
    np.testing.assert_allclose(after[5], before[5], rtol=1e-3, atol=1e-3)
    assert np.nanmax(np.abs(after[7] - before[7])) > 1.0


def test_cells_with_too_few_models_are_nan_and_counted():
    phi, member = _sample(8, 500, 1)
    valid = np.ones(8, bool)
    scores, report = run_attacks(("lira_online",), _signals(phi), member, valid)["lira_online"]
    others_in = member.sum(0) - member
    too_few = (others_in < 2) | (7 - others_in < 2)
    np.testing.assert_array_equal(np.isnan(scores), too_few)
    assert report.too_few == too_few.sum() and report.scored == (~too_few).sum() and report.degenerate == 0


def test_models_that_agree_to_the_last_bit_give_no_score_rather_than_an_infinite_one():
    phi, member = _sample(24, 40, 2, split="balanced")
    phi[:, 3] = 1.25
    scores, report = run_attacks(("lira_online",), _signals(phi), member, np.ones(24, bool))["lira_online"]
    assert np.isnan(scores[:, 3]).all() and report.degenerate == 24
    assert np.isfinite(np.delete(scores, 3, 1)).all()


@pytest.mark.parametrize("mode", ["default", "official"])
def test_a_failed_model_changes_nothing_but_its_own_row(mode):
    phi, member = _sample(25, 40, 2)
    valid = np.arange(25) != 6
    broken = phi.copy()
    broken[6] = np.nan
    got, want = _run(broken, member, valid, mode), _run(phi[valid], member[valid], mode=mode)
    for name in VARIANTS:
        assert np.isnan(got[name][6]).all()
        np.testing.assert_allclose(got[name][valid], want[name], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("mode, name", [("default", "lira_online_fixed"), ("official", "lira_online")])
def test_scoring_can_be_compiled_and_batched(mode, name):
    phi, member = _sample(24, 40, 2)
    valid = np.ones(24, bool)
    stacked = jax.tree.map(lambda a: np.stack([a, a]), _signals(phi))
    options = AttackOptions(lira_mode=mode)
    got = jax.jit(jax.vmap(lambda s, m: ATTACKS[name].score(s, m, valid, options)))(stacked, np.stack([member, member]))
    np.testing.assert_allclose(got[1], _run(phi, member, mode=mode)[name], rtol=1e-4, atol=1e-5)
