"""Files whose names say one thing and whose content another: converted by the stated rule, or refused."""

import shutil
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from miajax.errors import UserError
from miajax.runs import content_checks as content
from miajax.runs.exports import export_run
from miajax.runs.imports import read_signals
from tests.runs.stored_runs import simulated_run

ROWS = np.random.default_rng(0).normal(size=(3, 50, 1, 6)).astype(np.float32) * 4


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (ROWS, "logits"),
        (np.abs(ROWS), "logits"),
        (softmax(ROWS, -1), "probabilities"),
        (softmax(ROWS, -1).astype(np.float16), "probabilities"),
        (softmax(ROWS, -1).round(3), "probabilities"),
        (log_softmax(ROWS, -1), "log_probabilities"),
        (-log_softmax(ROWS, -1), "losses"),
        (expit(ROWS), "bounded"),
        (np.where(np.arange(50)[None, :, None, None] == 3, np.nan, softmax(ROWS, -1)), "probabilities"),
    ],
)
def test_rows_are_what_their_values_say(rows, kind):
    assert content.kind_of_rows(rows) == kind


@pytest.mark.parametrize(
    "stored", [softmax(ROWS.astype(np.float64), -1), log_softmax(ROWS, -1), -log_softmax(ROWS, -1), ROWS]
)
def test_rows_of_any_kind_give_the_scaled_logits_of_the_logits(stored):
    labels = np.arange(50) % 6
    logits, _ = content.logits_of_rows(stored, "x", None)
    expected = content.scaled_logits_of_logits(ROWS, labels)
    np.testing.assert_allclose(content.scaled_logits_of_logits(logits, labels), expected, rtol=1e-3, atol=1e-4)


def test_the_user_s_word_counts_more_than_content():
    rows = softmax(ROWS, -1)
    logits, notes = content.logits_of_rows(rows, "x", "logits")
    np.testing.assert_array_equal(logits, rows.astype(np.float32))
    assert notes == ()


def test_one_model_stored_otherwise_than_the_others_is_named():
    mixed = np.concatenate([ROWS[:2], softmax(ROWS[2:], -1)])
    with pytest.raises(UserError, match="probabilities of model 2 and logits of model 0"):
        content.logits_of_rows(mixed, "x", None)


@pytest.mark.parametrize(
    ("kind", "of_p"),
    [
        ("scaled_logits", lambda p: np.log(p / (1 - p))),
        ("probabilities", lambda p: p),
        ("log_probabilities", np.log),
        ("losses", lambda p: -np.log(p)),
    ],
)
def test_one_number_of_each_kind_gives_the_same_scaled_logit(kind, of_p):
    p = np.linspace(0.001, 0.999, 20)
    phi, _ = content.scaled_logits_of(of_p(p), "x", "losses", told=kind)
    np.testing.assert_allclose(phi, np.log(p / (1 - p)), rtol=1e-4)


@pytest.mark.parametrize(
    ("named", "values", "message"),
    [
        ("losses", [0.1, 0.9], "0..1 throughout, as probabilities do.*--signal_kind probabilities or losses"),
        ("losses", [-0.1, -3.0], "a loss of -3.0.*--signal_kind log_probabilities"),
        ("losses", [-0.1, 3.0], "a loss of -0.1"),
        ("probabilities", [0.1, 1.5], "outside 0..1.*--signal_kind losses"),
        ("scaled_logits", [0.1, 7.0], "no value below 0, as losses.*--signal_kind scaled_logits, or losses"),
        ("scaled_logits", [0.1, 0.9], "no value below 0, as probabilities or losses"),
    ],
)
def test_numbers_that_may_have_the_opposite_sign_are_refused_in_one_line(named, values, message):
    with pytest.raises(UserError, match=message) as told:
        content.scaled_logits_of(np.array(values), "x", named)
    assert "\n" not in str(told.value)


