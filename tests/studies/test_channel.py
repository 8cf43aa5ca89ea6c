"""Answers of a target from elsewhere, and shadow models seen as it is seen."""

import numpy as np
import pytest
from scipy.special import softmax

from miajax.studies.target.channel import Channel
from miajax.studies.target.file import Target, rounded_to


def answers(n: int = 60, classes: int = 5, scale: float = 4.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, classes)) * scale, rng.integers(0, classes, n)


def target_of(rows: np.ndarray, kind: str = "probabilities", decimals: int | None = None) -> Target:
    n = len(rows)
    return Target(np.arange(n), np.arange(n) % 2 == 0, kind, rows, decimals)


@pytest.mark.parametrize("decimals", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_recognised_in_either_precision(decimals, dtype):
    rows = softmax(answers()[0], -1).round(decimals).astype(dtype)
    assert rounded_to(rows.astype(np.float64)) == decimals


def test_unrounded_numbers_are_not_taken_for_rounded_ones():
    assert rounded_to(softmax(answers()[0], -1).astype(np.float32).astype(np.float64)) is None


def test_a_model_seen_through_rounding_shows_what_its_own_rounded_probabilities_show():
    logits, labels = answers(scale=6.0)
    rows = softmax(logits, -1).round(3)
    target = target_of(rows.astype(np.float32).astype(np.float64), decimals=3)
    channel = Channel.of(target)
    ours, theirs = channel.logits(logits, labels), channel.target(target, labels)
    np.testing.assert_array_equal(ours.scaled_logit, theirs.scaled_logit)
    np.testing.assert_array_equal(ours.logits, theirs.logits)
    np.testing.assert_array_equal(ours.correct, theirs.correct)


def test_probabilities_of_exactly_0_and_1_lie_at_the_bound_and_tie():
    rows = np.array([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[0.999, 0.001]], [[0.5, 0.5]]])
    labels = np.zeros(5, int)
    channel = Channel.of(target_of(rows, decimals=3))
    phi = channel.target(target_of(rows, decimals=3), labels).scaled_logit[:, 0]
    bound = np.log(0.9995 / 0.0005)
    np.testing.assert_allclose(phi, [bound, bound, -bound, np.log(999), 0.0], rtol=1e-6, atol=1e-7)
    assert phi[0] == phi[1] and np.isfinite(phi).all()
    assert channel.saturated(phi).tolist() == [True, True, True, False, False]


def test_exact_zeros_among_unrounded_numbers_are_clipped_at_half_the_smallest_distance_that_is_told():
    rows = np.array([[[1.0, 0.0]], [[1 - 1e-9, 1e-9]], [[0.3, 0.7]], [[0.0, 1.0]]])
    labels = np.zeros(4, int)
    target = target_of(rows)
    channel = Channel.of(target)
    phi = channel.target(target, labels).scaled_logit[:, 0]
    assert phi[0] == pytest.approx(np.log(2e9), rel=1e-6) and phi[3] == -phi[0]
    assert phi[1] == pytest.approx(np.log(1e9), rel=1e-6)
    seen = channel.logits(np.array([[[60.0, -60.0]], [[0.0, 2.0]]]), np.zeros(2, int))
    np.testing.assert_allclose(seen.scaled_logit[:, 0], [phi[0], -2.0], rtol=1e-6)


def test_a_forest_s_answers_are_clipped_by_the_votes_that_they_show_and_shadow_models_with_them():
    votes = np.array([[64, 0], [63, 1], [32, 32], [1, 63], [0, 64]])
    labels = np.zeros(5, int)
    target = target_of(votes[:, None] / 64, decimals=6)  # 1/64 takes six decimals
    channel = Channel.of(target)
    bound = np.log(127)  # 1/128
    np.testing.assert_allclose(
        channel.target(target, labels).scaled_logit[:, 0], [bound, np.log(63), 0, -np.log(63), -bound], rtol=1e-5
    )
    seen = channel.logits(np.array([[[60.0, -60.0]], [[0.0, 1.0]]]), np.zeros(2, int))
    np.testing.assert_allclose(seen.scaled_logit[:, 0], [bound, -1.0], rtol=1e-4)


def test_shadow_models_that_are_clipped_more_coarsely_clip_the_target_too():
    labels = np.zeros(2, int)
    target = target_of(np.array([[[9.0, 0.0]], [[0.0, 1.0]]]), "logits")
    seen = Channel.of(target, 0.05).target(target, labels)
    np.testing.assert_allclose(seen.scaled_logit[:, 0], [np.log(19), -1.0], rtol=1e-5)
    np.testing.assert_allclose(seen.logits[0, 0, 1], np.log(0.05), rtol=1e-5)


def test_unrounded_probabilities_lose_nothing_to_logits():
    logits, labels = answers(scale=3.0)
    target = target_of(softmax(logits, -1))
    channel = Channel.of(target)
    seen, exact = channel.target(target, labels), Channel("logits").logits(logits, labels)
    np.testing.assert_allclose(seen.scaled_logit, exact.scaled_logit, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(seen.correct, exact.correct)
    assert channel.bound is None


def test_scaled_logits_alone_are_seen_as_the_logits_behind_them_are():
    logits, labels = answers(scale=6.0)
    exact = Channel("logits").logits(logits, labels).scaled_logit
    target = target_of(softmax(logits, -1).round(2), decimals=2)
    channel = Channel.of(target)
    np.testing.assert_array_equal(channel.scaled_logit(exact), channel.logits(logits, labels).scaled_logit)


def test_a_tie_for_the_likeliest_class_counts_as_right_for_all_models_alike():
    rows = np.array([[[0.5, 0.5, 0.0]], [[0.4, 0.2, 0.4]], [[0.6, 0.4, 0.0]]])
    labels = np.array([1, 2, 1])
    channel = Channel.of(target_of(rows, decimals=1))
    assert channel.target(target_of(rows, decimals=1), labels).correct.tolist() == [True, True, False]


def test_classes_alone_show_right_or_wrong_and_nothing_else():
    logits, labels = answers()
    channel = Channel("labels")
    seen = channel.logits(logits, labels)
    assert seen.scaled_logit is None and seen.logits is None
    np.testing.assert_array_equal(seen.correct, logits[:, 0].argmax(1) == labels)
