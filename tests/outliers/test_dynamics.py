import numpy as np

from miajax.outliers import dynamics
from tests.oracles import outliers as oracle
from tests.outliers.examples import EPOCHS, evidence

EVIDENCE = evidence()


def _close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_el2n_equals_the_naive_loop_and_is_bounded():
    got = dynamics.el2n(EVIDENCE.early_logits, EVIDENCE.labels)
    _close(got, oracle.el2n(EVIDENCE.early_logits.astype(np.float64), EVIDENCE.labels))
    huge = np.float32([[[1e4, -1e4, 0.0]]])
    assert dynamics.el2n(huge, np.array([0]))[0, 0] == 0.0
    _close(dynamics.el2n(huge, np.array([1]))[0, 0], np.sqrt(2))


def _stopped(trace):
    """The trace with model 2 stopped after three epochs."""
    stopped = trace.copy()
    stopped[2, 3:] = np.nan
    return stopped


def test_forgetting_equals_the_naive_count():
    margins = _stopped(EVIDENCE.margins)
    margins[0, :, 0] = -1.0
    margins[1, :, 0] = 0.0  # a tie is wrong
    got = dynamics.forgetting_events(margins)
    _close(got, oracle.forgetting_events(margins))
    assert got[0, 0] == got[1, 0] == EPOCHS


def test_never_learnt_counts_more_than_any_forgetting():
    flickering = np.where(np.arange(9) % 2 == 0, 1.0, -1.0)
    trace = np.stack([flickering, np.full(9, -1.0), np.ones(9)], axis=1)[None]
    np.testing.assert_array_equal(dynamics.forgetting_events(trace), [[4, 9, 0]])


def test_an_example_that_was_right_when_training_stopped_is_not_forgotten():
    trace = np.float32([[[-1.0], [2.0], [np.nan], [np.nan]]])
    assert dynamics.forgetting_events(trace)[0, 0] == 0
    assert dynamics.area_under_margin(trace)[0, 0] == 0.5
    assert np.isnan(dynamics.forgetting_events(np.full((1, 4, 1), np.nan)))


def test_margin_area_is_the_mean_margin_of_trained_epochs():
    margins = _stopped(EVIDENCE.margins)
    want = margins.astype(np.float64).mean(1)
    want[2] = margins[2, :3].astype(np.float64).mean(0)
    _close(dynamics.area_under_margin(margins), want)


def test_loss_trace_iqr_equals_numpy_quantiles_and_skips_epochs_after_stopping():
    losses = _stopped(EVIDENCE.losses)
    _close(dynamics.loss_trace_iqr(losses), oracle.loss_trace_iqr(losses.astype(np.float64)))


def test_means_are_over_the_models_that_trained_on_the_example_and_have_a_value():
    values = np.where(EVIDENCE.valid[:, None], EVIDENCE.gradient_norm, np.nan)
    values[5] = np.nan  # had stopped before the early epoch
    got = dynamics.mean_over_members(values, EVIDENCE.member, EVIDENCE.valid)
    _close(got, oracle.mean_over_members(values, EVIDENCE.member, EVIDENCE.valid))
