"""Slow float64 twins of the attacks: one target, one example, one query at a time, written from the definitions."""

import numpy as np
from scipy import special, stats


def _others(side: np.ndarray, valid: np.ndarray, target: int) -> np.ndarray:
    ids = np.flatnonzero(side & valid)
    return ids[ids != target]


def scaled_logit(logits: np.ndarray, label: int) -> float:
    z = np.asarray(logits, np.float64)
    return float(z[label] - special.logsumexp(np.delete(z, label)))


def leave_one_out(values: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean, sum of squares [M, N] over the models of ``side`` other than each target."""
    values = values.astype(np.float64)
    count, mean, squares = (np.full(values.shape, np.nan) for _ in range(3))
    for t in range(values.shape[0]):
        for x in range(values.shape[1]):
            rest = values[_others(side[:, x], np.ones(len(side), bool), t), x]
            count[t, x] = len(rest)
            if len(rest):
                mean[t, x], squares[t, x] = rest.mean(), ((rest - rest.mean()) ** 2).sum()
    return count, mean, squares


def lira(phi: np.ndarray, member: np.ndarray, valid: np.ndarray) -> dict[str, np.ndarray]:
    """The default mode, cells with too few shadow models NaN."""
    phi = phi.astype(np.float64)
    num_models, num_examples, queries = phi.shape
    scores = {name: np.full((num_models, num_examples), np.nan) for name in (
        "lira_online", "lira_online_fixed", "lira_offline", "lira_offline_fixed")}
    for t in np.flatnonzero(valid):
        lists = [[phi[_others(s, valid, t), x] for x, s in enumerate(side.T)] for side in (member, ~member)]
        pooled = []
        for per_example in lists:
            residuals = sum(((v - v.mean(0)) ** 2).sum() for v in per_example if len(v))
            freedom = queries * sum(max(len(v) - 1, 0) for v in per_example)
            pooled.append(np.sqrt(residuals / freedom) if freedom else np.nan)
        for x in range(num_examples):
            inside, outside = lists[0][x], lists[1][x]
            value = phi[t, x]
            if len(outside) >= 1:
                scores["lira_offline_fixed"][t, x] = np.mean((value - outside.mean(0)) / pooled[1])
            if len(outside) >= 2:
                scores["lira_offline"][t, x] = np.mean((value - outside.mean(0)) / outside.std(0))
            if len(inside) >= 1 and len(outside) >= 1:
                scores["lira_online_fixed"][t, x] = np.mean(
                    stats.norm.logpdf(value, inside.mean(0), pooled[0])
                    - stats.norm.logpdf(value, outside.mean(0), pooled[1])
                )
            if len(inside) >= 2 and len(outside) >= 2:
                scores["lira_online"][t, x] = np.mean(
                    stats.norm.logpdf(value, inside.mean(0), inside.std(0))
                    - stats.norm.logpdf(value, outside.mean(0), outside.std(0))
                )
    return scores


def lira_official(phi: np.ndarray, member: np.ndarray, target: int) -> dict[str, np.ndarray]:
    """The published script's formulas for one target shadowed by all other models, higher = member."""
    shadows = np.delete(phi.astype(np.float64), target, 0)
    is_in = np.delete(member, target, 0)
    value = phi[target].astype(np.float64)

    def lists(side: np.ndarray) -> np.ndarray:
        shortest = side.sum(0).min()
        return np.stack([shadows[side[:, x], x][:shortest] for x in range(phi.shape[1])])  # [N, shortest, Q]

    inside, outside = lists(is_in), lists(~is_in)

    def log_density(models: np.ndarray, deviation: np.ndarray | float) -> np.ndarray:
        return stats.norm.logpdf(value, np.median(models, 1), deviation + 1e-30)

    return {
        "lira_online": (log_density(inside, inside.std(1)) - log_density(outside, outside.std(1))).mean(1),
        "lira_online_fixed": (log_density(inside, inside.std()) - log_density(outside, inside.std())).mean(1),
        "lira_offline": -log_density(outside, outside.std(1)).mean(1),
        "lira_offline_fixed": -log_density(outside, outside.std()).mean(1),
    }
