"""The command line of the main job, end to end, and what it says of bad input."""

import json
import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments import _command, lira
from miajax.studies.lira.study import ATTACKS
from tests.studies.helpers import command

SMALL = ("--num_shadows", "16", "--epochs", "3", "--batch-size", "32", "--max_examples", "300")
RESULT_KEYS = {
    "dataset",
    "model",
    "num_shadows",
    "num_valid",
    "num_examples",
    "member_fraction",
    "split",
    "seed",
    "train_accuracy",
    "test_accuracy",
    "generalization_gap",
    "attacks",
    "num_non_members",
    "timing",
    "plan",
    "device",
    "versions",
    "failed_models",
    "notes",
}
ATTACK_KEYS = {
    "auc",
    "auc_ci",
    "balanced_accuracy",
    "advantage",
    "tpr_at_fpr",
    "tpr_at_fpr_ci",
    "tpr_at_zero_fp",
    "per_target",
}
TIMING_KEYS = {"import_s", "compile_s", "train_s", "query_s", "attack_s", "blind_s", "report_s", "total_s"}


def main(monkeypatch, *flags: str) -> int:
    """Exit status of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["lira", *flags])
    try:
        _command.main(lira.run)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "finished"
    process = command(*SMALL, "--out", str(folder))
    assert process.returncode == 0, process.stderr
    return folder, process


def test_the_run_folder_holds_everything_that_was_promised(finished):
    folder, _ = finished
    expected = {
        "config.json",
        "manifest.json",
        "membership.npy",
        "labels.npy",
        "signals.npy",
        "results.json",
        "per_example.parquet",
        "roc.png",
        "report.html",
        "logits",
        "checkpoints",
        "scores",
    }
    assert expected <= {p.name for p in folder.iterdir()}
    assert {p.stem for p in (folder / "scores").iterdir()} == set(ATTACKS)
    for name in ATTACKS:
        scores = np.load(folder / "scores" / f"{name}.npy")
        assert scores.shape == (16, 300) and scores.dtype == np.float32
    assert np.load(folder / "membership.npy").sum(1).tolist() == [150] * 16
    assert np.load(folder / "signals.npy").shape == (16, 300, 1)
    assert np.load(folder / "labels.npy").dtype == np.int32


def test_results_follow_the_contract(finished):
    folder, _ = finished
    results = json.loads((folder / "results.json").read_text())
    assert set(results) >= RESULT_KEYS and set(results["timing"]) == TIMING_KEYS
    assert list(results["attacks"]) == list(ATTACKS)
    for entry in results["attacks"].values():
        assert set(entry) >= ATTACK_KEYS
        assert set(entry["tpr_at_fpr"]) == {"0.0001", "0.001", "0.01"}
        assert entry["auc_ci"][0] <= entry["auc"] <= entry["auc_ci"][1]
    online = results["attacks"]["lira_online"]
    assert online["per_target"]["tpr_at_fpr"]["0.001"] is None, "150 non-members resolve no FPR of 0.001"
    assert any("0.001" in note for note in results["notes"])
    assert results["num_non_members"] == 16 * 150
    assert results["generalization_gap"] == pytest.approx(results["train_accuracy"] - results["test_accuracy"])


def test_figures_can_be_made_again_from_the_files(finished):
    from sklearn.metrics import roc_auc_score

    folder, _ = finished
    results = json.loads((folder / "results.json").read_text())
    member = np.load(folder / "membership.npy")
    for name in ATTACKS:
        scores = np.load(folder / "scores" / f"{name}.npy")
        known = np.isfinite(scores)
        assert results["attacks"][name]["auc"] == pytest.approx(roc_auc_score(member[known], scores[known]), abs=1e-9)


def test_one_row_an_example(finished):
    folder, _ = finished
    table = pq.read_table(folder / "per_example.parquet")
    assert table.num_rows == 300
    assert {"id", "label", "n_in", "n_out", *(f"vulnerability_{name}" for name in ATTACKS)} <= set(table.column_names)
    member = np.load(folder / "membership.npy")
    np.testing.assert_array_equal(table["n_in"].to_numpy(), member.sum(0))
    low, auc = table["auc_new_data_low"].to_numpy(), table["auc"].to_numpy()
    known = np.isfinite(low)
    assert known.any() and (np.abs(low - 0.5) <= np.abs(auc - 0.5) + 1e-12)[known].all()
    said = json.loads((folder / "results.json").read_text())["new_data"]
    assert said["mean_auc_new_data_low"] == pytest.approx(low[known].mean())


def test_the_printed_table_names_every_attack_and_the_report(finished):
    folder, process = finished
    for name in ATTACKS:
        assert name in process.stdout
    assert "non-members" in process.stdout and str(folder / "report.html") in process.stdout
    assert re.search(r"\[0\.\d+, 0\.\d+\]", process.stdout)


def test_help_explains_every_flag_with_its_default():
    process = command("--help")
    assert process.returncode == 0
    text = " ".join(process.stdout.split())
    for flag in (
        "dataset",
        "data_path",
        "model",
        "num_shadows",
        "epochs",
        "batch_size",
        "seed",
        "member_fraction",
        "parallel",
        "out",
        "run",
        "preset",
        "target",
        "lira_mode",
        "split",
        "keep",
        "models",
        "show_records",
    ):
        assert f"--{flag}" in text, flag
    assert "default: 256" in text and "shadow models; each is also a target" in text


def test_a_finished_run_is_scored_again_without_training(finished, monkeypatch, capsys):
    folder, _ = finished
    before = (folder / "signals.npy").read_bytes()
    assert main(monkeypatch, "--run", str(folder), "--lira_mode", "official") == 0
    results = json.loads((folder / "results.json").read_text())
    assert results["lira_mode"] == "official" and results["timing"]["train_s"] == 0.0
    assert (folder / "signals.npy").read_bytes() == before


def test_one_target_stands_alone(finished, monkeypatch):
    folder, _ = finished
    assert main(monkeypatch, "--run", str(folder), "--target", "3") == 0
    results = json.loads((folder / "results.json").read_text())
    assert results["target"] == 3 and results["num_non_members"] == 150
    assert main(monkeypatch, "--run", str(folder)) == 0


BAD = {
    "unknown data set": (["--dataset", "digit"], "digit is unknown"),
    "unknown model": (["--model", "mpl"], "one of"),
    "unknown preset": (["--preset", "digets"], "one of"),
    "no models": (["--num_shadows", "0"], "--num_shadows 0"),
    "fraction": (["--member_fraction", "1.0"], "--member_fraction 1.0"),
    "batch": (["--batch_size", "5000"], "members"),
    "rate": (["--learning_rate", "-1"], "positive"),
    "target": (["--target", "256"], "0..255"),
    "range": (["--models", "9:3"], "FIRST:END"),
    "run": (["--run", "/nonexistent/run"], "not a run folder"),
    "odd pairs": (["--split", "balanced", "--num_shadows", "9"], "even"),
    "queries": (["--queries", "18"], "images"),
    "missing file": (["--dataset", "npz", "--data_path", "/nonexistent.npz"], "nonexistent"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, monkeypatch, capsys, tmp_path):
    flags, told = BAD[case]
    monkeypatch.chdir(tmp_path)
    assert main(monkeypatch, *flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and told in lines[0], lines
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize(
    "flags", [["--num_shadow", "3"], ["--num_shadows", "many"], ["--split", "half"], ["--parallel", "tpu"]]
)
def test_flags_that_do_not_parse_exit_with_2(flags, monkeypatch, capsys):
    assert main(monkeypatch, *flags) == 2


def test_another_configuration_in_a_run_is_refused_and_nothing_changes(finished, monkeypatch, capsys):
    folder, _ = finished
    before = (folder / "results.json").read_bytes(), (folder / "config.json").read_bytes()
    assert main(monkeypatch, *SMALL, "--learning_rate", "0.05", "--out", str(folder)) == 2
    assert "recipe.learning_rate: 0.1 there, 0.05 asked for" in capsys.readouterr().err
    assert before == ((folder / "results.json").read_bytes(), (folder / "config.json").read_bytes())


def test_too_few_models_skip_attacks_by_name(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "few"
    assert main(monkeypatch, *SMALL, "--num_shadows", "1", "--out", str(folder)) == 0
    results = json.loads((folder / "results.json").read_text())
    assert list(results["attacks"]) == ["global_threshold", "gap"]
    assert set(results["attacks_not_run"]) == {"lira_online", "lira_online_fixed", "lira_offline", "lira_offline_fixed"}
    assert any("lira_online was not run" in note for note in results["notes"])


def test_a_data_set_of_ones_own_is_redacted_unless_asked(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    features = (rng.normal(size=(120, 5)) + labels[:, None]).astype(np.float32)
    np.savez(tmp_path / "mine.npz", features=features, labels=labels)
    flags = [
        "--dataset",
        "npz",
        "--data_path",
        str(tmp_path / "mine.npz"),
        "--num_shadows",
        "8",
        "--epochs",
        "2",
        "--batch_size",
        "16",
        "--out",
        str(tmp_path / "r"),
    ]
    assert main(monkeypatch, *flags) == 0
    report = (tmp_path / "r" / "report.html").read_text()
    assert "--show_records" in report


def test_small_data_take_a_smaller_batch_unless_one_is_typed(tmp_path, monkeypatch, capsys):
    flags = ("--max_examples", "101", "--num_shadows", "4", "--epochs", "1", "--out", str(tmp_path / "r"))
    for typed in (("--batch_size", "64"), ("--batch-size=64",)):
        assert main(monkeypatch, *flags, *typed) == 2
        assert "--batch_size 64 is more than a model's 50 members" in capsys.readouterr().err
    assert main(monkeypatch, *flags) == 0
    results = json.loads((tmp_path / "r" / "results.json").read_text())
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert config["recipe"]["batch_size"] == 8
    assert any(note.startswith("Batches hold 8 examples instead of 64") for note in results["notes"])
    capsys.readouterr()
    assert main(monkeypatch, "--run", str(tmp_path / "r")) == 0, "the run's own batch is not chosen again"
