import jax
import numpy as np
import pytest

from miajax.defenses.inversion import undo_reweighting
from miajax.defenses.reweighting import reweight_logits
from tests.oracles import defenses as oracle

RNG = np.random.default_rng(0)
CENTROIDS = RNG.normal(size=(6, 6)) + 8 * np.eye(6)


def logits_near(share, spread):
    """Logits that lie at a share of their centroid's length, and somewhat beside it."""
    chosen = RNG.integers(6, size=500)
    logits = share * CENTROIDS[chosen] + spread * RNG.normal(size=(500, 6))
    return logits[logits.argmax(1) == chosen]


@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(("share", "spread"), [(1.0, 1.0), (3.0, 4.0), (0.7, 0.5)])
def test_random_logits_come_back(weight, share, spread):
    logits = logits_near(share, spread)
    assert len(logits) > 300
    answers = np.array([oracle.reweight(z, CENTROIDS, weight) for z in logits])
    np.testing.assert_allclose(undo_reweighting(answers, CENTROIDS, weight), logits, atol=1e-5)


def test_answers_in_single_precision_come_back_as_well_as_they_can():
    logits = logits_near(1.0, 1.0).astype(np.float32)
    centroids = CENTROIDS.astype(np.float32)
    answers = np.asarray(jax.jit(reweight_logits)(logits, centroids, 0.1))
    np.testing.assert_allclose(undo_reweighting(answers, centroids, 0.1), logits, atol=1e-3)


@pytest.mark.filterwarnings("error")
def test_whatever_comes_back_gives_the_same_answer_even_where_two_logits_do():
    logits = RNG.normal(size=(4000, 6))
    answers = np.array([oracle.reweight(z, CENTROIDS, 0.1) for z in logits])
    ahead = (logits * CENTROIDS[logits.argmax(1)]).sum(1) > 0
    back = undo_reweighting(answers, CENTROIDS, 0.1)[ahead]
    again = np.array([oracle.reweight(z, CENTROIDS, 0.1) for z in back])
    np.testing.assert_allclose(again, answers[ahead], atol=1e-6)
    other = np.abs(back - logits[ahead]).max(1) > 1e-3
    assert 0 < other.mean() < 1
    from_centroid = [np.linalg.norm(z - CENTROIDS[answers[ahead].argmax(1)], axis=1) for z in (back, logits[ahead])]
    assert (from_centroid[0] <= from_centroid[1] + 1e-6).all(), "of two, the nearer one"


@pytest.mark.filterwarnings("error")
def test_a_centroid_and_a_class_without_one_are_their_own_logits():
    gone = CENTROIDS.copy()
    gone[5] = np.nan
    np.testing.assert_allclose(undo_reweighting(gone[:5], gone, 0.1), gone[:5])
    alone = np.array([[0.0, 0, 0, 0, 0, 9]])
    np.testing.assert_array_equal(undo_reweighting(alone, gone, 0.1), alone)
