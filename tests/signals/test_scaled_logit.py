"""Signals of a prediction against float64 definitions, at logits where probabilities have no digits left."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from miajax.estimators.answers import logits_of
from miajax.signals import scaled_logit as signals
from tests.oracles import attacks as oracle

RNG = np.random.default_rng(0)
LOGITS = (RNG.normal(size=(5, 7, 3, 4)) * 3).astype(np.float32)
LABELS = RNG.integers(0, 4, 7)


def _wide(labels):
    return labels[:, None]


def test_scaled_logit_is_the_log_odds_of_the_label():
    got = signals.scaled_logit(jnp.asarray(LOGITS), _wide(LABELS))
    p = special.softmax(LOGITS.astype(np.float64), -1)
    p_y = np.take_along_axis(p, np.broadcast_to(LABELS[:, None, None], (5, 7, 3, 1)), -1)[..., 0]
    np.testing.assert_allclose(got, np.log(p_y / (1 - p_y)), rtol=2e-5, atol=2e-6)


def test_scaled_logit_equals_its_slow_twin_and_keeps_its_shape():
    got = np.asarray(signals.scaled_logit(jnp.asarray(LOGITS), _wide(LABELS)))
    assert got.shape == (5, 7, 3) and got.dtype == np.float32
    want = [oracle.scaled_logit(LOGITS[i, n, q], LABELS[n]) for i in range(5) for n in range(7) for q in range(3)]
    np.testing.assert_allclose(got.ravel(), want, rtol=2e-6, atol=2e-6)


def test_scaled_logit_ignores_a_shift_of_all_logits():
    shifted = signals.scaled_logit(jnp.asarray(LOGITS + np.float32(64)), _wide(LABELS))
    np.testing.assert_allclose(shifted, signals.scaled_logit(jnp.asarray(LOGITS), _wide(LABELS)), atol=3e-5)


@pytest.mark.parametrize(
    "row, label", [([1e4, 0, -1e4], 0), ([1e4, 0, -1e4], 2), ([-1e4, -1e4, 1e4], 0), ([1e4, 1e4, 1e4], 1)]
)
def test_every_signal_is_finite_and_right_at_logits_of_ten_thousand(row, label):
    z, y = jnp.asarray([row], jnp.float32), np.array([label])
    phi = signals.scaled_logit(z, y)
    want = oracle.scaled_logit(np.array(row), label)
    np.testing.assert_allclose(phi[0], want, rtol=1e-6)
    np.testing.assert_allclose(signals.loss(phi)[0], np.logaddexp(0, -want), rtol=1e-6)
    for value in (signals.hinge(z, y), signals.entropy(z), signals.modified_entropy(z, y)):
        assert np.isfinite(value).all()


def test_loss_is_the_cross_entropy():
    loss = signals.loss(signals.scaled_logit(jnp.asarray(LOGITS), _wide(LABELS)))
    log_p = special.log_softmax(LOGITS.astype(np.float64), -1)
    want = -np.take_along_axis(log_p, np.broadcast_to(LABELS[:, None, None], (5, 7, 3, 1)), -1)[..., 0]
    np.testing.assert_allclose(loss, want, rtol=1e-5)


def test_entropies_equal_their_definitions():
    z = LOGITS[:, :, 0]
    p = special.softmax(z.astype(np.float64), -1)
    np.testing.assert_allclose(signals.entropy(jnp.asarray(z)), -(p * np.log(p)).sum(-1), rtol=1e-5)
    own = LABELS[:, None] == np.arange(4)
    want = -np.where(own, (1 - p) * np.log(p), p * np.log1p(-p)).sum(-1)
    np.testing.assert_allclose(signals.modified_entropy(jnp.asarray(z), LABELS), want, rtol=1e-5)


def test_modified_entropy_keeps_its_digits_where_the_prediction_is_certain():
    z = np.array([[18.0, 0.0, -1.0]])
    p = special.softmax(z, -1)
    rest = special.logsumexp(z[:, 1:], -1) - special.logsumexp(z, -1)  # log(1 - p_0)
    wrong = -(p[0, 0] * rest[0] + (1 - p[0, 1]) * np.log(p[0, 1]) + p[0, 2] * np.log1p(-p[0, 2]))
    got = signals.modified_entropy(jnp.asarray(z, jnp.float32), np.array([1]))
    np.testing.assert_allclose(got[0], wrong, rtol=1e-5)


def test_hinge_is_the_margin_over_the_best_other_class():
    got = signals.hinge(jnp.asarray([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5]]), np.array([0, 1]))
    np.testing.assert_array_equal(got, np.float32([0.5, -2.0]))


def test_correct_counts_the_first_of_equal_logits_as_the_prediction():
    got = signals.correct(jnp.asarray([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0]]), np.array([0, 1, 1]))
    np.testing.assert_array_equal(got, [True, False, True])


def test_probabilities_give_the_same_scaled_logit_as_their_logits():
    p = special.softmax(LOGITS.astype(np.float64), -1).astype(np.float32)
    got = signals.scaled_logit(logits_of("probabilities", p), _wide(LABELS))
    np.testing.assert_allclose(got, signals.scaled_logit(jnp.asarray(LOGITS), _wide(LABELS)), atol=1e-4)


def test_probabilities_of_exactly_zero_and_one_are_capped_where_published_code_caps_them():
    z = logits_of("probabilities", np.array([[1.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_allclose(signals.scaled_logit(z, np.array([0, 1])), [103.6, -103.6], rtol=1e-6)
    y = np.array([0, 1])
    for value in (signals.entropy(z), signals.modified_entropy(z, y), signals.hinge(z, y)):
        assert np.isfinite(value).all()


def test_a_certain_probability_keeps_the_digits_of_its_complement():
    z = logits_of("probabilities", np.array([[1.0, 1e-12, 2e-12]]))
    np.testing.assert_allclose(signals.scaled_logit(z, np.array([0])), -np.log(3e-12), rtol=1e-6)
