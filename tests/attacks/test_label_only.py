"""The likelihood ratio on predicted classes alone."""

import numpy as np
import pytest

from miajax.attacks.label_only import label_ratio_scores
from miajax.data.splits import membership
from tests.oracles.attacks import pair


def oracle(correct: np.ndarray, member: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """One target and one example at a time, in float64."""
    scores = np.full(member.shape, np.nan)
    for t in np.flatnonzero(valid):
        for x in range(member.shape[1]):
            others = [m for m in np.flatnonzero(valid) if m not in pair(member, t)]
            shares = []
            for side in (True, False):
                alike = [correct[m, x] == correct[t, x] for m in others if member[m, x] == side]
                shares.append((sum(alike) + 0.5) / (len(alike) + 1))
            scores[t, x] = np.log(shares[0] / shares[1])
    return scores


@pytest.mark.parametrize(("models", "examples"), [(1, 5), (2, 3), (9, 17)])
def test_scores_are_those_of_the_naive_loop(models, examples):
    rng = np.random.default_rng(models)
    correct, member = rng.random((2, models, examples)) < 0.6
    valid = np.arange(models) != 4
    np.testing.assert_allclose(
        label_ratio_scores(correct, member, valid), oracle(correct, member, valid), rtol=1e-5, atol=1e-6
    )


def test_a_partner_enters_no_share():
    correct, member = np.random.default_rng(3).random((10, 40)) < 0.6, membership(1, 40, 10, "balanced")
    valid = np.arange(10) != 4
    np.testing.assert_allclose(
        label_ratio_scores(correct, member, valid), oracle(correct, member, valid), rtol=1e-5, atol=1e-6
    )


def test_an_answer_that_only_members_give_scores_as_a_member():
    member = np.arange(12)[:, None] % 2 == np.zeros((1, 30))
    correct = member.copy()
    scores = np.asarray(label_ratio_scores(correct, member, np.ones(12, bool)))
    assert scores[member].min() > 0 > scores[~member].max()


def test_random_answers_say_nothing_of_membership():
    rng = np.random.default_rng(0)
    member = np.argsort(rng.random((20, 2000)), 1) < 1000
    correct = rng.random((20, 2000)) < 0.8
    scores = np.asarray(label_ratio_scores(correct, member, np.ones(20, bool)))
    assert abs(scores[member].mean() - scores[~member].mean()) < 0.03
