import jax
import numpy as np

from miajax.defenses.selection import most_outlying, relabelled


def test_exactly_the_share_is_flagged_whatever_the_ties():
    scores = np.float32([1, 3, 3, 3, 0, np.nan, np.nan, 2, 1, 1])
    np.testing.assert_array_equal(np.flatnonzero(most_outlying(scores, 0.2)), [1, 2])
    np.testing.assert_array_equal(np.flatnonzero(most_outlying(scores, 0.31)), [1, 2, 3, 7])
    assert not most_outlying(scores, 0.0).any() and most_outlying(scores, 1.0).all()
    assert not most_outlying(scores, 0.8)[5:7].any()
    assert most_outlying(np.arange(100.0), 0.07).sum() == 7


def test_flagged_labels_become_what_models_without_the_example_say():
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 0], np.int32)
    member = np.array([[True, False, True, True], [False, True, True, False], [False, False, True, False]])
    valid = np.array([True, True, False])
    probabilities = rng.dirichlet(np.ones(3), (3, 4)).astype(np.float32)
    probabilities[2] = np.nan
    flagged = np.array([True, True, True, False])
    got = relabelled(labels, flagged, probabilities, member, valid)
    want = [probabilities[1, 0].argmax(), probabilities[0, 1].argmax(), 0, 0]  # example 2 was seen by all valid models
    np.testing.assert_array_equal(got, want)


def test_a_planted_wrong_label_is_put_right():
    labels = np.array([2, 1], np.int32)
    probabilities = np.tile(np.float32([[0.1, 0.8, 0.1], [0.0, 1.0, 0.0]]), (4, 1, 1))
    member = np.array([[True, False]] * 2 + [[False, True]] * 2)
    got = relabelled(labels, np.array([True, False]), probabilities, member, np.ones(4, bool))
    np.testing.assert_array_equal(got, [1, 1])


def test_selection_works_under_jit_and_vmap():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 40), dtype=np.float32)
    scores[1, 7] = np.nan
    chosen = jax.jit(jax.vmap(lambda row: most_outlying(row, 0.2)))(scores)
    np.testing.assert_array_equal(chosen, [most_outlying(row, 0.2) for row in scores])
    ensembles = (
        rng.integers(0, 4, (3, 40), dtype=np.int32), chosen, rng.random((3, 6, 40, 4), dtype=np.float32),
        rng.random((3, 6, 40)) < 0.5, np.arange(6) != [[0], [2], [5]],
    )  # fmt: skip
    got = jax.jit(jax.vmap(relabelled))(*ensembles)
    np.testing.assert_array_equal(got, [relabelled(*one) for one in zip(*ensembles, strict=True)])
