from typing import Self

import numpy as np

class ExtraTreesClassifier:
    def __init__(
        self,
        n_estimators: int = ...,
        *,
        min_samples_leaf: int = ...,
        n_jobs: int | None = ...,
        random_state: int | None = ...,
    ) -> None: ...
    def fit(self, X: np.ndarray, y: np.ndarray) -> Self: ...
    def predict_proba(self, X: np.ndarray) -> np.ndarray: ...

class IsolationForest:
    def __init__(self, *, n_estimators: int = ..., random_state: int | None = ...) -> None: ...
    def fit(self, X: np.ndarray) -> Self: ...
    def score_samples(self, X: np.ndarray) -> np.ndarray: ...
