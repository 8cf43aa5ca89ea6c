"""Signals computed elsewhere, attacked as those of a run are."""

import json

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from miajax.attacks.registry import run_attack
from miajax.errors import UserError
from miajax.runs.content_notes import note_on_rows_drawn_together
from miajax.runs.exports import export_run
from miajax.signals.bundle import Signals
from miajax.studies.imported.study import run_imported
from miajax.studies.invocation import Invocation
from tests.report.html import Document
from tests.runs.stored_runs import simulated_run

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A simulated run, exported in the LiRA-2021 layout and imported again."""
    folder = tmp_path_factory.mktemp("imported")
    arrays = simulated_run(folder / "run", num_models=8, num_examples=40, failed=(5,))
    export_run(folder / "run", "lira2021", folder / "exported")
    called = Invocation("import <&>")
    return folder, arrays, run_imported(folder / "exported", "lira2021", folder / "out", invocation=called)


def test_scores_of_an_exported_run_are_the_run_s_own(imported):
    folder, arrays, result = imported
    keep = np.arange(8) != 5
    signals = Signals(arrays["signals"], np.ones((8, 40), bool), arrays["labels"])
    expected, _ = run_attack("lira_online_fixed", signals, arrays["membership"], keep)
    np.testing.assert_allclose(result.scores["lira_online_fixed"], expected[keep], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.load(folder / "out" / "signals.npy"), arrays["signals"][keep])


def test_results_table_and_report_are_written(imported):
    folder, _, _ = imported
    out = folder / "out"
    results = json.loads((out / "results.json").read_text())
    assert results["num_shadows"] == results["num_valid"] == 7 and results["num_examples"] == 40
    assert {"lira_online", "rmia_online", "gap"} <= set(results["attacks"])
    assert "loss_trace_iqr" in results["attacks_not_run"]
    assert (out / "per_example.parquet").is_file() and (out / "scores" / "lira_online.npy").is_file()
    text = Document((out / "report.html").read_text()).text
    assert "computed elsewhere" in text and "import <&>" in text


def test_without_logits_right_or_wrong_is_not_known_and_the_gap_attack_says_so(tmp_path):
    arrays = simulated_run(tmp_path / "run", num_models=8, num_examples=40)
    np.savez(tmp_path / "a.npz", membership=arrays["membership"], signals=arrays["signals"])
    results = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out").results
    assert "correct" in results["attacks_not_run"]["gap"] and "lira_online" in results["attacks"]
    assert results["train_accuracy"] is None


def test_a_model_with_nan_is_named_and_left_out(tmp_path):
    arrays = simulated_run(tmp_path / "run", num_models=8, num_examples=40)
    signals = arrays["signals"].copy()
    signals[3, 7] = np.nan
    np.savez(tmp_path / "a.npz", membership=arrays["membership"], signals=signals)
    result = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out")
    assert result.results["failed_models"] == [3] and np.isnan(result.scores["lira_online"][3]).all()


def test_nothing_is_written_over_a_folder_of_something_else_or_from_bad_signals(tmp_path):
    arrays = simulated_run(tmp_path / "run")
    np.savez(tmp_path / "a.npz", membership=arrays["membership"], signals=arrays["signals"])
    with pytest.raises(UserError, match="holds something else"):
        run_imported(tmp_path / "a.npz", "arrays", tmp_path / "run")
    np.savez(tmp_path / "b.npz", membership=arrays["membership"], signals=np.full((6, 31), np.nan))
    with pytest.raises(UserError, match="all 6 models hold NaN"):
        run_imported(tmp_path / "b.npz", "arrays", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def leaky_signals(num_models: int = 16, num_examples: int = 400, classes: int = 5):
    """Logits of models whose members are fitted better, as ``(membership, labels, logits [M, N, C])``."""
    rng = np.random.default_rng(3)
    member = np.argsort(rng.random((num_models, num_examples)), 1) < num_examples // 2
    labels = rng.integers(0, classes, num_examples).astype(np.int32)
    own = (labels[:, None] == np.arange(classes)) * 1.0
    hardness = rng.normal(size=(1, num_examples, 1)) * 1.5
    logits = rng.normal(size=(num_models, num_examples, classes)) + own * (2 + hardness + 1.5 * member[..., None])
    return member, labels, logits.astype(np.float32)


def test_softmax_in_privacy_meter_s_loss_file_keeps_its_sign(tmp_path):
    """Read as losses, the signals' AUC was one minus the right one."""
    member, labels, logits = leaky_signals()
    probability = np.take_along_axis(softmax(logits.astype(np.float64), -1), labels[None, :, None], 2)[..., 0]
    (tmp_path / "pm" / "signals").mkdir(parents=True)
    np.save(tmp_path / "pm" / "memberships.npy", member)
    np.save(tmp_path / "pm" / "signals" / "loss_signals.npy", probability.T)
    with pytest.raises(UserError, match="as probabilities do"):
        run_imported(tmp_path / "pm", "privacy_meter", tmp_path / "out")
    right = roc_auc_score(member.ravel(), probability.ravel())
    told = run_imported(tmp_path / "pm", "privacy_meter", tmp_path / "out", signal_kind="probabilities").results
    assert right > 0.6 and told["attacks"]["global_threshold"]["auc"] == pytest.approx(right, abs=1e-4)
    wrong = run_imported(tmp_path / "pm", "privacy_meter", tmp_path / "out", signal_kind="losses").results
    assert wrong["attacks"]["global_threshold"]["auc"] == pytest.approx(1 - right, abs=1e-4)
    assert any("opposite sign" in note for note in wrong["notes"])
    assert not any("opposite sign" in note for note in told["notes"])


