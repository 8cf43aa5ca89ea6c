"""Annotations of shapes are checked while tests run, at the first call and at every later one."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from miajax.metrics import roc


@pytest.mark.parametrize("call", [1, 2])
def test_what_breaks_an_annotation_is_told(call):
    scores, member = np.array([0.1, 0.9]), np.array([False, True])
    assert roc.auc(roc.roc_curve(scores, member)) == 1.0
    with pytest.raises(TypeCheckError, match="member"):
        roc.roc_curve(scores, np.array([0, 1]))
