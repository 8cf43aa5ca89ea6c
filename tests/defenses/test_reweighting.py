import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.defenses.reweighting import logit_centroids, reweight_logits
from tests.oracles import defenses as oracle

RNG = np.random.default_rng(0)
LABELS = np.arange(40).astype(np.int32) % 4
LOGITS = (RNG.normal(size=(40, 5)) + 3 * np.eye(5)[LABELS]).astype(np.float32)  # nobody carries label 4
MEMBER = RNG.random(40) < 0.5
CENTROIDS = np.asarray(logit_centroids(LOGITS, LABELS, MEMBER))


def _close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_centroids_are_means_over_the_members_of_each_label():
    _close(CENTROIDS, oracle.logit_centroids(LOGITS.astype(np.float64), LABELS, MEMBER))
    _close(logit_centroids(LOGITS, LABELS), oracle.logit_centroids(LOGITS, LABELS, np.ones(40, bool)))
    assert np.isnan(CENTROIDS[4]).all()


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_answers_equal_the_naive_formula(weight):
    wide = CENTROIDS.astype(np.float64)
    got = reweight_logits(LOGITS, CENTROIDS, weight)
    _close(got, [oracle.reweight(z, wide, weight) for z in LOGITS.astype(np.float64)])


def test_weight_zero_answers_with_the_centroid():
    predicted = LOGITS.argmax(1)
    known = predicted < 4
    _close(reweight_logits(LOGITS, CENTROIDS, 0.0)[known], CENTROIDS[predicted[known]])


def test_a_centroid_is_its_own_answer_at_any_weight():
    for weight in (0.0, 0.1, 1.0):
        _close(reweight_logits(CENTROIDS[:4], CENTROIDS, weight), CENTROIDS[:4])


def test_a_class_without_a_centroid_keeps_its_answers():
    alone = np.float32([[0, 0, 0, 0, 9], [9, 0, 0, 0, 0]])
    got = np.asarray(reweight_logits(alone, CENTROIDS))
    np.testing.assert_array_equal(got[0], alone[0])
    assert np.abs(got[1] - alone[1]).max() > 1


def test_predictions_stay_where_the_answer_points_along_a_centroid_that_names_its_class():
    logits = RNG.normal(size=(2000, 5)).astype(np.float32)
    centroids = np.float32(RNG.normal(size=(5, 5)) + 6 * np.eye(5))
    assert (centroids.argmax(1) == np.arange(5)).all()
    for weight in (0.1, 1.0):
        chosen = logits.argmax(1)
        along = (logits * centroids[chosen]).sum(1) >= 0
        after = np.asarray(reweight_logits(logits, centroids, weight)).argmax(1)
        np.testing.assert_array_equal(after[along], chosen[along])
        assert along.any() and (~along).any()


def test_an_answer_that_points_away_is_mirrored_behind_the_centroid():
    centroids = np.float32([[1.0, 0.9], [0.0, 1.0]])
    away = np.float32([-1.0, -30.0])  # predicts class 0 and points away from its centroid
    cosine = away @ centroids[0] / (np.linalg.norm(away) * np.linalg.norm(centroids[0]))
    got = np.asarray(reweight_logits(away, centroids, 1.0))
    assert cosine < 0
    _close(got, centroids[0] - abs(cosine) * (away - centroids[0]))
    assert got.argmax() == 1  # the prediction changed, though the centroid names class 0


def test_the_zero_vector_is_answered_with_the_centroid_not_nan():
    _close(reweight_logits(np.zeros(5, np.float32), CENTROIDS, 0.5), CENTROIDS[0])


def test_any_leading_axes_and_many_models_work_under_jit_and_vmap():
    logits = RNG.normal(size=(3, 40, 2, 5)).astype(np.float32)

    def defended(z, member):
        return reweight_logits(z, logit_centroids(z[:, 0], jnp.asarray(LABELS), member))

    members = RNG.random((3, 40)) < 0.5
    got = jax.jit(jax.vmap(defended))(logits, members)
    assert got.shape == logits.shape
    _close(got[1], defended(logits[1], members[1]))
