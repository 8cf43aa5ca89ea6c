"""Slow float64 twins of the outlier metrics: one example at a time, from the definitions."""

import itertools

import numpy as np


def _centroids(vectors, labels):
    return {c: np.mean([v for v, y in zip(vectors, labels, strict=True) if y == c], axis=0) for c in set(labels)}


def centroid_distance(vectors, labels):
    centroids = _centroids(vectors, labels)
    return np.array([np.sqrt(((v - centroids[y]) ** 2).sum()) for v, y in zip(vectors, labels, strict=True)])


def centroid_angle(vectors, labels):
    centroids, out = _centroids(vectors, labels), []
    for v, y in zip(vectors, labels, strict=True):
        lengths = np.sqrt((v**2).sum()) * np.sqrt((centroids[y] ** 2).sum())
        out.append(1.0 - (v @ centroids[y] / lengths if lengths > 0 else 0.0))
    return np.array(out)


def centroid_ratio(vectors, labels):
    centroids, out = _centroids(vectors, labels), []
    for v, y in zip(vectors, labels, strict=True):
        distances = {c: np.sqrt(((v - m) ** 2).sum()) for c, m in centroids.items()}
        out.append(distances[y] / min(d for c, d in distances.items() if c != y))
    return np.array(out)


def mahalanobis(vectors, labels, ridge):
    centroids = _centroids(vectors, labels)
    residuals = [v - centroids[y] for v, y in zip(vectors, labels, strict=True)]
    covariance = sum(np.outer(r, r) for r in residuals) / len(residuals)
    covariance = covariance + ridge * np.mean(np.diag(covariance)) * np.eye(len(covariance))
    inverse = np.linalg.inv(covariance)
    return np.array([np.sqrt(r @ inverse @ r) for r in residuals])


def leverage(vectors, ridge):
    design = np.array([[*v, 1.0] for v in vectors])
    gram = design.T @ design
    inverse = np.linalg.inv(gram + ridge * np.mean(np.diag(gram)) * np.eye(len(gram)))
    return np.array([row @ inverse @ row for row in design])


def neighbours(vectors, k):
    """Distances to the k nearest others, ascending, and who they are."""
    ids, distances = [], []
    for i, v in enumerate(vectors):
        ranked = sorted((float(np.sqrt(((v - w) ** 2).sum())), j) for j, w in enumerate(vectors) if j != i)[:k]
        ids.append([j for _, j in ranked])
        distances.append([d for d, _ in ranked])
    return np.array(ids), np.array(distances)


def local_outlier_factor(vectors, k):
    """Breunig et al. 2000 with k-distinct-distances, all distances written out; cut ties are not looked after."""
    n = len(vectors)
    apart = np.array([[np.sqrt(((v - w) ** 2).sum()) for w in vectors] for v in vectors])
    copy = np.array([[(v == w).all() for w in vectors] for v in vectors])
    k_distinct = []
    for i in range(n):
        there = {tuple(vectors[j]): apart[i, j] for j in range(n) if not copy[i, j]}
        ranked = sorted(there.values())
        k_distinct.append(ranked[min(k, len(ranked)) - 1])
    near = [[j for j in range(n) if j != i and apart[i, j] <= k_distinct[i] * (1 + 1e-12)] for i in range(n)]
    density = [1 / np.mean([max(k_distinct[j], apart[i, j]) for j in near[i]]) for i in range(n)]
    return np.array([np.mean([density[j] for j in near[i]]) / density[i] for i in range(n)])


def memorisation(correct, member, valid):
    """seen, unseen, difference, Agresti-Caffo standard error."""
    out = []
    for n in range(correct.shape[1]):
        sides = []
        for side in (True, False):
            hits = [float(correct[m, n]) for m in range(len(correct)) if valid[m] and member[m, n] == side]
            share = (sum(hits) + 1) / (len(hits) + 2)
            sides.append((np.mean(hits) if hits else np.nan, share * (1 - share) / (len(hits) + 2)))
        out.append((sides[0][0], sides[1][0], sides[0][0] - sides[1][0], np.sqrt(sides[0][1] + sides[1][1])))
    return np.array(out).T


def memorisation_of_probability(probability, member, valid):
    out = []
    for n in range(probability.shape[1]):
        sides = [[probability[m, n] for m in range(len(member)) if valid[m] and member[m, n] == s] for s in (1, 0)]
        seen, unseen = map(np.mean, sides)
        out.append((seen, unseen, seen - unseen, np.sqrt(sum(np.var(s, ddof=1) / len(s) for s in sides))))
    return np.array(out).T


def influence(outcome, member, valid):
    out = np.zeros((member.shape[1], outcome.shape[1]))
    for i in range(member.shape[1]):
        for j in range(outcome.shape[1]):
            seen = [float(outcome[m, j]) for m in range(len(member)) if valid[m] and member[m, i]]
            unseen = [float(outcome[m, j]) for m in range(len(member)) if valid[m] and not member[m, i]]
            out[i, j] = np.mean(seen) - np.mean(unseen)
    return out


def el2n(logits, labels):
    out = np.zeros(logits.shape[:2])
    for m in range(logits.shape[0]):
        for n in range(logits.shape[1]):
            p = np.exp(logits[m, n] - logits[m, n].max())
            p /= p.sum()
            p[labels[n]] -= 1.0
            out[m, n] = np.sqrt((p**2).sum())
    return out


def forgetting_events(margins):
    models, epochs, examples = margins.shape
    out = np.zeros((models, examples))
    for m in range(models):
        for n in range(examples):
            right = [margin > 0 for margin in margins[m, :, n] if not np.isnan(margin)]
            forgotten = sum(before and not after for before, after in itertools.pairwise(right))
            out[m, n] = forgotten if any(right) else epochs
    return out


def loss_trace_iqr(losses):
    models, _, examples = losses.shape
    out = np.zeros((models, examples))
    for m in range(models):
        for n in range(examples):
            known = losses[m, :, n][~np.isnan(losses[m, :, n])]
            out[m, n] = np.quantile(known, 0.75) - np.quantile(known, 0.25)
    return out


def mean_over_members(values, member, valid):
    models = range(len(values))
    return np.array(
        [
            np.mean([values[m, n] for m in models if valid[m] and member[m, n] and not np.isnan(values[m, n])])
            for n in range(values.shape[1])
        ]
    )
