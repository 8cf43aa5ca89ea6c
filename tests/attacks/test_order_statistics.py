import numpy as np
import pytest

from miajax.attacks.order_statistics import nanquantile


@pytest.mark.parametrize("level", [0.0, 0.25, 0.6, 1.0])
def test_nanquantile_is_numpys(level):
    values = np.random.default_rng(0).normal(size=(7, 3, 5)).astype(np.float32)
    values[3:, 0] = np.nan  # stopped early
    values[0, 1] = values[4, 1]  # ties
    values[1:, 2, 0] = np.nan
    np.testing.assert_allclose(nanquantile(values, level), np.nanquantile(values, level, axis=0), rtol=1e-5, atol=1e-6)
    assert np.isnan(nanquantile(np.full((7, 2), np.nan, np.float32), level)).all()
