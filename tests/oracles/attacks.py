"""Slow float64 twins of the attacks: one target, one example, one query at a time, written from the definitions."""

import numpy as np
from scipy import special, stats


def pair(member: np.ndarray, target: int | np.integer) -> list[int]:
    """The target, and the model that trained on exactly what it did not, if there is one and not by chance."""
    opposite = [m for m in range(len(member)) if (member[m] != member[target]).all()]
    return [int(target), *opposite[:1]] if member.shape[1] >= 30 else [int(target)]


def _others(side: np.ndarray, valid: np.ndarray, pair: list[int]) -> np.ndarray:
    return np.array([m for m in np.flatnonzero(side & valid) if m not in pair], int)


def scaled_logit(logits: np.ndarray, label: int) -> float:
    z = np.asarray(logits, np.float64)
    return float(z[label] - special.logsumexp(np.delete(z, label)))


def leave_one_out(values: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean, sum of squares [M, N] over the models of ``side`` other than each target."""
    values = values.astype(np.float64)
    count, mean, squares = (np.full(values.shape, np.nan) for _ in range(3))
    for t in range(values.shape[0]):
        for x in range(values.shape[1]):
            rest = values[_others(side[:, x], np.ones(len(side), bool), [t]), x]
            count[t, x] = len(rest)
            if len(rest):
                mean[t, x], squares[t, x] = rest.mean(), ((rest - rest.mean()) ** 2).sum()
    return count, mean, squares


def lira(phi: np.ndarray, member: np.ndarray, valid: np.ndarray) -> dict[str, np.ndarray]:
    """The default mode, cells with too few shadow models NaN."""
    phi = phi.astype(np.float64)
    num_models, num_examples, queries = phi.shape
    scores = {
        name: np.full((num_models, num_examples), np.nan)
        for name in ("lira_online", "lira_online_fixed", "lira_offline", "lira_offline_fixed")
    }
    for t in np.flatnonzero(valid):
        own = pair(member, t)
        lists = [[phi[_others(s, valid, own), x] for x, s in enumerate(side.T)] for side in (member, ~member)]
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
    shadows = np.delete(phi.astype(np.float64), pair(member, target), 0)
    is_in = np.delete(member, pair(member, target), 0)
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


def _softmax(logits: np.ndarray) -> np.ndarray:
    return special.softmax(logits.astype(np.float64), -1)


def _cross_entropy(logits: np.ndarray, label: int) -> float:
    return float(-special.log_softmax(logits.astype(np.float64))[label])


def _per_cell(signals, member, valid, score) -> np.ndarray:
    """``score(target, example)`` for every valid target, NaN elsewhere."""
    out = np.full(member.shape, np.nan)
    for t in np.flatnonzero(valid):
        for x in range(member.shape[1]):
            out[t, x] = score(t, x)
    return out


def global_threshold(signals, member, valid):
    return _per_cell(
        signals,
        member,
        valid,
        lambda t, x: np.mean([scaled_logit(z, signals.labels[x]) for z in signals.logits[t, x]]),
    )


def gap(signals, member, valid):
    return _per_cell(signals, member, valid, lambda t, x: float(signals.logits[t, x, 0].argmax() == signals.labels[x]))


def entropy(signals, member, valid):
    def score(t, x):
        return -np.mean([stats.entropy(p) for p in _softmax(signals.logits[t, x])])

    return _per_cell(signals, member, valid, score)


def modified_entropy(signals, member, valid):
    def score(t, x):
        total = 0.0
        for p in _softmax(signals.logits[t, x]):
            for c, p_c in enumerate(p):
                rest = np.delete(p, c).sum()
                total += rest * np.log(p_c) if c == signals.labels[x] else p_c * np.log(rest)
        return total / signals.logits.shape[2]

    return _per_cell(signals, member, valid, score)


def _mean_loss(signals, t, x):
    return np.mean([_cross_entropy(z, signals.labels[x]) for z in signals.logits[t, x]])


def attack_p(signals, member, valid):
    phi = global_threshold(signals, member, valid)

    def score(t, x):
        population = [z for z in range(member.shape[1]) if not member[t, z] and z != x]
        return np.mean([phi[t, z] <= phi[t, x] for z in population])

    return _per_cell(signals, member, valid, score)


def attack_r(signals, member, valid):
    losses = _per_cell(signals, member, valid, lambda t, x: _mean_loss(signals, t, x))

    def score(t, x):
        others = losses[_others(~member[:, x], valid, pair(member, t)), x]
        points = np.sort(np.append(others, [0.0, 1000.0]))
        return 1 - np.interp(losses[t, x], points, np.linspace(0, 1, len(points)))

    return _per_cell(signals, member, valid, score)


def calibrated(signals, member, valid, centre=np.mean, models="out"):
    losses = _per_cell(signals, member, valid, lambda t, x: _mean_loss(signals, t, x))
    side = {"out": ~member, "in": member, "both": np.ones_like(member)}[models]

    def score(t, x):
        others = losses[_others(side[:, x], valid, pair(member, t)), x]
        return centre(others) - losses[t, x] if len(others) else np.nan

    return _per_cell(signals, member, valid, score)


def likelihood(logits: np.ndarray, label: int, kind="softmax", temperature=2.0, margin=0.6, order=4) -> float:
    z = logits.astype(np.float64) / temperature
    if kind == "softmax":
        return float(special.softmax(z)[label])

    def taylor(v):
        return sum(v**n / special.factorial(n) for n in range(order + 1))

    own = taylor(z[label] - margin)
    return float(own / (own + sum(taylor(v) for v in np.delete(z, label))))


def _likelihoods(signals, **kind) -> np.ndarray:
    num_models, num_examples, queries = signals.logits.shape[:3]
    return np.array(
        [
            [
                [likelihood(signals.logits[t, x, q], signals.labels[x], **kind) for q in range(queries)]
                for x in range(num_examples)
            ]
            for t in range(num_models)
        ]
    )


def base(signals, member, valid, offline=False, **kind):
    p = _likelihoods(signals, **kind)

    def score(t, x):
        others = _others(~member[:, x] if offline else np.ones(len(member), bool), valid, pair(member, t))
        return np.mean(np.log(p[t, x]) - np.log(p[others, x].mean(0))) if len(others) else np.nan

    return _per_cell(signals, member, valid, score)


def _likelihood_ratios(signals, member, valid, offline, a, **kind):
    """``[M, N, Q]``, NaN without shadow models."""
    p = _likelihoods(signals, **kind)
    num_models, num_examples, queries = p.shape

    def ratio(t, x):
        others = _others(~member[:, x] if offline else np.ones(num_models, bool), valid, pair(member, t))
        if not len(others):
            return np.full(queries, np.nan)
        mean = p[others, x].mean(0)
        return p[t, x] / (((1 + a) * mean + 1 - a) / 2 if offline else mean)

    return np.array([[ratio(t, x) for x in range(num_examples)] for t in range(num_models)])


def rmia(signals, member, valid, offline=False, a=0.3, gamma=2.0, population=None, **kind):
    """The dense form: every pair (x, z), a vote over the views of x, then the share of the z that have a p(z)."""
    ratios = _likelihood_ratios(signals, member, valid, offline, a, **kind)
    queries = ratios.shape[-1]
    pool = range(member.shape[1]) if population is None else population

    def score(t, x):
        wins = []
        for z in pool:
            if not member[t, z] and np.isfinite(ratios[t, z, 0]):
                votes = [ratios[t, z, 0] < ratios[t, x, q] / gamma for q in range(queries)]
                wins.append(z != x and sum(votes) > queries / 2)
        return np.mean(wins)

    return _per_cell(signals, member, valid, score)


def informia(signals, member, valid, offline=False, a=0.3, population=None, **kind):
    """The mean over the population of log r(x) / r(z), one pair at a time."""
    ratios = _likelihood_ratios(signals, member, valid, offline, a, **kind)
    pool = range(member.shape[1]) if population is None else population

    def score(t, x):
        others = [z for z in pool if not member[t, z] and np.isfinite(ratios[t, z, 0])]
        return np.mean([np.log(r / ratios[t, z, 0]) for z in others for r in ratios[t, x]])

    return _per_cell(signals, member, valid, score)


def bavaria(phi, member, valid, student: bool, mean_strength=0.01, variance_strength=None):
    """Normal-inverse-gamma prior by the method of moments, one value at a time."""
    phi = phi.astype(np.float64)
    _, num_examples, queries = phi.shape
    out = np.full(member.shape, np.nan)
    for t in np.flatnonzero(valid):
        log_density = []
        for side in (member, ~member):
            lists = [phi[_others(side[:, x], valid, pair(member, t)), x] for x in range(num_examples)]
            some = [v for v in lists if len(v) >= 1]
            two = [v for v in lists if len(v) >= 2]
            m0 = np.concatenate(some).mean()
            variance = sum(((v - v.mean(0)) ** 2).sum() for v in some) / (queries * sum(len(v) - 1 for v in some))
            means = np.array([v.mean(0) for v in some])
            between = (means**2).mean() - means.mean() ** 2 - variance * np.mean([1 / len(v) for v in some])
            estimate = variance / between if between > variance / 1e4 else 1e4
            kappa0 = estimate if mean_strength is None else mean_strength
            squares = np.mean([(v.var(0, ddof=1) ** 2).mean() * (len(v) - 1) / (len(v) + 1) for v in two])
            spread = squares / np.mean([v.var(0, ddof=1).mean() for v in two]) ** 2 - 1
            estimate = 2 + 1 / spread if spread > 1e-4 else 1e4
            alpha0 = estimate if variance_strength is None else variance_strength
            beta0 = alpha0 * variance
            densities = np.zeros((num_examples, queries))
            for x, values in enumerate(lists):
                n = len(values)
                mean = values.mean(0) if n else np.full(queries, m0)
                squares = ((values - mean) ** 2).sum(0)
                kappa, alpha = kappa0 + n, alpha0 + n / 2
                centre = (kappa0 * m0 + n * mean) / kappa
                beta = beta0 + squares / 2 + kappa0 * n * (mean - m0) ** 2 / (2 * kappa)
                scale = np.sqrt(beta * (kappa + 1) / (alpha * kappa))
                law = stats.t(2 * alpha, centre, scale) if student else stats.norm(centre, scale)
                densities[x] = law.logpdf(phi[t, x])
            log_density.append(densities)
        out[t] = (log_density[0] - log_density[1]).mean(1)
    return out


def lira_fullcov(vectors, member, valid, shrinkage=0.5):
    """One Gaussian a side over the last axis of ``[M, N, k]``."""
    vectors = vectors.astype(np.float64)

    def score(t, x):
        log_density = []
        for side in (member[:, x], ~member[:, x]):
            values = vectors[_others(side, valid, pair(member, t)), x]
            if len(values) < 2:
                return np.nan
            covariance = np.cov(values.T, ddof=0).reshape(vectors.shape[2], -1)
            covariance = (1 - shrinkage) * covariance + shrinkage * np.diag(np.diag(covariance))
            gaussian = stats.multivariate_normal(values.mean(0), covariance)
            log_density.append(gaussian.logpdf(vectors[t, x]))
        return log_density[0] - log_density[1]

    return _per_cell(None, member, valid, score)


def signals_of_prediction(logits: np.ndarray, label: int) -> dict[str, float]:
    z = logits.astype(np.float64)
    return {
        "scaled_logit": scaled_logit(z, label),
        "loss": _cross_entropy(z, label),
        "hinge": float(z[label] - np.delete(z, label).max()),
        "entropy": float(stats.entropy(special.softmax(z))),
    }


def lira_multi(signals, member, valid, names=("scaled_logit", "loss", "hinge", "entropy"), shrinkage=0.5):
    queries = signals.logits.shape[2]
    vectors = np.array([
        [[[found[name] for name in names] for found in map(signals_of_prediction, z, [y] * queries)]
         for z, y in zip(of_model, signals.labels, strict=True)]
        for of_model in signals.logits
    ])  # fmt: skip
    return np.mean([lira_fullcov(vectors[:, :, q], member, valid, shrinkage) for q in range(queries)], 0)


def nearest(signals, x, k):
    """The other examples of x's label, by cosine similarity."""
    v = signals.features.astype(np.float64)
    alike = [z for z in range(len(v)) if z != x and signals.labels[z] == signals.labels[x]]
    return sorted(alike, key=lambda z: -(v[z] @ v[x]) / np.linalg.norm(v[z]) / np.linalg.norm(v[x]))[:k]


def pmia(phi, signals, member, valid, form, k=1):
    def proxies(x):
        others = [z for z in range(member.shape[1]) if z != x]
        if form == "instance":
            return nearest(signals, x, k)
        return others if form == "global" else [z for z in others if signals.labels[z] == signals.labels[x]]

    def score(t, x):
        own = pair(member, t)
        outside = phi[_others(~member[:, x], valid, own), x]
        inside = np.concatenate([phi[_others(member[:, z], valid, own), z] for z in proxies(x)])
        if min(len(outside), len(inside)) < 2:
            return np.nan
        log_in, log_out = (stats.norm.logpdf(phi[t, x], v.mean(0), v.std(0)) for v in (inside, outside))
        return np.mean(log_in - log_out)

    return _per_cell(None, member, valid, score)


def loss_trace_iqr(signals, member, valid):
    return _per_cell(signals, member, valid, lambda t, x: stats.iqr(signals.losses[t, :, x].astype(np.float64)))
