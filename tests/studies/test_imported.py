"""Signals computed elsewhere, attacked as those of a run are."""

import json

import numpy as np
import pytest

from miajax.attacks.registry import run_attack
from miajax.errors import UserError
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