def test_scaled_logits_below_0_throughout_are_noted():
    phi, notes = content.scaled_logits_of(np.array([-0.5, -3.0]), "x", "scaled_logits")
    assert phi.tolist() == [-0.5, -3.0] and "--signal_kind log_probabilities" in notes[0]


def exported(tmp_path, format, **run):
    arrays = simulated_run(tmp_path / "run", **run)
    export_run(tmp_path / "run", format, tmp_path / "out")
    (tmp_path / "out" / "export.json").unlink()  # so that it could be anybody's
    return arrays, tmp_path / "out"


def test_softmax_outputs_in_privacy_meter_s_loss_file_are_never_losses(tmp_path):
    arrays, out = exported(tmp_path, "privacy_meter", num_models=8, num_examples=60)
    signals = out / "signals"
    shutil.copy(signals / "rmia_signals.npy", signals / "loss_signals.npy")
    for beside in (True, False):
        found = read_signals(out, "privacy_meter", signal_kind=None if beside else "probabilities")
        assert found.scaled_logit is not None
        np.testing.assert_allclose(found.scaled_logit, arrays["signals"], rtol=1e-5, atol=1e-6)
        assert "no losses" in found.notes[0] or "holds probabilities" in found.notes[0]
        (signals / "rmia_signals.npy").unlink(missing_ok=True)
    with pytest.raises(UserError, match="as probabilities do"):
        read_signals(out, "privacy_meter")


def test_privacy_meter_files_that_disagree_are_refused(tmp_path):
    _, out = exported(tmp_path, "privacy_meter")
    losses = np.load(out / "signals" / "loss_signals.npy")
    np.save(out / "signals" / "loss_signals.npy", losses[::-1])
    with pytest.raises(UserError, match=r"disagree in \d+\.\d% of cells"):
        read_signals(out, "privacy_meter")


def test_an_own_export_of_small_losses_is_trusted(tmp_path):
    simulated_run(tmp_path / "run")
    export_run(tmp_path / "run", "privacy_meter", tmp_path / "out")
    signals = tmp_path / "out" / "signals"
    (signals / "rmia_signals.npy").unlink()
    np.save(signals / "loss_signals.npy", np.load(signals / "loss_signals.npy") / 100)
    found = read_signals(tmp_path / "out", "privacy_meter")
    assert found.notes == () and found.scaled_logit is not None and (found.scaled_logit > 0).mean() > 0.9


def epochs_of(out, kinds):
    """Renames or copies the files of an exported LiRA-2021 folder: ``{kind: {model: epochs}}``."""
    for folder in out.glob("experiment-*"):
        model = int(folder.name.split("-")[1].split("_")[0])
        for kind, epochs in kinds.items():
            array = np.load(folder / kind / "0000000030.npy")
            (folder / kind / "0000000030.npy").unlink()
            for epoch in epochs(model):
                np.save(folder / kind / f"{epoch}.npy", array + np.float32(epoch / 1000))


def test_scores_and_logits_of_different_epochs_are_refused_until_one_is_chosen(tmp_path):
    arrays, out = exported(tmp_path, "lira2021")
    epochs_of(out, {"scores": lambda _: [40], "logits": lambda _: [40, 100]})
    message = r"last epoch is 40 in some files and 100 in others.*--epoch: 40 \(scores and logits\), 100 \(logits\)"
    with pytest.raises(UserError, match=message):
        read_signals(out, "lira2021")
    both, later = read_signals(out, "lira2021", epoch=40), read_signals(out, "lira2021", epoch=100)
    np.testing.assert_array_equal(both.scaled_logit, arrays["signals"] + np.float32(0.04))
    np.testing.assert_array_equal(both.logits, arrays["logits"] + np.float32(0.04))
    assert later.scaled_logit is None
    np.testing.assert_array_equal(later.logits, arrays["logits"] + np.float32(0.1))
    with pytest.raises(UserError, match="no epoch 7 of all models"):
        read_signals(out, "lira2021", epoch=7)


