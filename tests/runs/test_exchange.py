"""Exports in other tools' layouts, and back."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from miajax.errors import UserError
from miajax.runs.exports import export_run
from miajax.runs.imports import read_signals
from tests.runs.stored_runs import simulated_run


def exported(tmp_path, format, **run):
    arrays = simulated_run(tmp_path / "run", **run)
    facts = export_run(tmp_path / "run", format, tmp_path / "out")
    return arrays, facts, tmp_path / "out"


def test_lira_2021_files_have_the_published_names_and_shapes(tmp_path):
    arrays, _, out = exported(tmp_path, "lira2021", num_models=4, queries=2)
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == [f"experiment-{i}_4" for i in range(4)]
    folder = out / "experiment-2_4"
    assert {p.name for p in folder.iterdir()} == {"hparams.json", "keep.npy", "logits", "scores"}
    assert json.loads((folder / "hparams.json").read_text())["arch"] == "mlp"
    keep = np.load(folder / "keep.npy")
    assert keep.dtype == bool and keep.shape == (31,)
    logits = np.load(folder / "logits" / "0000000030.npy")
    assert logits.shape == (31, 1, 2, 4), "examples, 1, views, classes: what the published score.py indexes"
    np.testing.assert_array_equal(np.load(folder / "scores" / "0000000030.npy"), arrays["signals"][2])
    np.testing.assert_array_equal(np.load(out / "y_train.npy"), arrays["labels"])


def test_privacy_meter_signals_are_examples_by_models_and_higher_for_the_likelier_label(tmp_path):
    arrays, _, out = exported(tmp_path, "privacy_meter")
    np.testing.assert_array_equal(np.load(out / "memberships.npy"), arrays["membership"])
    signals = np.load(out / "signals" / "rmia_signals.npy")
    assert signals.shape == (31, 6)
    z = arrays["logits"][:, :, 0].astype(np.float64)
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    expected = np.take_along_axis(p, arrays["labels"][None, :, None], 2)[..., 0]
    np.testing.assert_allclose(signals, expected.T, rtol=1e-5)
    np.testing.assert_allclose(np.load(out / "signals" / "loss_signals.npy"), -np.log(expected.T), rtol=1e-5)


def test_tf_privacy_arrays_are_named_like_the_fields_of_attack_input_data(tmp_path):
    arrays, _, out = exported(tmp_path, "tf_privacy", queries=2)
    with np.load(out / "target-00003.npz") as fields:
        assert set(fields.files) == {
            f"{name}_{side}" for name in ("logits", "labels", "loss") for side in ("train", "test")
        }
        member = arrays["membership"][3]
        np.testing.assert_array_equal(fields["logits_train"], arrays["logits"][3, member, 0])
        np.testing.assert_array_equal(fields["labels_test"], arrays["labels"][~member])
        np.testing.assert_allclose(fields["loss_test"], np.logaddexp(0, -arrays["signals"][3, ~member, 0]), rtol=1e-5)


def test_scikit_learn_pairs_give_the_pooled_auc_of_the_scored_cells(tmp_path):
    arrays, facts, out = exported(tmp_path, "sklearn", failed=(1,))
    assert facts["attacks"] == ["global_threshold", "lira_online"]
    with np.load(out / "global_threshold.npz") as pair:
        valid = np.arange(6) != 1
        ours = roc_auc_score(arrays["membership"][valid].ravel(), arrays["global_threshold"][valid].ravel())
        assert roc_auc_score(pair["y_true"], pair["score"]) == pytest.approx(ours)
        assert 1 not in pair["model"]
    with np.load(out / "lira_online.npz") as pair:
        back = np.full((6, 31), np.nan, np.float32)
        back[pair["model"], pair["example"]] = pair["score"]
        np.testing.assert_array_equal(back, np.where(valid[:, None], arrays["lira_online"], np.nan))


@pytest.mark.parametrize("queries", [1, 2])
def test_lira_2021_comes_back_bit_for_bit(tmp_path, queries):
    arrays, _, out = exported(tmp_path, "lira2021", num_models=12, queries=queries)
    found = read_signals(out, "lira2021")
    np.testing.assert_array_equal(found.member, arrays["membership"])
    np.testing.assert_array_equal(found.scaled_logit, arrays["signals"])
    np.testing.assert_array_equal(found.logits, arrays["logits"])
    np.testing.assert_array_equal(found.labels, arrays["labels"])


def test_privacy_meter_comes_back_within_float32(tmp_path):
    arrays, _, out = exported(tmp_path, "privacy_meter")
    found = read_signals(out, "privacy_meter", labels=tmp_path / "run" / "labels.npy")
    np.testing.assert_array_equal(found.member, arrays["membership"])
    np.testing.assert_allclose(found.scaled_logit, arrays["signals"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.labels, arrays["labels"])
    (out / "signals" / "loss_signals.npy").unlink()
    from_probabilities = read_signals(out, "privacy_meter").scaled_logit
    np.testing.assert_allclose(from_probabilities, arrays["signals"], rtol=1e-5, atol=1e-6)


def test_tf_privacy_comes_back_with_every_example_in_its_place(tmp_path):
    arrays, _, out = exported(tmp_path, "tf_privacy")
    found = read_signals(out, "tf_privacy")
    np.testing.assert_array_equal(found.member, arrays["membership"])
    np.testing.assert_array_equal(found.logits, arrays["logits"])
    np.testing.assert_array_equal(found.labels, arrays["labels"])


def test_tf_privacy_without_kept_logits_comes_back_from_its_losses(tmp_path):
    arrays, facts, out = exported(tmp_path, "tf_privacy", keep_logits=False)
    assert facts["logits"] is False
    found = read_signals(out, "tf_privacy")
    assert found.logits is None
    np.testing.assert_allclose(found.scaled_logit, arrays["signals"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("format", ["lira2021", "privacy_meter", "tf_privacy"])
def test_failed_models_are_left_out_and_named(tmp_path, format):
    arrays, facts, out = exported(tmp_path, format, failed=(0, 4))
    assert facts["failed_models"] == [0, 4] and facts["models"] == [1, 2, 3, 5]
    assert json.loads((out / "export.json").read_text()) == facts
    found = read_signals(out, format)
    np.testing.assert_array_equal(found.member, arrays["membership"][[1, 2, 3, 5]])
    assert all(np.isfinite(a).all() for a in (found.scaled_logit, found.logits) if a is not None)


def test_arrays_may_be_an_archive_or_a_folder(tmp_path):
    arrays = simulated_run(tmp_path / "run")
    plain = {name: arrays[name] for name in ("membership", "labels", "signals")}
    np.savez(tmp_path / "all.npz", **plain, logits=arrays["logits"][:, :, 0])
    found = read_signals(tmp_path / "all.npz", "arrays")
    np.testing.assert_array_equal(found.logits, arrays["logits"])
    from_run = read_signals(tmp_path / "run", "arrays")
    np.testing.assert_array_equal(from_run.scaled_logit, found.scaled_logit)


def test_saturated_losses_and_probabilities_tie_at_the_cap_and_say_so(tmp_path):
    member = np.array([[True, False, True, False]] * 2)
    losses = np.array([[0.0, 0.0, 1.0, 800.0]] * 2)
    np.savez(tmp_path / "a.npz", membership=member, losses=losses)
    found = read_signals(tmp_path / "a.npz", "arrays")
    assert found.scaled_logit[0, 0, 0] == found.scaled_logit[0, 1, 0] == np.float32(103.6)
    assert found.scaled_logit[0, 3, 0] == np.float32(-103.6)
    assert found.scaled_logit[0, 2, 0] == pytest.approx(-np.log(np.expm1(1.0)), rel=1e-6)
    assert "6 signals were saturated" in found.notes[0]


def test_an_export_never_lands_in_a_folder_that_holds_something(tmp_path):
    simulated_run(tmp_path / "run")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="not empty"):
        export_run(tmp_path / "run", "lira2021", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_unfinished_run_says_how_to_finish_it(tmp_path):
    simulated_run(tmp_path / "run")
    (tmp_path / "run" / "signals.npy").unlink()
    with pytest.raises(UserError, match=r"no signals.npy.*miajax lira --run"):
        export_run(tmp_path / "run", "tf_privacy", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _bad(tmp_path, **changes):
    arrays = {"membership": np.eye(3, 5, dtype=bool), "labels": np.zeros(5, int), "signals": np.zeros((3, 5))}
    arrays = {name: value for name, value in (arrays | changes).items() if value is not None}
    np.savez(tmp_path / "bad.npz", **arrays)
    return tmp_path / "bad.npz"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signals": None}, "holds membership, labels; expected membership"),
        ({"signals": np.zeros((5, 3))}, r"shape \(5, 3, 1\) beside membership of \(3, 5\)"),
        ({"membership": np.full((3, 5), 2)}, "of 0 and 1"),
        ({"membership": np.ones((3, 5), bool)}, "model 0 has no member or no non-member"),
        ({"labels": np.array([0, 1, 2.5, 0, 0])}, "whole numbers"),
        ({"logits": np.zeros((3, 5, 2)), "labels": np.full(5, 2)}, r"labels 2\.\.2; expected 0\.\.1"),
        ({"logits": np.zeros((3, 5, 2)), "labels": None}, "logits and no labels"),
        ({"signals": None, "losses": np.full((3, 5), -1.0)}, "a loss of -1.0"),
        ({"signals": np.array([[{}] * 5] * 3)}, "signals holds Python objects"),
    ],
)
def test_bad_arrays_are_told_in_one_line(tmp_path, changes, message):
    with pytest.raises(UserError, match=message) as told:
        read_signals(_bad(tmp_path, **changes), "arrays")
    assert "\n" not in str(told.value)


def test_a_model_of_another_size_is_named(tmp_path):
    _, _, out = exported(tmp_path, "lira2021")
    np.save(out / "experiment-3_6" / "keep.npy", np.zeros(7, bool))
    with pytest.raises(UserError, match=r"experiment-3_6: keep.npy of shape \(7,\)"):
        read_signals(out, "lira2021")
