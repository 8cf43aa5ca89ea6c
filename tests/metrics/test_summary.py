import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miajax.errors import UserError
from miajax.metrics import summary
from miajax.metrics.figures import fpr_key
from tests.metrics.campaigns import Effects, entry_and_notes
from tests.oracles import metrics as oracle

ALL = np.ones(6, bool)


def campaign(num_models=6, num_examples=41, seed=0, decimals=1):
    scores, member = Effects().draw(np.random.default_rng(seed), num_models, num_examples)
    return np.round(scores, decimals), member


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(9, 30), st.floats(0, 0.3))
def test_pooled_and_per_target_figures_equal_the_naive_ones_with_ties_and_missing_scores(seed, models, examples, holes):
    rng = np.random.default_rng(seed)
    scores, member = campaign(models, examples, seed)
    scores[rng.random(scores.shape) < holes] = np.nan
    scores[:, 0], scores[:, 1], member[:, 0], member[:, 1] = 0.5, 0.5, True, False
    entry, _ = entry_and_notes(scores, member, np.ones(models, bool), fprs=(0.2, 0.5))
    for block, cases in ((entry, [slice(None)]), (entry["per_target"], range(models))):

        def mean(figure, *args, cases=cases):
            return np.mean([figure(scores[i], member[i], *args) for i in cases])

        assert block["auc"] == pytest.approx(mean(oracle.auc), abs=1e-12)
        assert block["advantage"] == pytest.approx(mean(oracle.advantage), abs=1e-12)
        assert block["balanced_accuracy"] == pytest.approx((1 + mean(oracle.advantage)) / 2, abs=1e-12)
        assert block["absolute_advantage"] == pytest.approx(mean(oracle.absolute_advantage), abs=1e-12)
        assert block["tpr_at_zero_fp"] == pytest.approx(mean(oracle.tpr_at_fpr, 0.0), abs=1e-12)
        for fpr in (0.2, 0.5):
            if (rate := block["tpr_at_fpr"][fpr_key(fpr)]) is not None:
                assert rate == pytest.approx(mean(oracle.tpr_at_fpr, fpr), abs=1e-12)
        for name in ("auc", "advantage", "balanced_accuracy", "tpr_at_zero_fp"):
            low, high = block[name + "_ci"]
            assert 0.0 <= low <= block[name] <= high <= 1.0
    assert entry["num_scores_missing"] == np.isnan(scores).sum()
    assert entry["num_members"] == (member & ~np.isnan(scores)).sum()


def test_figures_of_blocks_of_targets_are_those_of_all_at_once(monkeypatch):
    scores, member = campaign(num_models=7)
    whole = entry_and_notes(scores, member, np.ones(7, bool), fprs=(0.1,))
    monkeypatch.setattr("miajax.metrics.per_target._BLOCK_CELLS", 100)
    parts = entry_and_notes(scores, member, np.ones(7, bool), fprs=(0.1,))
    assert json.dumps(parts[0]["per_target"]["tpr_at_fpr"]) == json.dumps(whole[0]["per_target"]["tpr_at_fpr"])
    assert parts[0]["per_target"]["auc_ci"] == pytest.approx(whole[0]["per_target"]["auc_ci"], rel=1e-12)
    assert parts[0]["per_target"]["tpr_at_zero_fp_ci"] == pytest.approx(whole[0]["per_target"]["tpr_at_zero_fp_ci"])


def test_entry_is_plain_json_with_the_contract_names():
    entry, notes = entry_and_notes(*campaign(num_examples=400), ALL)
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    figures = {
        "auc", "auc_ci", "balanced_accuracy", "balanced_accuracy_ci", "advantage", "advantage_ci", "absolute_advantage",
        "tpr_at_fpr", "tpr_at_fpr_ci", "tpr_at_zero_fp", "tpr_at_zero_fp_ci", "chance_tpr_at_fpr",
        "chance_tpr_at_zero_fp", "chance_advantage",
    }  # fmt: skip
    assert set(entry) == figures | {"num_members", "num_non_members", "num_scores_missing", "per_target"}
    assert set(entry["per_target"]) == figures | {"num_targets"}
    assert list(entry["tpr_at_fpr"]) == list(entry["tpr_at_fpr_ci"]) == ["0.0001", "0.001", "0.01"]
    assert all(isinstance(note, str) for note in notes)


