"""The search for a plan is judged against all candidates that ran."""

import pytest

from benchmarks import tuner
from miajax.training.tuner import Trial

NETWORK = {"mlp": ((8,), 3, 8)}


def test_choice_and_rule_are_compared_with_the_best_candidate(monkeypatch):
    """Chunks of 4 won the search by chance; measured again, those of 2 are best, and those of 1 too slow to matter."""
    speeds = {4: 80.0, 2: 100.0, 8: 50.0}

    class Again:
        def __init__(self, trainer, dataset, plan, candidate):
            self.chunk = candidate.chunk

        def speed(self):
            return speeds[self.chunk]

    found = [Trial("cpu", chunk, speed, 0.1) for chunk, speed in ((4, 101.0), (2, 99.0), (8, 60.0), (1, 40.0))]
    monkeypatch.setattr(tuner, "NETWORKS", NETWORK)
    monkeypatch.setattr(tuner, "ROUNDS", 2)
    monkeypatch.setattr(tuner, "tune", lambda *_, **__: found)
    monkeypatch.setattr(tuner, "Measured", Again)
    _, choice, rule, ranking = tuner.judge("mlp")
    assert "(cpu x chunks of 4)" in choice.name and choice.ours == [0.8, 0.8]
    assert "(cpu x chunks of 8)" in rule.name and rule.ours == [0.5, 0.5]
    assert ranking.ours == [80.0, 80.0]
    assert ranking.rivals == {"cpu x chunks of 2": [100.0, 100.0], "cpu x chunks of 8": [50.0, 50.0]}


@pytest.mark.slow
def test_a_real_search_ends_within_its_budget(monkeypatch):
    monkeypatch.setattr(tuner, "NETWORKS", NETWORK)
    monkeypatch.setattr(tuner, "ROUNDS", 2)
    monkeypatch.setattr(tuner, "MODELS", 32)
    search, choice, _, ranking = tuner.judge("mlp")
    assert "search over" in search.name and 0 < search.ours[0] < 60
    assert len(choice.ours) == len(ranking.ours) == 2 and min(ranking.ours) > 0
