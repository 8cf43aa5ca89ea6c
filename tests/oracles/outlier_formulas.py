"""The formulas of outlier metrics in docs/methods.md, as they are written there, of 3 classes in float64.

A formula's docstring is its cell of the page's table.
"""

from collections.abc import Callable

import numpy as np
from scipy import special
from sklearn.ensemble import IsolationForest

FORMULAS: dict[str, Callable] = {}


def formula(function):
    FORMULAS[function.__name__] = function
    return function


def _centroids(e):
    return np.array([e.vectors[e.labels == c].mean(0) for c in range(3)])


@formula
def centroid_distance(e):
    """‖v − c_y‖"""
    return np.linalg.norm(e.vectors - _centroids(e)[e.labels], axis=1)


@formula
def centroid_angle(e):
    """1 − v·c_y / (‖v‖ ‖c_y‖)"""
    c = _centroids(e)[e.labels]
    return 1 - (e.vectors * c).sum(1) / (np.linalg.norm(e.vectors, axis=1) * np.linalg.norm(c, axis=1))


@formula
def centroid_ratio(e):
    """‖v − c_y‖ / min_{c≠y} ‖v − c_c‖"""
    distances = np.linalg.norm(e.vectors[:, None] - _centroids(e)[None], axis=-1)
    own = e.labels[:, None] == np.arange(3)
    return distances[own] / np.where(own, np.inf, distances).min(1)


def _nearest(vectors, k):
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    ids = np.argsort(distances, 1)[:, :k]
    return ids, np.take_along_axis(distances, ids, 1)


@formula
def knn_distance(e):
    """mean distance to the 10 nearest other examples"""
    return _nearest(e.vectors, 10)[1].mean(1)


@formula
def knn_disagreement(e):
    """share of the 10 nearest other examples with another label"""
    return (e.labels[_nearest(e.vectors, 10)[0]] != e.labels[:, None]).mean(1)


@formula
def mahalanobis(e):
    """√(rᵀ (C + .01 (tr C / F) I)⁻¹ r), r = v − c_y, C = mean of r rᵀ over all examples"""
    r = e.vectors - _centroids(e)[e.labels]
    c = r.T @ r / len(r)
    inverse = np.linalg.inv(c + 0.01 * np.trace(c) / len(c) * np.eye(len(c)))
    return np.sqrt(np.einsum("nf,fg,ng->n", r, inverse, r))


@formula
def leverage(e):
    """aᵀ (G + 10⁻⁶ (tr G / (F + 1)) I)⁻¹ a, a = (v, 1), G = Σ a aᵀ"""
    a = np.column_stack([e.vectors, np.ones(len(e.vectors))])
    g = a.T @ a
    return np.einsum("nf,fg,ng->n", a, np.linalg.inv(g + 1e-6 * np.trace(g) / len(g) * np.eye(len(g))), a)


@formula
def local_outlier_factor(e):
    """mean over the k nearest o of its class of lrd(o) / lrd(x), lrd = 1 / mean_o max(d(x, o), d_k(o)), k = 20"""
    out = np.zeros(len(e.labels))
    for c in range(3):
        rows = np.flatnonzero(e.labels == c)
        ids, distances = _nearest(e.vectors[rows], min(20, len(rows) - 1))
        lrd = 1 / np.maximum(distances, distances[:, -1][ids]).mean(1)
        out[rows] = lrd[ids].mean(1) / lrd
    return out


@formula
def isolation_forest(e):
    """2^(−E[h] / c(ψ)), h the depth at which a tree of its class isolates x, 100 trees of ψ = min(256, n) examples"""

    def c(size):
        size = np.asarray(size, float)
        found = 2 * (np.log(np.maximum(size - 1, 1)) + np.euler_gamma) - 2 * (size - 1) / size
        return np.where(size > 2, found, np.where(size == 2, 1.0, 0.0))

    out = np.zeros(len(e.labels))
    for label in range(3):
        rows = np.flatnonzero(e.labels == label)
        vectors = e.vectors[rows]
        forest = IsolationForest(n_estimators=100, random_state=0).fit(vectors)
        depths = []
        for tree in forest.estimators_:
            path = np.asarray(tree.decision_path(vectors).sum(1)).ravel() - 1
            depths.append(path + c(tree.tree_.n_node_samples[tree.apply(vectors)]))
        out[rows] = 2 ** (-np.mean(depths, 0) / c(min(256, len(rows))))
    return out


def _mean(values, side):
    return (values * side).sum(0) / side.sum(0)


@formula
def memorisation(e):
    """mean_IN(correct) − mean_OUT(correct)"""
    return _mean(e.correct, e.member) - _mean(e.correct, ~e.member)


@formula
def probability_memorisation(e):
    """mean_IN(p_y) − mean_OUT(p_y)"""
    return _mean(e.probability, e.member) - _mean(e.probability, ~e.member)


@formula
def inconsistency(e):
    """1 − mean_OUT(correct)"""
    return 1 - _mean(e.correct, ~e.member)


@formula
def influence(e):
    """max over other examples j of mean_IN(p_y(j)) − mean_OUT(p_y(j)), IN and OUT those of x"""
    x = [e.probability[e.member[:, i]].mean(0) - e.probability[~e.member[:, i]].mean(0) for i in range(len(e.labels))]
    x = np.array(x)
    np.fill_diagonal(x, -np.inf)
    return x.max(1)


@formula
def el2n(e):
    """mean_IN ‖softmax(z) − e_y‖ early in training"""
    errors = special.softmax(e.early_logits, -1) - (e.labels[:, None] == np.arange(3))
    return _mean(np.linalg.norm(errors, axis=-1), e.member)


@formula
def grand(e):
    """mean_IN ‖∇_θ ℓ‖ early in training"""
    return _mean(e.gradient_norm, e.member)


@formula
def forgetting(e):
    """mean_IN of the number of epochs from right (margin > 0) to wrong; E where never right"""
    right = e.margins > 0
    events = (right[:, :-1] & ~right[:, 1:]).sum(1)
    return _mean(np.where(right.any(1), events, e.margins.shape[1]), e.member)


@formula
def negative_margin(e):
    """−mean_IN of the mean over epochs of the margin z_y − max_{c≠y} z_c"""
    return -_mean(e.margins.mean(1), e.member)


@formula
def loss_trace_iqr(e):
    """mean_IN of Q.75 − Q.25 of ℓ over epochs"""
    return _mean(np.subtract(*np.quantile(e.losses, [0.75, 0.25], axis=1)), e.member)
