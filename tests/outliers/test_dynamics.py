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


def test_forgetting_equals_the_naive_count():
    trace = EVIDENCE.correct_trace.copy()
    trace[0, :, 0] = False
    got = dynamics.forgetting_events(trace)
    _close(got, oracle.forgetting_events(trace))
    assert got[0, 0] == EPOCHS


def test_never_learnt_counts_more_than_any_forgetting():
    flickering = np.arange(9) % 2 == 0
    trace = np.stack([flickering, np.zeros(9, bool), np.ones(9, bool)], axis=1)[None]
    np.testing.assert_array_equal(dynamics.forgetting_events(trace), [[4, 9, 0]])


def test_margin_area_is_the_mean_margin():
    _close(dynamics.area_under_margin(EVIDENCE.margins), EVIDENCE.margins.astype(np.float64).mean(1))


def test_loss_trace_iqr_equals_numpy_quantiles_and_skips_epochs_after_stopping():
    losses = EVIDENCE.losses.copy()
    losses[2, 3:] = np.nan
    _close(dynamics.loss_trace_iqr(losses), oracle.loss_trace_iqr(losses.astype(np.float64)))


def test_means_are_over_the_models_that_trained_on_the_example():
    values = np.where(EVIDENCE.valid[:, None], EVIDENCE.gradient_norm, np.nan)
    got = dynamics.mean_over_members(values, EVIDENCE.member, EVIDENCE.valid)
    _close(got, oracle.mean_over_members(values, EVIDENCE.member, EVIDENCE.valid))
