"""The coverage study on a few campaigns, and what its committed result says."""

import json

import pytest

from benchmarks.coverage import COLUMNS, coverage, table
from benchmarks.page import RESULTS


def test_shares_of_campaigns_add_up():
    found = coverage("alike", num_models=8, num_examples=200, campaigns=4)
    assert set(found) <= set(COLUMNS)
    for share in found.values():
        assert share["covered"] + share["below"] + share["above"] == pytest.approx(1.0)
        assert share["median_width"] > 0.0
    row = table([{"name": "x", "figures": found}])[1]
    assert row[0] == "x" and row[1] == f"{found['auc']['covered']:.3f}"
    assert row[list(COLUMNS).index("tpr_at_0.001") + 1] == "null"  # 800 non-members do not resolve it


def test_intervals_of_the_committed_study_cover():
    content = json.loads((RESULTS / "coverage.json").read_text())
    shares = [share["covered"] for row in content["rows"] for share in row["figures"].values()]
    assert len(content["rows"]) == 30 and content["campaigns"] >= 300
    assert min(shares) >= 0.90
    low_rate = next(r for r in content["rows"] if r["name"] == "16 models, few exposed")["figures"]["tpr_at_0.001"]
    assert low_rate["covered"] >= 0.94
    assert content["table"] == table(content["rows"])
