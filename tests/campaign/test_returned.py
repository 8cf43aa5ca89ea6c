"""Answers that came back from a plan: taken in as they are, and refused in one line where something is wrong."""

import shutil

import numpy as np
import pytest

from miajax.campaign.config import Setup
from miajax.campaign.returned import take_in
from miajax.campaign.run import run_campaign
from miajax.campaign.stored import stored_config
from miajax.errors import UserError
from miajax.runs.exports import export_run
from miajax.runs.folder import RunFolder
from tests.campaign.plans import MODELS, ROWS, data_of_client, helper, planned, trained


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A folder with a table, a plan and answers of forests; and those answers."""
    folder = tmp_path_factory.mktemp("client")
    planned(folder)
    return folder, trained(folder)


@pytest.fixture
def copy(client, tmp_path):
    shutil.copytree(client[0] / "plan", tmp_path / "plan")
    return tmp_path


@pytest.fixture(scope="module")
def run(client, tmp_path_factory):
    return take_in(client[0] / "plan", tmp_path_factory.mktemp("runs") / "run", name="client's forest")


def changed(folder, number: int, **arrays) -> None:
    """Sets arrays of a model's file; None takes one away."""
    file = folder / "plan" / "answers" / f"model-{number:04d}.npz"
    with np.load(file) as stored:
        held = {**stored, **arrays}
    np.savez(file, **{name: array for name, array in held.items() if array is not None})