def test_models_of_different_last_epochs_are_refused_and_names_are_read_as_numbers(tmp_path):
    arrays, out = exported(tmp_path, "lira2021")
    kind = {"scores": lambda model: [9, 40] if model == 2 else [9, 40, 100]}
    epochs_of(out, kind | {"logits": kind["scores"]})
    with pytest.raises(UserError, match="last epoch is 40 in some files and 100"):
        read_signals(out, "lira2021")
    np.testing.assert_array_equal(read_signals(out, "lira2021", epoch=9).logits, arrays["logits"] + np.float32(0.009))


def test_scores_that_do_not_follow_from_the_logits_are_refused(tmp_path):
    _, out = exported(tmp_path, "lira2021")
    np.save(out / "y_train.npy", np.roll(np.load(out / "y_train.npy"), 1))
    with pytest.raises(UserError, match=r"scores and .*logits disagree"):
        read_signals(out, "lira2021")


def test_membership_given_as_a_list_of_members_is_refused(tmp_path):
    _, out = exported(tmp_path, "lira2021")
    for file in out.glob("*/keep.npy"):
        np.save(file, np.flatnonzero(np.load(file)))
    with pytest.raises(UserError, match="codes of 0 and 1 only"):
        read_signals(out, "lira2021")


def test_tf_privacy_ids_drawn_with_replacement_are_refused(tmp_path):
    _, out = exported(tmp_path, "tf_privacy", keep_logits=True)
    file = out / "examples-00002.npz"
    with np.load(file) as stored:
        ids = dict(stored)
    ids["ids_train"][1] = ids["ids_train"][0]
    np.savez(file, **ids)
    with pytest.raises(UserError, match=r"examples-00002\.npz: ids name an example more than once"):
        read_signals(out, "tf_privacy")


def test_tf_privacy_ids_from_1_are_refused_in_one_line(tmp_path):
    _, out = exported(tmp_path, "tf_privacy")
    for file in out.glob("examples-*.npz"):
        with np.load(file) as stored:
            ids = {name: array + 1 for name, array in stored.items()}
        np.savez(file, **ids)
    with pytest.raises(UserError, match=r"is 31; expected 0\.\.30\. They seem to count from 1"):
        read_signals(out, "tf_privacy")


def test_tf_privacy_labels_that_differ_over_models_are_refused(tmp_path):
    _, out = exported(tmp_path, "tf_privacy")
    file = out / "examples-00001.npz"
    with np.load(file) as stored:
        ids = dict(stored)
    ids["ids_train"] = ids["ids_train"][::-1]
    np.savez(file, **ids)
    with pytest.raises(UserError, match=r"target-00001\.npz labels example \d+ as \d, target-00000\.npz as \d"):
        read_signals(out, "tf_privacy")


def test_logits_of_the_opposite_sign_are_refused_until_named(tmp_path):
    arrays = simulated_run(tmp_path / "run", num_examples=80)
    plain: dict[str, Any] = {"membership": arrays["membership"], "labels": arrays["labels"]}
    np.savez(tmp_path / "a.npz", **plain, logits=5 - arrays["logits"][:, :, 0])
    with pytest.raises(UserError, match=r"label's entry is the smallest in \d+\.\d% of rows"):
        read_signals(tmp_path / "a.npz", "arrays")
    np.savez(tmp_path / "b.npz", **plain, logits=-log_softmax(arrays["logits"][:, :, 0], -1))
    found = read_signals(tmp_path / "b.npz", "arrays")
    assert found.logits is not None
    phi = content.scaled_logits_of_logits(found.logits, arrays["labels"])
    np.testing.assert_allclose(phi, arrays["signals"], rtol=1e-3, atol=1e-4)
    assert "losses and no logits" in found.notes[0]


def test_an_epoch_is_asked_of_formats_that_have_one(tmp_path):
    np.savez(tmp_path / "a.npz", membership=np.eye(2))
    with pytest.raises(UserError, match="--epoch 3 with --format arrays"):
        read_signals(tmp_path / "a.npz", "arrays", epoch=3)
