"""The sort behind every ROC: words for single precision, places for all else, the same order."""

import numpy as np
import pytest

from miajax.metrics.ranking import ranked, scores_of

NAN, INF = np.nan, np.inf
AWKWARD = [0.0, -0.0, 1.5, -1.5, INF, -INF, NAN, 1e-45, -1e-45, 1.5, 3e38, -3e38, -NAN, 0.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cells_come_best_first_with_their_sides_equal_ones_share_a_key_and_nan_is_last(dtype):
    scores = np.array(AWKWARD, dtype)
    scores[-2] = np.copysign(scores[-2], -1)  # a NaN with its sign set
    member = np.arange(len(scores)) % 3 == 0
    place, is_member, key = ranked(scores, member)
    assert sorted(place) == list(range(len(scores)))
    np.testing.assert_array_equal(is_member, member[place])
    np.testing.assert_array_equal(scores[place][:-2], np.sort(scores)[:-2][::-1])
    assert np.isnan(scores[place][-2:]).all()
    np.testing.assert_array_equal(key[1:-2] == key[:-3], scores[place][1:-2] == scores[place][:-3])
    np.testing.assert_array_equal(scores_of(key[:-2]), scores[place][:-2])


def test_rows_are_sorted_alone():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(5, 300)).round(1).astype(np.float32)
    member = rng.random(scores.shape) < 0.5
    together = ranked(scores, member)
    for row in range(5):
        for whole, alone in zip(together, ranked(scores[row], member[row]), strict=True):
            np.testing.assert_array_equal(whole[row], alone)


def test_words_and_places_give_one_order_of_values():
    rng = np.random.default_rng(1)
    scores = np.ldexp(rng.normal(size=20_000), rng.integers(-120, 120, 20_000)).astype(np.float32)
    member = rng.random(20_000) < 0.3
    single, double = ranked(scores, member), ranked(scores.astype(np.float64), member)
    np.testing.assert_array_equal(scores_of(single.key), scores_of(double.key))
    np.testing.assert_array_equal(single.place, double.place)
