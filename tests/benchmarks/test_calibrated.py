"""The studies of per-record calibration and of stability on a few campaigns, and what their committed results say."""

import json

import pytest

from benchmarks import calibrated, stability
from benchmarks.page import RESULTS
from miajax.metrics.figures import fpr_key


def test_the_truth_is_the_normal_tail_beyond_each_records_own_threshold():
    assert calibrated.truth("no leak", 0.01) == pytest.approx(0.01)
    assert calibrated.truth("alike", 0.01) == pytest.approx(0.0519, abs=1e-3)  # 1 - Phi(2.3263 - 0.7)


def test_coverage_counts_intervals_that_hold_the_mean():
    each = [{"x": (value, value - 0.1, value + 0.1)} for value in (0.0, 0.5, 0.55, 0.6, 1.0)]
    found = calibrated.coverage([*each, *each])["x"]
    assert found["mean"] == pytest.approx(0.53)
    assert (found["covered"], found["below"], found["above"]) == (0.6, 0.2, 0.2)
    assert calibrated.coverage([{"x": (0.0, 0.0, 1.0)}, {}]) == {}


def test_a_campaign_gives_every_figure_with_an_interval_around_it():
    found = calibrated.measured("strong", 16, 200, seed=0)
    assert {f"signal {key}" for key in ("auc", "0.01")} <= set(found)
    assert all(low <= value <= high for value, low, high in found.values())
    found = stability.measured("strong", 16, 200, seed=0, targets=3)
    assert {"found_by_any", "flips", "shared_top"} <= set(found)
    assert all(low <= value <= high for value, low, high in found.values())


def test_the_committed_study_finds_the_signal_right_and_attacks_scores_too_low():
    content = json.loads((RESULTS / "calibrated.json").read_text())
    assert content["table"] == calibrated.table(content["rows"])
    for row in content["rows"]:
        of, true = row["figures"], row["truth"]
        if row["name"].endswith("no leak"):
            assert of["signal 0.01"]["mean"] == pytest.approx(true["0.01"], rel=0.05), row["name"]
            assert of["signal 0.001"]["mean"] == pytest.approx(true["0.001"], rel=0.15), row["name"]
            assert of["lira_online 0.01"]["mean"] < 0.5 * true["0.01"]
        for fpr in calibrated.FPRS:
            assert of[f"signal {fpr_key(fpr)}"]["covered"] >= 0.93, row["name"]


def test_intervals_of_the_committed_study_of_stability_cover():
    content = json.loads((RESULTS / "stability.json").read_text())
    assert content["table"] == stability.table(content["rows"])
    assert all(of["covered"] >= 0.9 for row in content["rows"] for of in row["figures"].values())
