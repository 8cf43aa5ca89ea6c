"""Density-based outlier scores, fitted by scikit-learn on each class alone: NumPy in and out, no ``jit``.

Each class has its own model because the question is how unusual an example is *for its label*; fitted on all classes
at once, a mislabelled example sits in the dense middle of another class and passes.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int


def local_outlier_factor(
    vectors: Float[np.ndarray, "examples features"], labels: Int[np.ndarray, " examples"], k: int = 20
) -> Float[np.ndarray, " examples"]:
    """The local outlier factor within the own class: about 1 inside a cluster, larger outside.

    Breunig et al. 2000. Classes of ``k`` examples or fewer use all others as neighbours; a lone example is NaN.
    """
    from sklearn.neighbors import LocalOutlierFactor

    return _by_class(
        lambda rows: -LocalOutlierFactor(n_neighbors=min(k, len(rows) - 1)).fit(rows).negative_outlier_factor_,
        vectors,
        labels,
    )


def isolation_score(
    vectors: Float[np.ndarray, "examples features"],
    labels: Int[np.ndarray, " examples"],
    trees: int = 100,
    seed: int = 0,
) -> Float[np.ndarray, " examples"]:
    """The isolation forest's anomaly score within the own class, 0 to 1: few random cuts isolate an outlier.

    Liu et al. 2008. A lone example of a class is NaN.
    """
    from sklearn.ensemble import IsolationForest

    return _by_class(
        lambda rows: -IsolationForest(n_estimators=trees, random_state=seed).fit(rows).score_samples(rows),
        vectors,
        labels,
    )


def _by_class(score: Callable[[np.ndarray], np.ndarray], vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    vectors, labels = np.asarray(vectors, np.float64), np.asarray(labels)
    scores = np.full(len(vectors), np.nan)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) > 1:
            scores[rows] = score(vectors[rows])
    return scores