def test_rates_are_named_in_plain_decimals():
    assert [fpr_key(f) for f in (1e-5, 1e-4, 0.001, 0.01, 0.5)] == ["0.00001", "0.0001", "0.001", "0.01", "0.5"]


def test_a_rate_that_the_non_members_cannot_resolve_is_null_and_the_note_says_why():
    entry, notes = entry_and_notes(*campaign(num_examples=401), ALL)  # 6 x 201 non-members pooled
    assert entry["tpr_at_fpr"]["0.0001"] is None
    assert entry["tpr_at_fpr_ci"]["0.0001"] is None
    assert entry["tpr_at_fpr"]["0.001"] is not None
    assert entry["per_target"]["tpr_at_fpr"]["0.001"] is None
    assert entry["per_target"]["tpr_at_fpr"]["0.01"] is not None
    assert any("0.0001 pooled" in n and "takes 10000 non-members, there are 1206" in n for n in notes)
    assert any("0.001 of a single target" in n and "takes 1000 non-members, there are 201" in n for n in notes)


def test_a_diverged_model_is_no_target_and_its_scores_count_as_missing():
    scores, member = campaign()
    valid = np.arange(6) != 2
    broken = scores.copy()
    broken[2] = np.nan
    entry, notes = entry_and_notes(broken, member, valid, fprs=(0.1,))
    assert entry["num_scores_missing"] == scores.shape[1]
    assert entry["per_target"]["num_targets"] == 5
    assert any("1 models did not train well" in note for note in notes)
    without, _ = entry_and_notes(scores[valid], member[valid], valid[valid], fprs=(0.1,))
    assert entry | {"num_scores_missing": 0} == without
    stale, _ = entry_and_notes(scores, member, valid, fprs=(0.1,))  # scores of an invalid model are not trusted either
    assert stale == entry


def test_cells_without_a_score_are_left_out_and_counted():
    scores, member = campaign()
    scores[:, :5] = np.nan
    entry, notes = entry_and_notes(scores, member, ALL, fprs=(0.1,))
    assert entry["num_scores_missing"] == 30
    assert any("30 of 246 scores are missing" in note for note in notes)
    assert entry["auc"] == entry_and_notes(scores[:, 5:], member[:, 5:], ALL, fprs=(0.1,))[0]["auc"]


def test_a_target_with_scores_of_one_side_only_is_left_out():
    scores, member = campaign()
    scores[4, member[4]] = np.nan
    entry, notes = entry_and_notes(scores, member, ALL, fprs=(0.1,))
    assert entry["per_target"]["num_targets"] == 5
    assert entry["num_scores_missing"] == scores.shape[1]
    assert any("1 targets lack" in note for note in notes)


def test_nothing_left_is_refused():
    scores, member = campaign()
    with pytest.raises(UserError, match="none of 6 targets"):
        entry_and_notes(np.full_like(scores, np.nan), member, ALL)
    with pytest.raises(UserError, match="none of 1 targets"):
        entry_and_notes(scores, member, ~ALL, targets=[3])


def test_a_single_target_is_judged_over_examples_only():
    scores, member = campaign(num_examples=200)
    entry, notes = entry_and_notes(scores, member, ALL, targets=[3])
    assert entry["auc"] == pytest.approx(oracle.auc(scores[3], member[3]))
    assert entry["per_target"]["auc_ci"] == entry["auc_ci"]
    assert entry["per_target"]["num_targets"] == 1
    assert any("One target only" in note for note in notes)


def test_order_of_models_and_of_examples_does_not_matter():
    scores, member = campaign(num_examples=150)
    rng = np.random.default_rng(5)
    rows, columns = rng.permutation(6), rng.permutation(150)
    one, _ = entry_and_notes(scores, member, ALL, fprs=(0.1,))
    two, _ = entry_and_notes(scores[rows][:, columns], member[rows][:, columns], ALL, fprs=(0.1,))
    assert two["auc_ci"] == pytest.approx(one["auc_ci"], rel=1e-9)
    assert two["tpr_at_fpr_ci"]["0.1"] == pytest.approx(one["tpr_at_fpr_ci"]["0.1"], rel=1e-9)
    assert two["per_target"]["auc_ci"] == pytest.approx(one["per_target"]["auc_ci"], rel=1e-9)


