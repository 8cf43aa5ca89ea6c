"""What is said of the way in which members were drawn."""

import json

import numpy as np
import pytest

from miajax.data.pairs import complementary_partners
from miajax.data.splits import membership
from miajax.studies.common import design_notes
from miajax.studies.disjoint import disjoint_sets
from miajax.studies.imported.study import run_imported


def test_independent_draws_need_no_note():
    for split in ("fixed_size", "bernoulli"):
        assert design_notes(membership(0, 200, 16, split)) == []


@pytest.mark.parametrize("models", [8, 64, 256])
def test_pairs_are_said_to_be_left_out_whatever_the_number_of_models(models):
    (note,) = design_notes(membership(0, 200, models, "balanced"))
    assert f"{models // 2} pairs" in note and f"of {models} models {models - 2} are left" in note


@pytest.mark.parametrize(
    "models, size", [(4, "0.412, where"), (8, "0.473 and lira_online of 0.434"), (12, "0.493"), (256, "64 models")]
)
def test_equal_counts_without_pairs_are_said_with_the_size_of_what_they_do(models, size):
    member = np.argsort(np.random.default_rng(0).random((models, 300)), 0) < models // 2
    (note,) = design_notes(member)
    assert f"exactly {models // 2} of the {models} models" in note and size in note


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [True, False])
def test_an_imported_run_is_told_its_design_and_attacked_without_partners(tmp_path, pairs):
    rng = np.random.default_rng(1)
    member = membership(0, 300, 8, "balanced") if pairs else np.argsort(rng.random((8, 300)), 0) < 4
    signals = rng.normal(size=member.shape).astype(np.float32)
    np.savez(tmp_path / "a.npz", membership=member, signals=signals)
    result = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out")
    notes = " ".join(json.loads((tmp_path / "out" / "results.json").read_text())["notes"])
    assert ("4 pairs" in notes) == pairs and ("exactly 4 of the 8 models" in notes) != pairs
    if pairs:
        signals[3] = 50.0
        np.savez(tmp_path / "b.npz", membership=member, signals=signals)
        again = run_imported(tmp_path / "b.npz", "arrays", tmp_path / "again")
        np.testing.assert_allclose(again.scores["calibrated"][2], result.scores["calibrated"][2], rtol=1e-4, atol=1e-4)


def test_four_imported_models_in_pairs_are_attacked_by_what_needs_no_spread(tmp_path):
    rng = np.random.default_rng(2)
    np.savez(tmp_path / "a.npz", membership=membership(0, 60, 4, "balanced"), signals=rng.normal(size=(4, 60)))
    results = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out").results
    assert "calibrated" in results["attacks"]
    assert {"lira_online", "lira_online_fixed", "bavaria_t"} <= set(results["attacks_not_run"])


def test_subsets_of_a_budget_keep_pairs_together_and_their_partners_are_known():
    member, valid = membership(0, 200, 16, "balanced"), np.arange(16) != 5
    whole, *_, broken = (complementary_partners(member[rows]) for rows in disjoint_sets(valid, 4, 2))
    assert whole is not None and whole.tolist() == [1, 0, 3, 2]
    assert broken is not None and broken.tolist() == [0, 2, 1, 3]  # models 4, 6, 7 and 8: 5 failed, 9 is elsewhere
