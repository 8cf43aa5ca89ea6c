"""Figures of merit the slow way: float64 loops over thresholds, pairs and cells."""

import numpy as np

from tests.oracles.attacks import pair


def corners(scores, member):
    """(threshold, TPR, FPR) for every distinct score, best first, after the point where nothing is called a member."""
    scores, member = np.ravel(scores).astype(np.float64), np.ravel(member)
    keep = ~np.isnan(scores)
    members, others = scores[keep & member], scores[keep & ~member]
    points = [(np.inf, 0.0, 0.0)]
    for threshold in sorted(set(members) | set(others), reverse=True):
        points.append((threshold, np.mean(members >= threshold), np.mean(others >= threshold)))
    return points


def auc(scores, member):
    """Chance that a member outscores a non-member, pair by pair."""
    scores, member = np.ravel(scores).astype(np.float64), np.ravel(member)
    wins = pairs = 0.0
    for a in scores[member & ~np.isnan(scores)]:
        for b in scores[~member & ~np.isnan(scores)]:
            wins += 1.0 if a > b else 0.5 if a == b else 0.0
            pairs += 1.0
    return wins / pairs


def advantage(scores, member):
    return max(tpr - fpr for _, tpr, fpr in corners(scores, member))


def absolute_advantage(scores, member):
    return max(abs(tpr - fpr) for _, tpr, fpr in corners(scores, member))


def tpr_at_fpr(scores, member, fpr):
    """Largest TPR among the corners whose FPR is at most ``fpr``."""
    return max(tpr for _, tpr, rate in corners(scores, member) if rate <= fpr)


def auc_influence(scores, member):
    """[M, N]: share of the other side that a cell beats (or is beaten by), less the AUC, over the size of its side."""
    num_models, num_examples = scores.shape
    members, others = scores[member & ~np.isnan(scores)], scores[~member & ~np.isnan(scores)]
    area = auc(scores, member)
    influence = np.zeros(scores.shape)
    for m in range(num_models):
        for n in range(num_examples):
            s = scores[m, n]
            if np.isnan(s):
                continue
            if member[m, n]:
                influence[m, n] = (np.mean(others < s) + np.mean(others == s) / 2 - area) / len(members)
            else:
                influence[m, n] = (np.mean(members > s) + np.mean(members == s) / 2 - area) / len(others)
    return influence


def crossed_variance(influence):
    """Variance of the total of crossed random effects, by the analysis of variance of the cells."""
    num_models, num_examples = influence.shape
    rows, columns = influence.mean(axis=1, keepdims=True), influence.mean(axis=0, keepdims=True)
    residual = influence - rows - columns + influence.mean()
    by_model = num_models * influence.sum(axis=1).var(ddof=1)
    by_example = num_examples * influence.sum(axis=0).var(ddof=1)
    cell = (residual**2).sum() / ((num_models - 1) * (num_examples - 1)) * num_models * num_examples
    return max(by_model + by_example - cell, by_model, by_example)


def shadow_calibrated(scores, member, fpr):
    """Mean FPR and TPR over targets, each judged by the median of the other models' thresholds, its partner's not."""
    own = []
    for m in range(len(scores)):
        others = sorted(scores[m][~member[m] & ~np.isnan(scores[m])], reverse=True)
        own.append(others[int(np.floor(fpr * len(others) + 1e-9))])
    fprs, tprs = [], []
    for m in range(len(scores)):
        threshold = np.median([own[k] for k in range(len(scores)) if k not in pair(member, m)])
        known = ~np.isnan(scores[m])
        fprs.append(np.mean(scores[m][known & ~member[m]] > threshold))
        tprs.append(np.mean(scores[m][known & member[m]] > threshold))
    return np.mean(fprs), np.mean(tprs), fprs
