"""The model-level stand-in for the true positive rate."""

import numpy as np

from miajax.attacks.tnr_of_loss import tnr_of_loss


def test_tnr_of_loss_counts_non_members_beyond_nearly_all_members():
    losses = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.35, 0.6, 0.05, 0.45, 0.7]])
    member = np.arange(10)[None] < 5
    phi = -np.log(np.expm1(losses))[..., None].astype(np.float32)
    np.testing.assert_allclose(tnr_of_loss(phi, member, np.ones(1, bool), 0.001), [2 / 5])
    np.testing.assert_allclose(tnr_of_loss(phi, member, np.ones(1, bool), 0.5), [4 / 5])
    assert np.isnan(tnr_of_loss(phi, member, np.zeros(1, bool))).all()
