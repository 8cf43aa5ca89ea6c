"""Attacks at several budgets from one command: files, sets, differences, and what bad input is told."""

import json

import numpy as np
import pytest

from experiments import low_budget
from miajax.attacks.registry import run_attacks
from miajax.campaign.run import run_campaign
from miajax.metrics.roc import roc_curve, tpr_at_fpr
from miajax.signals.bundle import Signals
from miajax.studies.disjoint import disjoint_sets
from miajax.studies.low_budget.study import LowBudgetOptions, run_low_budget
from tests.experiments.test_attacks_command import main
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

ATTACKS = ("global_threshold", "calibrated", "lira_online", "lira_online_fixed", "bavaria_t")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_campaign(small(16), folder)
    patch = pytest.MonkeyPatch()
    assert main(patch, low_budget, "--run", str(folder), "--attacks", *ATTACKS, "--fpr", "0.01") == 0
    patch.undo()
    return folder, json.loads((folder / "low_budget" / "results.json").read_text())


def test_budgets_are_powers_of_two_and_sets_fill_the_run(finished):
    _, results = finished
    assert results["budgets"] == [2, 4, 8, 16]
    found = results["attacks"]["calibrated"]["budgets"]
    assert {budget: entry["num_sets"] for budget, entry in found.items()} == {"2": 8, "4": 4, "8": 2, "16": 1}
    for entry in found.values():
        value, (low, high) = entry["tpr_at_fpr"]["0.01"], entry["tpr_at_fpr_ci"]["0.01"]
        assert low <= value <= high


def test_figures_are_means_over_disjoint_sets_scored_by_themselves(finished):
    folder, results = finished
    campaign = run_campaign(small(16), folder)
    rates = []
    for rows in np.split(np.arange(16), 4):
        member, valid = campaign.member[rows], np.ones(4, bool)
        signals = Signals(campaign.signals[rows], campaign.correct[rows], campaign.setup.dataset.labels)
        scores, _ = run_attacks(["calibrated"], signals, member, valid)["calibrated"]
        rates.append(tpr_at_fpr(roc_curve(np.where(np.isfinite(scores), scores, -np.inf), member), 0.01))
    entry = results["attacks"]["calibrated"]["budgets"]["4"]
    assert entry["tpr_at_fpr"]["0.01"] == pytest.approx(np.mean(rates))


def test_differences_are_those_of_the_means_and_name_every_pair(finished):
    _, results = finished
    for budget, differences in results["differences"].items():
        there = [name for name, entry in results["attacks"].items() if budget in entry["budgets"]]
        assert len(differences) == len(there) * (len(there) - 1) // 2
        for each in differences:
            one, other = (results["attacks"][each[side]]["budgets"][budget]["auc"] for side in ("attack", "minus"))
            assert each["auc"] == pytest.approx(one - other)
            assert each["auc_ci"][0] <= each["auc"] <= each["auc_ci"][1]


def test_attacks_that_a_budget_is_too_small_for_are_named(finished):
    _, results = finished
    assert "2" not in results["attacks"]["lira_online"]["budgets"]
    assert any("lira_online was not run on 2 models" in note for note in results["notes"])
    assert "16" in results["attacks"]["lira_online"]["budgets"]


def test_the_report_stands_alone_and_recommends(finished):
    folder, results = finished
    document = Document((folder / "low_budget" / "report.html").read_text())
    assert "script" not in document.tags and "Finds the most" in document.text
    assert all(result["attack"] in results["attacks"] for result in results["recommended"].values())
    assert "None" not in document.text and "nan" not in document.text.split()
    assert (folder / "low_budget" / "power.png").read_bytes().startswith(b"\x89PNG")


BAD = {
    "unknown": (["--attacks", "lyra", "gap"], "lyra is unknown"),
    "one attack": (["--attacks", "gap"], "2 or more"),
    "trains": (["--attacks", "gap", "quantile"], "trains networks"),
    "too many models": (["--budgets", "32"], "at most the run's 16"),
    "one model": (["--budgets", "1"], "2 or more"),
    "rate": (["--fpr", "1.5"], "between 0 and 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, finished, monkeypatch, capsys):
    flags, told = BAD[case]
    assert main(monkeypatch, low_budget, "--run", str(finished[0]), *flags) == 2
    lines = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and told in lines[0], lines


def test_a_rate_that_sets_cannot_resolve_is_null_and_said(finished):
    options = LowBudgetOptions(attacks=("global_threshold", "calibrated"), budgets=(2,), fpr=1e-5)
    results = run_low_budget(small(16), finished[0], options).results
    assert results["attacks"]["calibrated"]["budgets"]["2"]["tpr_at_fpr"] == {"0.00001": None}
    assert results["recommended"]["2"]["by"] == "auc"
    assert any("null on 2 models" in note for note in results["notes"])


def test_sets_share_no_model_and_leave_diverged_ones_out():
    valid = np.arange(11) != 3
    sets = disjoint_sets(valid, 3, 16)
    assert [ids.tolist() for ids in sets] == [[0, 1, 2], [4, 5, 6], [7, 8, 9]]
    assert len(disjoint_sets(valid, 2, 4)) == 4
