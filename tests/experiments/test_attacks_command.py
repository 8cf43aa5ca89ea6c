"""All attacks from one command: files, figures, joins, groups, and what bad input is told."""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments import _command, attacks, lira
from miajax.attacks.registry import ATTACKS
from miajax.studies.attacks.study import AttacksOptions, run_attacks_study
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

QUICK = ("global_threshold", "gap", "calibrated", "lira_online_fixed", "base_offline", "bavaria_t", "gradient_norm")


def main(monkeypatch, module, *flags: str) -> int:
    """Exit status of a command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["command", *flags])
    try:
        _command.main(module.run)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that lira scored first and a stranger wrote a column into, then scored by some attacks."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    patch = pytest.MonkeyPatch()
    flags = ("--num_shadows", "16", "--epochs", "3", "--batch-size", "32", "--max_examples", "300")
    assert main(patch, lira, *flags, "--out", str(folder)) == 0
    table = pq.read_table(folder / "per_example.parquet")
    pq.write_table(table.append_column("mine", pa.array(np.arange(300))), folder / "per_example.parquet")
    groups = {"id": np.arange(299), "site": np.where(np.arange(299) % 3, "north", "south")}
    pq.write_table(pa.table(groups), folder.parent / "groups.parquet")
    before = (folder / "results.json").read_bytes()
    own = ("--slice_file", str(folder.parent / "groups.parquet"), "--slice_column", "site")
    status = main(patch, attacks, "--run", str(folder), "--attacks", *QUICK, *own)
    patch.undo()
    assert status == 0
    assert (folder / "results.json").read_bytes() == before, "what lira found stays"
    return folder, json.loads((folder / "attacks" / "results.json").read_text())


def test_every_attack_asked_for_has_scores_and_a_whole_entry(finished):
    folder, results = finished
    assert tuple(results["attacks"]) == QUICK
    for name, entry in results["attacks"].items():
        scores = np.load(folder / "scores" / f"{name}.npy")
        assert scores.shape == (16, 300) and scores.dtype == np.float32
        assert entry["seconds"] > 0 and entry["auc_ci"][0] <= entry["auc"] <= entry["auc_ci"][1]
        assert set(entry["ppv_at_fpr"]) == {"0.0001", "0.001", "0.01"}
        assert set(entry["ppv_at_fpr"]["0.01"]) == {"0.01", "0.1", "0.5"}
        assert set(entry["per_example"]) == {"pooled_fpr", "fpr_dispersion", "rank_stability"}
    reached = results["attacks"]["lira_online_fixed"]["shadow_calibrated"]
    assert reached["0.001"] is None, "150 non-members of a model resolve no FPR of 0.001"
    assert reached["0.01"]["fpr_ci"][0] <= reached["0.01"]["fpr"] <= reached["0.01"]["fpr_ci"][1]
    assert any("calibrated at FPR 0.001" in note for note in results["notes"])


def test_precision_follows_from_the_rates(finished):
    entry = finished[1]["attacks"]["lira_online_fixed"]
    tpr = entry["tpr_at_fpr"]["0.01"]
    chance = entry["chance_tpr_at_fpr"]["0.01"]
    assert entry["ppv_at_fpr"]["0.01"]["0.1"] == pytest.approx(0.1 * tpr / (0.1 * tpr + 0.9 * chance))


def test_groups_are_classes_predictions_quarters_and_the_users_own(finished):
    for entry in finished[1]["attacks"].values():
        slices = entry["slices"]
        assert set(slices) == {"class", "prediction", "centroid_distance", "site"}
        assert set(slices["prediction"]) == {"right", "wrong"} and len(slices["class"]) == 10
        assert set(slices["site"]) == {"north", "south", "unknown"}, "example 299 is in no row of the table"
        members = [group["num_members"] for group in slices["centroid_distance"].values()]
        assert len(members) == 4 and sum(members) == 16 * 150


def test_the_table_of_examples_gains_columns_and_keeps_others(finished):
    table = pq.read_table(finished[0] / "per_example.parquet")
    names = {f"{kind}_{name}" for kind in ("vulnerability", "fpr") for name in QUICK}
    assert names | {"mine", "vulnerability_lira_online"} <= set(table.column_names)
    assert table.num_rows == 300
    assert np.nanmean(table["fpr_calibrated"].to_numpy()) == pytest.approx(0.01, abs=0.005)


def test_the_report_names_every_attack_and_shows_the_most_vulnerable(finished):
    document = Document((finished[0] / "attacks" / "report.html").read_text())
    from miajax.report.attack_faces import face

    for name in QUICK:
        assert any(row[0] == face(name).label and len(row) == 8 for row in document.rows)
        assert ATTACKS[name].source in document.text
    for topic in ("Groups", "Stability", "Most exposed", "What attacks need", "not a proof of safety"):
        assert topic in document.text
    assert "None" not in document.text.replace("None of", "") and "nan" not in document.text.split()
    assert (finished[0] / "attacks" / "roc.png").read_bytes().startswith(b"\x89PNG")


BAD = {
    "unknown": (["--attacks", "lyra"], "lyra is unknown"),
    "no losses": (["--attacks", "gap", "loss_trace_iqr"], "losses"),
    "metric": (["--outlier_metric", "oddity"], "one of"),
    "half a slice": (["--slice_column", "site"], "or --slice_file beside it"),
    "no such file": (["--slice_file", "absent.parquet", "--slice_column", "site"], "does not exist"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_is_overwritten(case, finished, monkeypatch, capsys):
    flags, told = BAD[case]
    before = (finished[0] / "attacks" / "results.json").read_bytes()
    assert main(monkeypatch, attacks, "--run", str(finished[0]), *flags) == 2
    lines = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and told in lines[0], lines
    assert (finished[0] / "attacks" / "results.json").read_bytes() == before


def test_what_was_not_kept_is_skipped_by_name(tmp_path):
    result = run_attacks_study(small(4, keep=()), tmp_path / "bare", AttacksOptions(outlier_metric="forgetting"))
    skipped = result.results["attacks_not_run"]
    assert {"rmia_online", "entropy", "gradient_norm", "loss_trace_iqr", "quantile"} <= set(skipped)
    assert "logits" in skipped["rmia_online"]
    assert {"gap", "calibrated", "attack_p"} <= set(result.results["attacks"])
    notes = " ".join(result.results["notes"])
    assert "rmia_online was not run" in notes and "by forgetting are missing" in notes


def test_losses_that_were_kept_are_attacked(tmp_path):
    options = AttacksOptions(attacks=("loss_trace_iqr", "gap"), outlier_metric=None)
    result = run_attacks_study(small(8, keep=("losses",)), tmp_path / "traced", options)
    scores = result.scores["loss_trace_iqr"]
    losses = result.campaign.folder.gather("losses", 8)
    np.testing.assert_allclose(scores, np.subtract(*np.quantile(losses, [0.75, 0.25], axis=1)), rtol=1e-4, atol=1e-6)


def test_the_blind_baseline_and_the_search_for_copies_run_with_it(finished):
    folder, results = finished
    low, high = results["blind"]["classifiers"]["linear"]["auc_ci"]
    assert low < 0.5 < high
    assert results["near_duplicates"]["non_members"]["count"] == 150
    report = (folder / "attacks" / "report.html").read_text()
    assert "Without the model, ridge regression did not measurably tell members from non-members" in report
