"""Density-based outlier scores, fitted by scikit-learn on each class alone: NumPy in and out, no ``jit``.

Each class has its own model because the question is how unusual an example is *for its label*; fitted on all classes
at once, a mislabelled example sits in the dense middle of another class and passes.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Num

_FEWEST = 3  # examples of a class: two have equal scores by construction
_LEAST_REACH = 1e-10  # what scikit-learn adds to mean distances before it divides by them


def local_outlier_factor(
    vectors: Float[np.ndarray, "examples features"], labels: Int[np.ndarray, " examples"], k: int = 20
) -> Float[np.ndarray, " examples"]:
    """The local outlier factor within the own class: about 1 inside a cluster, larger outside.

    Breunig et al. 2000, with their k-distinct-distance: the neighbourhood of an example holds its own copies and the
    ``k`` nearest other places, each as often as it is occupied, so that ``k`` copies and more leave every density
    finite. Without copies this is the usual factor. Copies of one example have one value.

    Classes of ``k`` places or fewer use all others as neighbours. Examples that all lie at one place are as dense as
    their neighbours: 1. A class of two would have 1 whatever it holds, and a lone example has no neighbour: NaN.
    """
    return _by_class(lambda rows: _lof(rows, k), vectors, labels)


def _lof(rows: Float[np.ndarray, "examples features"], k: int) -> Float[np.ndarray, " examples"]:
    from sklearn.neighbors import NearestNeighbors

    first, place = places(rows)
    if len(first) == 1:
        return np.ones(len(rows))
    copies = np.bincount(place)
    near = NearestNeighbors(n_neighbors=min(k, len(first) - 1)).fit(rows[first])
    apart, neighbours = near.kneighbors()
    own, number = copies - 1, copies[neighbours]
    reach = np.maximum(apart, apart[neighbours, -1])
    members = own + number.sum(1)
    mean_reach = (own * apart[:, -1] + (number * reach).sum(1)) / members
    density = 1.0 / (mean_reach + _LEAST_REACH)
    return ((own * density + (number * density[neighbours]).sum(1)) / members / density)[place]


def places(
    rows: Num[np.ndarray, "examples features"],
) -> tuple[Int[np.ndarray, " places"], Int[np.ndarray, " examples"]]:
    """The distinct rows by their first examples, ascending, and which of them each example equals."""
    # As strings of bytes they are sorted ten times faster than as rows of numbers; -0 + 0 is 0.
    keys = np.ascontiguousarray(rows + rows.dtype.type(0)).view(np.dtype((np.void, rows[0].nbytes)))[:, 0]
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[place.reshape(-1)]


def isolation_score(
    vectors: Float[np.ndarray, "examples features"],
    labels: Int[np.ndarray, " examples"],
    trees: int = 100,
    seed: int = 0,
) -> Float[np.ndarray, " examples"]:
    """The isolation forest's anomaly score within the own class, 0 to 1: few random cuts isolate an outlier.

    Liu et al. 2008. A class of two would have .5 whatever it holds: NaN, as a lone example.
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
        if len(rows) >= _FEWEST:
            scores[rows] = score(vectors[rows])
    return scores
