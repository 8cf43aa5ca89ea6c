"""What counts as a classifier."""

import pytest

from miajax.errors import UserError
from miajax.estimators.reference import load_estimator

OWN = """
class Wrapper:
    _estimator_type = {kind!r}

    def __sklearn_tags__(self):
        import types
        return types.SimpleNamespace(estimator_type=None, input_tags=types.SimpleNamespace(allow_nan=False))

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X
"""


def test_a_wrapper_that_calls_itself_a_classifier_in_the_old_way_is_one(tmp_path):
    (tmp_path / "own.py").write_text(OWN.format(kind="classifier"))
    assert load_estimator(f"{tmp_path / 'own.py'}:Wrapper", None).name == "Wrapper"


def test_a_wrapper_that_calls_itself_a_regressor_is_none(tmp_path):
    (tmp_path / "own.py").write_text(OWN.format(kind="regressor"))
    with pytest.raises(UserError, match="Wrapper is no classifier"):
        load_estimator(f"{tmp_path / 'own.py'}:Wrapper", None)