def test_random_scores_are_worth_nothing_within_their_intervals():
    rng = np.random.default_rng(6)
    _, member = campaign(num_models=16, num_examples=300)
    entry, _ = entry_and_notes(rng.normal(size=member.shape).astype(np.float32), member, np.ones(16, bool))
    assert entry["auc_ci"][0] < 0.5 < entry["auc_ci"][1]
    assert entry["advantage_ci"][0] == 0.0
    for key, (low, high) in ((k, ci) for k, ci in entry["tpr_at_fpr_ci"].items() if ci):
        assert low < float(key) < high


def test_perfect_and_constant_scores_have_intervals_too():
    _, member = campaign(num_examples=200)
    perfect, _ = entry_and_notes(member.astype(np.float32), member, ALL)
    assert perfect["auc"] == perfect["auc_ci"][1] == perfect["tpr_at_zero_fp"] == 1.0
    assert 0.9 < perfect["auc_ci"][0] < 1.0
    constant, _ = entry_and_notes(np.zeros(member.shape, np.float32), member, ALL)
    assert constant["auc"] == 0.5
    assert constant["tpr_at_fpr"]["0.01"] == constant["tpr_at_fpr_ci"]["0.01"][0] == 0.0


def test_default_rates_are_those_of_the_report():
    assert summary.FPRS == (1e-4, 1e-3, 1e-2)


def test_figures_of_each_target_can_be_left_out():
    scores, member = Effects().draw(np.random.default_rng(0), 4, 200)
    valid = np.ones(4, bool)
    whole, _ = entry_and_notes(scores, member, valid)
    short, notes = entry_and_notes(scores, member, valid, each_target=False)
    assert short == {**whole, "per_target": None}
    assert not any("single target" in note for note in notes)


def test_a_figure_has_its_value_its_interval_and_a_missing_one_its_reason():
    scores, member = campaign(num_examples=401)  # 6 x 201 non-members pooled
    figures = summary.summarise(scores, member)
    entry, _ = entry_and_notes(scores, member, ALL)  # all models are valid by default
    assert figures.to_json() == entry
    assert figures.auc.value == pytest.approx(entry["auc"]) and figures.auc.ci == entry["auc_ci"]
    assert figures.auc.reason == ""
    assert figures.tpr_at_fpr[1e-3].interval == tuple(entry["tpr_at_fpr_ci"]["0.001"])
    missing = figures.tpr_at_fpr[1e-4]
    assert missing.value is None and missing.interval is None and missing.ci is None
    assert missing.reason == "Not resolvable: 1,206 non-members cannot show a false-positive rate of 0.0001."
    assert figures.per_target.tpr_at_fpr[1e-3].reason == (
        "Not resolvable: 201 non-members cannot show a false-positive rate of 0.001."
    )
    assert figures.balanced_accuracy.value == pytest.approx((1 + figures.advantage.value) / 2)
    assert figures.per_target.advantage.chance == entry["per_target"]["chance_advantage"]
    with pytest.raises(AttributeError):
        figures.auc = None


def test_figures_show_themselves_in_one_line_and_as_a_table():
    figures = summary.summarise(*campaign(num_examples=401))
    assert repr(figures).startswith(f"AttackSummary(AUC {figures.auc.value:.4g} [")
    assert "\n" not in repr(figures) and len(repr(figures)) < 400
    assert str(figures.tpr_at_fpr[1e-4]) == figures.tpr_at_fpr[1e-4].reason
    page = figures._repr_html_()
    assert page.count("<tr>") == 1 + len(list(figures.named())) == 9
    assert f"<td>{figures.auc.value:.4g}</td>" in page
    assert '<td colspan="3">Not resolvable: 1,206 non-members' in page