def test_softmax_stored_as_logits_is_attacked_as_the_logits_are(tmp_path):
    """Taken as logits, probabilities lose most of online RMIA's power."""
    member, labels, logits = leaky_signals()
    plain = {"membership": member, "labels": labels}
    np.savez(tmp_path / "logits.npz", **plain, logits=logits)
    np.savez(tmp_path / "softmax.npz", **plain, logits=softmax(logits, -1))
    right = run_imported(tmp_path / "logits.npz", "arrays", tmp_path / "right").results
    found = run_imported(tmp_path / "softmax.npz", "arrays", tmp_path / "found").results
    assert not any("--signal_kind" in note for note in right["notes"])
    assert any("softmax.npz: logits holds rows in 0..1 that sum to 1" in note for note in found["notes"])
    for name in ("rmia_online", "lira_online", "global_threshold"):
        assert found["attacks"][name]["auc"] == pytest.approx(right["attacks"][name]["auc"], abs=1e-3)
    taken = run_imported(tmp_path / "softmax.npz", "arrays", tmp_path / "taken", signal_kind="logits").results
    assert taken["attacks"]["rmia_online"]["auc"] < right["attacks"]["rmia_online"]["auc"] - 0.02
    assert found["train_accuracy"] == right["train_accuracy"]


def test_shuffled_labels_and_doubled_models_are_noted(tmp_path):
    member, labels, logits = leaky_signals(num_models=8)
    logits[5], member[5] = logits[2], member[2]
    np.savez(tmp_path / "a.npz", membership=member, labels=np.random.default_rng(0).permutation(labels), logits=logits)
    notes = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out").results["notes"]
    assert any("different orders" in note for note in notes) and any("5 of 2" in note for note in notes)


def drawn_together(rng, num_models: int = 16, people: int = 40, each: int = 3):
    """``(who, member, signals)``: rows of people in a mixed order, members by person, signals that tell them."""
    who = rng.permutation(np.repeat(np.arange(people), each))
    member = np.stack([rng.permutation(people) < people // 2 for _ in range(num_models)])[:, who]
    return who, member, (rng.normal(size=member.shape) + member).astype(np.float32)


def test_a_source_that_names_groups_gives_figures_by_group_and_intervals_that_resample_them(tmp_path):
    who, member, signals = drawn_together(np.random.default_rng(0))
    np.savez(tmp_path / "a.npz", membership=member, signals=signals, groups=[f"P{number:02d}" for number in who])
    results = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out", signal_kind="scaled_logits").results
    assert results["unit"] == "group" and results["num_groups"] == 40
    entry = results["attacks"]["global_threshold"]
    together = np.stack([signals[:, who == person].mean(1) for person in range(40)], 1)
    whole = np.stack([member[:, who == person][:, 0] for person in range(40)], 1)
    by_person = roc_auc_score(whole.ravel(), together.ravel())
    assert entry["per_group"]["mean"]["auc"] == pytest.approx(by_person, abs=1e-6)
    assert entry["auc"] == pytest.approx(roc_auc_score(member.ravel(), signals.ravel()), abs=1e-6)
    assert not any("drawn together" in note for note in results["notes"])
    assert "By group" in Document((tmp_path / "out" / "report.html").read_text()).text


def test_rows_that_seem_drawn_together_are_told_where_no_groups_are_named_and_not_where_drawn_one_by_one(tmp_path):
    rng = np.random.default_rng(1)
    who, member, signals = drawn_together(rng)
    np.savez(tmp_path / "a.npz", membership=member, signals=signals)
    results = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out", signal_kind="scaled_logits").results
    assert results["unit"] == "row" and any("120 of 120 rows" in note for note in results["notes"])
    np.save(tmp_path / "who.npy", who)
    again = run_imported(
        tmp_path / "a.npz", "arrays", tmp_path / "out", signal_kind="scaled_logits", groups=tmp_path / "who.npy"
    ).results
    assert again["unit"] == "group"
    for models, share in ((4, 0.5), (16, 0.5), (16, 0.9)):
        rows = rng.random((models, 400)) < share
        assert note_on_rows_drawn_together(rows) == ()
        assert note_on_rows_drawn_together(np.concatenate([rows, ~rows])) == ()  # complementary pairs


def test_groups_that_models_divide_are_said_and_figures_stay_by_row(tmp_path):
    who, member, signals = drawn_together(np.random.default_rng(2))
    member[0, np.flatnonzero(who == 3)[0]] ^= True
    np.savez(tmp_path / "a.npz", membership=member, signals=signals, groups=who)
    results = run_imported(tmp_path / "a.npz", "arrays", tmp_path / "out", signal_kind="scaled_logits").results
    assert results["unit"] == "row" and results["num_groups"] == 40
    assert "per_group" not in results["attacks"]["global_threshold"]
    assert any("no group is a member" in note for note in results["notes"])


def test_groups_of_another_length_or_with_fractions_are_refused(tmp_path):
    _, member, signals = drawn_together(np.random.default_rng(3))
    np.savez(tmp_path / "a.npz", membership=member, signals=signals)
    for wrong in (np.arange(5), np.arange(120) / 2):
        np.save(tmp_path / "who.npy", wrong)
        with pytest.raises(UserError, match=r"who\.npy holds .*; expected a whole number or name \[120\]"):
            run_imported(
                tmp_path / "a.npz", "arrays", tmp_path / "out", signal_kind="scaled_logits", groups=tmp_path / "who.npy"
            )
    np.save(tmp_path / "who.npy", np.zeros(120, int))
    with pytest.raises(UserError, match=r"who\.npy has one value in all 120 rows; expected at least 2 groups"):
        run_imported(
            tmp_path / "a.npz", "arrays", tmp_path / "out", signal_kind="scaled_logits", groups=tmp_path / "who.npy"
        )
    assert not (tmp_path / "out").exists()
