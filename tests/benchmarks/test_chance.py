"""The study of false alarms on a few campaigns, and what its committed result says."""

import json

from benchmarks.chance import alarms, table
from benchmarks.page import RESULTS


def test_noise_is_at_chance_in_a_few_campaigns():
    found = alarms("attack_p", num_models=8, num_examples=400, campaigns=6)
    assert found["0.01 of a target"]["chance"] == 3 / 201
    assert found["0.01"]["above_chance"] <= found["0.01"]["above_fpr"]
    assert table([{"name": "x", "figures": found}])[1][0] == "x"


def test_the_committed_study_alarms_about_as_often_as_promised():
    content = json.loads((RESULTS / "chance.json").read_text())
    figures = [found for row in content["rows"] for found in row["figures"].values()]
    assert len(content["rows"]) == 18
    assert max(found["above_chance"] for found in figures) <= 0.07  # of 150 campaigns; nominal .025
    assert sum(found["above_chance"] for found in figures) / len(figures) < 0.025
    assert max(found["above_fpr"] for found in figures) > 0.1  # what was judged before
    assert content["table"] == table(content["rows"])
