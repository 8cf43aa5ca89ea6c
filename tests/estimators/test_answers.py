"""What estimators can express, and how their answers become scaled logits."""

import numpy as np
import pytest

from miajax.estimators.answers import Clip, clip_of, clipped, logits_of, unclipped_logit


def two(p) -> np.ndarray:
    p = np.asarray(p)
    return np.stack([1 - p, p], 1)


def test_votes_of_trees_are_clipped_at_half_a_vote():
    answers = two([0.0, 0.02, 0.5, 0.98, 1.0])
    assert clip_of("probabilities", answers, (50,)) == Clip(0.01, "votes", 50)


def test_rounding_is_found_from_the_grid_of_answers():
    answers = two(np.round(np.random.default_rng(0).beta(0.2, 0.2, 500), 2))
    assert clip_of("probabilities", answers, ()) == Clip(0.005, "grid", 100)


def test_boosted_trees_are_no_voters_though_their_settings_count_them():
    answers = two(np.append(np.random.default_rng(0).uniform(0.001, 0.999, 500), [0.0, 1.0]))
    found = clip_of("probabilities", answers, (100,))
    assert found.rule == "smallest"
    inside = answers[(answers > 0) & (answers < 1)]
    assert found.clip == pytest.approx(min(inside.min(), 1 - inside.max()) / 2)


def test_a_tiny_probability_is_no_0_of_a_grid():
    found = clip_of("probabilities", two([0.0, 1e-9, 0.7, 1.0]), ())
    assert found == Clip(pytest.approx(5e-10), "smallest")


def test_one_tree_keeps_0_and_1_apart():
    assert clip_of("probabilities", two([0.0, 1.0, 1.0]), (1,)) == Clip(0.25, "grid", 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_that_do_not_saturate_are_clipped_at_their_precision(dtype):
    answers = two(np.linspace(0.01, 0.99, 99)).astype(dtype)
    assert clip_of("probabilities", answers, (100,)) == Clip(float(np.finfo(dtype).eps), "precision")


def test_scores_are_logits_and_have_no_clip():
    assert clip_of("scores", two([3.0, -500.0]), ()) == Clip(None, "none")
    binary = np.array([[0.0, 700.0], [0.0, -2.0]])
    np.testing.assert_allclose(unclipped_logit("scores", binary, np.array([1, 1])), [700.0, -2.0])
    several = np.array([[1.0, 2.0, 3.0]])
    expected = 2 - np.log(np.exp(1) + np.exp(3))
    np.testing.assert_allclose(unclipped_logit("scores", several, np.array([1])), [expected])


def test_scaled_logits_of_probabilities_keep_their_digits_and_their_ties():
    answers = np.array([[1.0, 0.0], [1.0, 0.0], [1 - 1e-12, 1e-12], [0.0, 1.0]])
    raw = unclipped_logit("probabilities", answers, np.zeros(4, int))
    assert raw[0] == raw[1] == np.inf and raw[3] == -np.inf
    assert raw[2] == pytest.approx(-np.log(1e-12), rel=1e-6)
    phi = clipped(raw, 0.01)
    np.testing.assert_allclose(phi, np.log(99) * np.array([1, 1, 1, -1]), rtol=1e-6)
    assert len(np.unique(phi)) == 2


def test_the_softmax_of_stored_logits_is_the_answer():
    answers = np.array([[0.0, 0.02, 0.98], [0.0, 0.0, 1.0]])
    logits = logits_of("probabilities", answers)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), answers, atol=1e-7)
