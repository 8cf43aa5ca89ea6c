"""Thresholds per class, learnt on the other models."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from miajax.attacks.class_thresholds import less_class_thresholds
from miajax.data.splits import membership
from tests.oracles.attacks import pair


@pytest.mark.parametrize("split", ["fixed_size", "balanced"])
def test_thresholds_equal_a_search_over_the_other_models_cells(split):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 40).astype(np.int32)
    member = membership(3, 40, 6, split)
    scores = (rng.normal(size=(6, 40)) + member + labels).round(2).astype(np.float32)
    valid = np.array([True, True, False, True, True, True])
    got = scores - np.asarray(less_class_thresholds(scores, labels, member, valid, num_classes=2))
    candidates = np.quantile(scores[valid], (np.arange(256) + 0.5) / 256)
    for target in np.flatnonzero(valid):
        others = valid & ~np.isin(np.arange(6), pair(member, target))
        for label in (0, 1):
            cells = scores[others][:, labels == label]
            inside = member[others][:, labels == label]
            advantage = [(cells[inside] >= c).mean() - (cells[~inside] >= c).mean() for c in candidates]
            chosen = got[target, labels == label]
            reached = (cells[inside] >= chosen[0] - 1e-5).mean() - (cells[~inside] >= chosen[0] - 1e-5).mean()
            assert np.ptp(chosen) < 1e-5 and abs(reached - max(advantage)) < 1e-6


def test_class_thresholds_are_the_best_of_the_other_models_and_put_classes_on_one_scale():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300).astype(np.int32)
    member = membership(1, 300, 10)
    scores = (10.0 * labels + member + 0.3 * rng.normal(size=member.shape)).astype(np.float32)
    calibrated = np.asarray(less_class_thresholds(scores, labels, member, np.ones(10, bool), num_classes=4))
    assert roc_auc_score(member.ravel(), scores.ravel()) < 0.7
    assert roc_auc_score(member.ravel(), calibrated.ravel()) > 0.9
    changed = scores.copy()
    changed[2] = -5.0
    again = np.asarray(less_class_thresholds(changed, labels, member, np.ones(10, bool), num_classes=4))
    np.testing.assert_allclose((scores - calibrated)[2], (changed - again)[2], atol=0.3)
