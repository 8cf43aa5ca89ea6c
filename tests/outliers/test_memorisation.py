import numpy as np

from miajax.outliers import memorisation
from tests.oracles import outliers as oracle
from tests.outliers.examples import evidence

EVIDENCE = evidence()
MEMBER, VALID, CORRECT, PROBABILITY = EVIDENCE.member, EVIDENCE.valid, EVIDENCE.correct, EVIDENCE.probability


def _close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_memorisation_and_its_error_equal_the_naive_loop():
    _close(memorisation.memorisation(CORRECT, MEMBER, VALID), oracle.memorisation(CORRECT, MEMBER, VALID))
    _close(
        memorisation.memorisation_of_probability(PROBABILITY, MEMBER, VALID),
        oracle.memorisation_of_probability(PROBABILITY.astype(np.float64), MEMBER, VALID),
    )


def test_an_example_that_is_right_only_when_seen_is_memorised_fully():
    correct = CORRECT.copy()
    correct[:, 0] = MEMBER[:, 0]
    found = memorisation.memorisation(correct, MEMBER, VALID)
    assert found.memorised[0] == 1.0 and found.standard_error[0] > 0


def test_examples_that_all_or_none_saw_are_nan():
    member = MEMBER.copy()
    member[:, 0], member[:, 1] = True, False
    found = memorisation.memorisation(CORRECT, member, VALID)
    assert np.isnan(found.memorised[:2]).all() and np.isfinite(found.memorised[2:]).all()
    assert np.isnan(found.unseen[0]) and np.isfinite(found.seen[0])


def test_failed_models_count_for_nothing_even_as_nan():
    dirty = np.where(VALID[:, None], PROBABILITY, np.nan)
    _close(
        memorisation.memorisation_of_probability(dirty, MEMBER, VALID),
        memorisation.memorisation_of_probability(PROBABILITY, MEMBER, VALID),
    )
    _close(memorisation.influence(dirty, MEMBER, VALID), memorisation.influence(PROBABILITY, MEMBER, VALID))


def test_influence_equals_the_naive_loop_and_its_diagonal_is_memorisation():
    found = memorisation.influence(CORRECT, MEMBER, VALID)
    _close(found, oracle.influence(CORRECT, MEMBER, VALID))
    _close(np.diag(found), memorisation.memorisation(CORRECT, MEMBER, VALID).memorised)


def test_influence_finds_the_example_that_another_depends_on():
    member = np.random.default_rng(2).random((400, 20)) < 0.5
    outcome = np.where(member[:, 7], 0.9, 0.1)[:, None].astype(np.float32)
    found = np.asarray(memorisation.influence(outcome, member, np.ones(400, bool)))[:, 0]
    assert found.argmax() == 7
    np.testing.assert_allclose(found[7], 0.8, rtol=1e-5)
    assert np.abs(np.delete(found, 7)).max() < 0.2


def test_the_strongest_influence_is_the_largest_off_the_diagonal():
    whole = np.array(memorisation.influence(PROBABILITY, MEMBER, VALID))
    np.fill_diagonal(whole, -np.inf)
    strongest, on = memorisation.strongest_influence(PROBABILITY, MEMBER, VALID)
    _close(strongest, whole.max(1))
    np.testing.assert_array_equal(on, whole.argmax(1))