def of_label(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return answers[np.arange(len(labels)), labels]


def test_signals_are_those_of_the_answers_clipped_as_a_forest_s_are(client, run):
    labels = run.setup.dataset.labels
    p = np.stack([of_label(answers, labels) for answers in client[1]])
    p = np.clip(p, 0.05, 0.95)  # ten trees: 1/20
    np.testing.assert_allclose(run.signals[:, :, 0], np.log(p / (1 - p)), rtol=1e-5, atol=1e-5)
    assert run.folder.manifest["answers"] == {"kind": "probabilities", "clip": 0.05, "rule": "grid", "votes": 10}
    assert run.valid.all() and any("trained elsewhere" in note for note in run.notes)


def test_the_run_is_opened_again_without_the_answers(run):
    again = run_campaign(Setup.of(stored_config(run.folder.path)), run.folder.path)
    np.testing.assert_array_equal(again.signals, run.signals)
    assert again.trained == 0 and again.notes == run.notes


def test_the_run_is_exported_as_any_other(run, tmp_path):
    export_run(run.folder.path, "lira2021", tmp_path / "out")
    keep = np.load(tmp_path / "out" / f"experiment-3_{MODELS}" / "keep.npy")
    np.testing.assert_array_equal(keep, run.member[3])


def test_a_run_grows_by_no_model_that_was_not_trained(run):
    import dataclasses

    config = dataclasses.replace(stored_config(run.folder.path), num_shadows=MODELS + 1)
    with pytest.raises(UserError, match=rf"--num_shadows {MODELS + 1}, and the {MODELS} models of .* elsewhere"):
        run_campaign(Setup.of(config), run.folder.path)
    assert stored_config(run.folder.path).num_shadows == MODELS


def test_a_damaged_group_is_named_and_asks_for_the_answers_again(client, tmp_path):
    take_in(client[0] / "plan", tmp_path / "run")
    (tmp_path / "run" / "groups" / "00000-00007" / "signals.npy").write_bytes(b"x")
    with pytest.raises(UserError, match=r"model 0 was trained elsewhere, and its answers are not in .*import_signals"):
        run_campaign(Setup.of(stored_config(tmp_path / "run")), tmp_path / "run")
    assert take_in(client[0] / "plan", tmp_path / "run").valid.all()


def test_other_answers_do_not_enter_the_run(run, copy):
    changed(copy, 2, probabilities=np.full((ROWS, 2), 0.5))
    with pytest.raises(UserError, match="holds a run of another configuration"):
        take_in(copy / "plan", run.folder.path, name="client's forest")


def test_rows_in_another_order_are_put_into_the_plan_s_by_their_numbers(run, copy):
    order = np.random.default_rng(0).permutation(ROWS)
    for model in range(MODELS):
        with np.load(copy / "plan" / "answers" / f"model-{model:04d}.npz") as held:
            changed(copy, model, rows=order, labels=held["labels"][order], probabilities=held["probabilities"][order])
    again = take_in(copy / "plan", copy / "run")
    np.testing.assert_array_equal(again.signals, run.signals)


def test_rows_by_key_through_the_helper_are_put_into_the_plan_s_order(client, run, copy):
    handover, (_, labels, keys) = helper(copy / "plan"), data_of_client(client[0])
    order = np.random.default_rng(1).permutation(ROWS)
    rows = handover.rows_of([keys[i] for i in order])
    for model, answers in enumerate(client[1]):
        handover.leave(model, answers[order], [labels[i] for i in order], rows=rows)
    np.testing.assert_array_equal(take_in(copy / "plan", copy / "run").signals, run.signals)


def test_a_csv_of_row_label_and_classes_will_do(client, run, copy):
    _, labels, _ = data_of_client(client[0])
    for model, answers in enumerate(client[1]):
        (copy / "plan" / "answers" / f"model-{model:04d}.npz").unlink()
        order = np.random.default_rng(model).permutation(ROWS)
        lines = [f"{row},{labels[row]},{float(answers[row, 0])!r},{float(answers[row, 1])!r}" for row in order]
        text = "\n".join(["row,label,healthy,sick", *lines]) + "\n"
        (copy / "plan" / "answers" / f"model-{model:04d}.csv").write_text(text)
    np.testing.assert_array_equal(take_in(copy / "plan", copy / "run").signals, run.signals)


def smoothed(answers: np.ndarray) -> np.ndarray:
    return (answers * 10 + 1) / 12


@pytest.mark.parametrize("kind", ["logits", "log_probabilities"])
def test_logits_and_log_probabilities_give_the_signals_of_their_probabilities(client, copy, kind):
    labels = None
    for model, answers in enumerate(client[1]):
        logs = np.log(smoothed(answers))
        changed(copy, model, probabilities=None, **{kind: logs + (3.0 if kind == "logits" else 0)})
    found = take_in(copy / "plan", copy / "run")
    labels = found.setup.dataset.labels
    p = np.stack([of_label(smoothed(answers), labels) for answers in client[1]])
    np.testing.assert_allclose(found.signals[:, :, 0], np.log(p / (1 - p)), rtol=1e-4, atol=1e-5)


def test_probabilities_under_the_name_logits_are_read_as_such_and_said(client, run, copy):
    for model, answers in enumerate(client[1]):
        changed(copy, model, probabilities=None, logits=answers)
    found = take_in(copy / "plan", copy / "run")
    np.testing.assert_array_equal(found.signals, run.signals)
    assert any("Answers are named logits and hold probabilities" in note for note in found.notes)


def test_missing_models_and_nan_count_as_failed_where_that_is_allowed(copy):
    (copy / "plan" / "answers" / "model-0001.npz").unlink()
    changed(copy, 4, probabilities=np.full((ROWS, 2), np.nan))
    found = take_in(copy / "plan", copy / "run", allow_failed=True)
    assert np.flatnonzero(~found.valid).tolist() == [1, 4]
    told = " ".join(found.notes)
    assert "Models 1 failed: no answers came back" in told and "Models 4 failed: answers hold NaN" in told


def without_last_row(held):
    return {"probabilities": held["probabilities"][:-1], "labels": held["labels"][:-1]}


BAD = {
    "other order": (lambda held: {"labels": held["labels"][::-1]}, r"labels differ from the plan's in \d+ of 240 rows.*"
                    r"The rows came back in another order: add rows"),
    "classes renumbered": (lambda held: {"labels": 1 - held["labels"]}, "classes may be numbered in another order"),
    "rows left out": (without_last_row, r"probabilities \[239, 2\]; expected \[240, 2\]: every row of the data"),
    "row named twice": (lambda held: {"rows": np.r_[0, 0, 2:ROWS]}, r"an example more than once \(0: 2 times\)"),
    "rows from 1": (lambda held: {"rows": np.arange(1, ROWS + 1)}, "count from 1"),
    "NaN": (lambda held: {"probabilities": np.where(np.arange(ROWS)[:, None] == 7, np.nan, held["probabilities"])},
            r"row 7 of its answers holds nan \(1 such rows\).*--allow_failed"),
    "sigmoids": (lambda held: {"probabilities": held["probabilities"] * 0.7 + 0.1}, "do not sum to 1.*--signal_kind"),
    "logits named probabilities": (
        lambda held: {"probabilities": held["probabilities"] * 9 - 4}, "probabilities holds logits"),
    "log-probabilities named probabilities": (
        lambda held: {"probabilities": np.log(smoothed(held["probabilities"]))}, "holds log-probabilities"),
    "losses": (lambda held: {"probabilities": None, "logits": -np.log(smoothed(held["probabilities"]))},
               "logits holds losses of every class"),
    "another kind than the first": (
        lambda held: {"probabilities": None, "logits": 9 * held["probabilities"] - 4},
        "holds logits, the first model probabilities"),
    "another plan": (lambda held: {"plan": np.str_("0123456789abcdef")}, "says that it belongs to plan 0123"),
    "another number": (lambda held: {"model": np.int64(5)}, "says that it belongs to model 5; expected model 3"),
    "two plans": (lambda held: {"plan": np.array(["a", "b"])}, "says that it belongs to plan a, b; expected plan"),
    "labels of any size": (lambda held: {"labels": np.where(np.arange(ROWS) == 3, 2**31 - 1, held["labels"])},
                           r"labels differ from the plan's in 1 of 240 rows \(row 3 is 2147483647"),
    "no labels": (lambda held: {"labels": None}, r"holds probabilities, plan, model; expected"),
    "text": (lambda held: {"probabilities": held["probabilities"].astype(str)}, "expected numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_told_in_one_line_and_nothing_is_written(copy, case):
    change, message = BAD[case]
    with np.load(copy / "plan" / "answers" / "model-0003.npz") as held:
        arrays = change(dict(held))
    changed(copy, 3, **arrays)
    with pytest.raises(UserError, match=message) as told:
        take_in(copy / "plan", copy / "run")
    assert "\n" not in str(told.value) and not (copy / "run").exists()


def test_missing_extra_and_strange_files_are_named(copy):
    answers = copy / "plan" / "answers"
    shutil.copy(answers / "model-0000.npz", answers / "model-0099.npz")
    with pytest.raises(
        UserError, match=r"model-0099.npz is no answer of this plan; expected model-0000.npz to model-0007"
    ):
        take_in(copy / "plan", copy / "run")
    (answers / "model-0099.npz").rename(answers / "final.npz")
    with pytest.raises(UserError, match=r"final.npz is no answer of this plan"):
        take_in(copy / "plan", copy / "run")
    (answers / "final.npz").unlink()
    (answers / "model-0002.npz").unlink()
    with pytest.raises(UserError, match=r"lacks models 2 \(1 of 8\)"):
        take_in(copy / "plan", copy / "run")


def test_one_file_under_two_numbers_is_refused(copy):
    with np.load(copy / "plan" / "answers" / "model-0001.npz") as held:
        changed(copy, 6, probabilities=held["probabilities"])
    with pytest.raises(UserError, match="models 1 and 6 came back with the same answers to the last bit"):
        take_in(copy / "plan", copy / "run")


def test_files_under_each_other_s_number_are_refused_where_models_leak_enough_to_tell(copy):
    files = [copy / "plan" / "answers" / f"model-{model:04d}.npz" for model in (1, 6)]
    held = [dict(np.load(file)) for file in files]
    for model, other in ((1, held[1]), (6, held[0])):
        changed(copy, model, probabilities=other["probabilities"])
    with pytest.raises(UserError, match=r"answers of 2 models fit the members of another .*1 those of 6, 6 those of 1"):
        take_in(copy / "plan", copy / "run")


def test_models_that_leak_nothing_are_taken_in(copy):
    rng = np.random.default_rng(0)
    labels = np.load(copy / "plan" / "answers" / "model-0000.npz")["labels"]
    for model in range(MODELS):
        second = 1 / (1 + np.exp(-rng.normal(size=ROWS) - 2.0 * labels + 1))
        changed(copy, model, probabilities=np.stack([1 - second, second], 1))
    assert take_in(copy / "plan", copy / "run").valid.all()


def test_columns_in_another_order_are_refused(copy):
    for model in range(MODELS):
        with np.load(copy / "plan" / "answers" / f"model-{model:04d}.npz") as held:
            changed(copy, model, probabilities=held["probabilities"][:, ::-1])
    with pytest.raises(
        UserError, match=r"the likeliest class is the label in .* where chance is .*order of the columns"
    ):
        take_in(copy / "plan", copy / "run")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "row;label;healthy;sick\n0;healthy;0,5;0,5\n",
            "cannot be read as comma-separated text; .* numbers with a point",
        ),
        ("row,label,healthy\n0,healthy,1\n", r"lacks the column sick; expected the header row,label,healthy,sick"),
    ],
)
def test_a_csv_of_another_form_is_told_without_flags_that_answers_do_not_have(client, copy, text, message):
    (copy / "plan" / "answers" / "model-0001.npz").unlink()
    (copy / "plan" / "answers" / "model-0001.csv").write_text(text)
    with pytest.raises(UserError, match=message) as refused:
        take_in(copy / "plan", copy / "run")
    assert "--separator" not in str(refused.value) and not (copy / "run").exists()


def test_data_that_are_not_the_plan_s_are_refused(client, copy):
    other = copy / "other.csv"
    other.write_text((client[0] / "patients.csv").read_text().replace("red", "blue"))
    with pytest.raises(UserError, match=r"is not the one that .* was made of"):
        take_in(copy / "plan", copy / "run", data_path=str(other))


def test_the_run_folder_is_whole(run):
    RunFolder.open(run.folder.path).verify_all(MODELS, ("signals", "correct", "valid"))
