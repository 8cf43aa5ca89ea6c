"""The study of per-example figures on small campaigns, and what its committed result says."""

import json

import numpy as np
import pytest

from benchmarks.page import RESULTS
from benchmarks.per_record import means, noise, table


def test_leave_one_out_scores_say_too_little_and_signals_the_truth():
    found = noise(16, 0.5, examples=800)
    assert found["truth"] == pytest.approx(0.638, abs=0.001)
    assert found["auc"] == pytest.approx(found["truth"], abs=0.015)
    assert found["lira_online"] == pytest.approx(0.47, abs=0.03)


def test_one_pool_says_too_much_and_the_correction_the_truth():
    found = means(64, 0.0, repeats=3)
    assert found["auc"] > found["truth"] + 0.05
    assert found["auc_new_data"] == pytest.approx(found["truth"], abs=0.025)


def test_the_committed_study_finds_both_biases_and_the_correction():
    content = json.loads((RESULTS / "per_record.json").read_text())
    rows = {row["name"]: row["figures"] for row in content["rows"]}
    assert content["table"] == table(content["rows"])
    for name, found in rows.items():
        if name.startswith("noise") and "8 models" not in name:
            assert found["auc"] == pytest.approx(found["truth"], abs=0.01), name
            assert found["lira_online"] < found["truth"]
        elif name.startswith(("means", "digits")) and "16 models" not in name:
            assert found["auc"] > found["truth"], name
            if "noise 2" not in name:  # there hardly anything is left to correct
                assert abs(found["auc_new_data"] - found["truth"]) < 0.6 * abs(found["auc"] - found["truth"]), name
    assert np.isfinite([value for found in rows.values() for value in found.values()]).all()
