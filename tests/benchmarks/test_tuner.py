"""The search for a plan is judged against all candidates that ran."""

import pytest

from benchmarks import tuner

pytestmark = pytest.mark.slow


def test_choice_and_rule_are_compared_with_the_best_candidate(monkeypatch):
    monkeypatch.setattr(tuner, "NETWORKS", {"mlp": ((8,), 3, 8)})
    monkeypatch.setattr(tuner, "ROUNDS", 2)
    monkeypatch.setattr(tuner, "MODELS", 32)
    search, choice, rule, ranking = tuner.judge("mlp")
    assert "search over" in search.name and 0 < search.ours[0] < 60
    assert len(choice.ours) == 2 and max(choice.ours) > 0 and max(rule.ours) >= 0
    assert ranking.higher_is_better and len(ranking.ours) == 2
