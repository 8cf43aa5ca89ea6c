import jax
import numpy as np

from miajax.defenses import hamp
from tests.oracles import defenses as oracle

RNG = np.random.default_rng(0)
SURE = (RNG.normal(size=(12, 4)) + 4 * np.eye(4)[np.arange(12) % 4]).astype(np.float32)
UNSURE = RNG.normal(size=(12, 4)).astype(np.float32)


def test_borrowed_scores_keep_ranks_and_take_values():
    tied = np.round(UNSURE)
    got = np.asarray(hamp.borrowed_scores(tied, SURE))
    np.testing.assert_allclose(got, [oracle.borrowed_scores(z, s) for z, s in zip(tied, SURE, strict=True)])
    np.testing.assert_array_equal(np.asarray(hamp.borrowed_scores(UNSURE, SURE)).argmax(1), UNSURE.argmax(1))
    np.testing.assert_array_equal(np.sort(got, 1), np.sort(SURE, 1))


def test_answers_of_many_models_are_borrowed_at_once():
    both = np.stack([SURE, UNSURE])
    borrowed = jax.jit(jax.vmap(hamp.borrowed_scores))(both, both[::-1])
    np.testing.assert_array_equal(borrowed[0], hamp.borrowed_scores(SURE, UNSURE))
