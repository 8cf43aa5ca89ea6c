"""The formulas of attacks in docs/methods.md, as they are written there, one target at a time in float64.

A formula's docstring is its cell of the page's table.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special, stats

FORMULAS: dict[str, Callable] = {}
OFFICIAL_FORMULAS: dict[str, Callable] = {}


def log_normal(value, mean, variance):
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


class Side(NamedTuple):
    """What the shadow models of one side say of every example; lists of ``[n', Q]`` by example."""

    phi: list[np.ndarray]
    n: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    pooled: float


class Target:
    """All symbols of the page for one target."""

    def __init__(self, signals, member, t):
        wide = {k: None if a is None else np.asarray(a, np.float64) for k, a in signals._asdict().items()}
        self.y = np.asarray(signals.labels)
        self.z, phi = wide["logits"], wide["scaled_logit"]
        self.member, self.t = member, t
        self.made_of = signals, member
        partner = [m for m in range(len(member)) if (member[m] != member[t]).all()]
        self.shadow = [m for m in range(len(member)) if m != t and m not in partner]
        self.phi, self.phis = phi[t], phi
        self.losses = wide["losses"][t]
        self.signals = wide
        self.correct = np.asarray(signals.correct)
        examples = range(member.shape[1])
        self.examples = examples
        self.ins = [[m for m in self.shadow if member[m, x]] for x in examples]
        self.outs = [[m for m in self.shadow if not member[m, x]] for x in examples]
        self.side_in, self.side_out = self._side(self.ins), self._side(self.outs)
        self.own = self.y[:, None] == np.arange(self.z.shape[-1])

    def _side(self, models):
        phi = [self.phis[models[x], x] for x in self.examples]
        n = np.array([len(v) for v in phi])
        mean = np.array([v.mean(0) for v in phi])
        variance = np.array([((v - v.mean(0)) ** 2).mean(0) for v in phi])
        pooled = (n[:, None] * variance).sum() / (variance.shape[1] * np.maximum(n - 1, 0)).sum()
        return Side(phi, n, mean, variance, pooled)

    def p(self, temperature=1.0):
        """``[M, N, Q, C]``."""
        return special.softmax(self.z / temperature, -1)

    def p_y(self, temperature=2.0):
        return np.take_along_axis(self.p(temperature), self.y[None, :, None, None], -1)[..., 0]

    def others(self):
        """All other models as targets."""
        return [Target(*self.made_of, model) for model in self.shadow]

    def loss(self):
        return np.log1p(np.exp(-self.phis))

    def population(self):
        return np.flatnonzero(~self.member[self.t])


def formula(of):
    def register(function):
        of[function.__name__] = function
        return function

    return register


@formula(FORMULAS)
def global_threshold(s):
    """mean_q φ"""
    return s.phi.mean(-1)


@formula(FORMULAS)
def gap(s):
    """1 if argmax z = y on the unmodified view, else 0"""
    return (s.z[s.t, :, 0].argmax(-1) == s.y).astype(float)


@formula(FORMULAS)
def entropy(s):
    """mean_q Σ_c p_c log p_c"""
    p = s.p()[s.t]
    return (p * np.log(p)).sum(-1).mean(-1)


@formula(FORMULAS)
def modified_entropy(s):
    """mean_q [(1 − p_y) log p_y + Σ_{c≠y} p_c log(1 − p_c)]"""
    p = s.p()[s.t]
    own = s.own[:, None]
    p_y = (p * own).sum(-1)
    return ((1 - p_y) * np.log(p_y) + np.where(own, 0, p * np.log(1 - p)).sum(-1)).mean(-1)


@formula(FORMULAS)
def lira_online(s):
    """mean_q [log N(φ; μ_in, σ²_in) − log N(φ; μ_out, σ²_out)]"""
    i, o = s.side_in, s.side_out
    return (log_normal(s.phi, i.mean, i.variance) - log_normal(s.phi, o.mean, o.variance)).mean(-1)


@formula(FORMULAS)
def lira_online_fixed(s):
    """mean_q [log N(φ; μ_in, S²_in) − log N(φ; μ_out, S²_out)]"""
    i, o = s.side_in, s.side_out
    return (log_normal(s.phi, i.mean, i.pooled) - log_normal(s.phi, o.mean, o.pooled)).mean(-1)


@formula(FORMULAS)
def lira_offline(s):
    """mean_q (φ − μ_out) / σ_out"""
    return ((s.phi - s.side_out.mean) / np.sqrt(s.side_out.variance)).mean(-1)


@formula(FORMULAS)
def lira_offline_fixed(s):
    """mean_q (φ − μ_out) / S_out"""
    return ((s.phi - s.side_out.mean) / np.sqrt(s.side_out.pooled)).mean(-1)


def _shrunk_log_density(value, v):
    c = (v - v.mean(0)).T @ (v - v.mean(0)) / len(v)
    sigma = 0.5 * c + 0.5 * np.diag(np.diag(c))
    r = value - v.mean(0)
    return -0.5 * (np.log(np.linalg.det(2 * np.pi * sigma)) + r @ np.linalg.inv(sigma) @ r)


@formula(FORMULAS)
def lira_online_fullcov(s):
    """log N(φ; μ_in, Σ_in) − log N(φ; μ_out, Σ_out), φ the vector over queries"""
    sides = s.side_in.phi, s.side_out.phi
    return np.array([np.subtract(*(_shrunk_log_density(s.phi[x], v[x]) for v in sides)) for x in s.examples])


@formula(FORMULAS)
def lira_online_multi(s):
    """mean_q [log N(v; μ_in, Σ_in) − log N(v; μ_out, Σ_out)], v = (φ, ℓ, z_y − max_{c≠y} z_c, −Σ_c p_c log p_c)"""
    p, z_y = s.p(), np.take_along_axis(s.z, s.y[None, :, None, None], -1)[..., 0]
    margin = z_y - np.where(s.own[:, None], -np.inf, s.z).max(-1)
    v = np.stack([s.phis, s.loss(), margin, -(p * np.log(p)).sum(-1)], -1)

    def score(x):
        return np.mean(
            [
                np.subtract(*(_shrunk_log_density(v[s.t, x, q], v[models[x], x, q]) for models in (s.ins, s.outs)))
                for q in range(v.shape[2])
            ]
        )

    return np.array([score(x) for x in s.examples])


@formula(FORMULAS)
def attack_p(s):
    """share of the population Z with mean_q φ(z) ≤ mean_q φ(x)"""
    phi, z = s.phi.mean(-1), s.population()
    return np.array([(phi[z[z != x]] <= phi[x]).mean() for x in s.examples])


@formula(FORMULAS)
def attack_r(s):
    """1 − F(mean_q ℓ), F linear between equal steps from 0 to 1 at 0, the sorted OUT losses, 1000"""
    loss = s.loss().mean(-1)
    points = [np.sort([0, *loss[s.outs[x], x], 1000]) for x in s.examples]
    return np.array([1 - np.interp(loss[s.t, x], f, np.linspace(0, 1, len(f))) for x, f in enumerate(points)])


@formula(FORMULAS)
def calibrated(s):
    """mean_OUT(mean_q ℓ) − mean_q ℓ"""
    loss = s.loss().mean(-1)
    return np.array([loss[s.outs[x], x].mean() - loss[s.t, x] for x in s.examples])


def _rmia(s, r):
    """``r`` is ``[N, Q]``."""
    z = s.population()
    beaten = [[zz != x and (r[zz, 0] < r[x] / 2).mean() > 0.5 for zz in z] for x in s.examples]
    return np.mean(beaten, -1)


@formula(FORMULAS)
def rmia_online(s):
    """share of the population Z with r(z) < r(x) / γ, r = p_y / mean_SHADOW(p_y)"""
    p = s.p_y()
    return _rmia(s, p[s.t] / p[s.shadow].mean(0))


@formula(FORMULAS)
def rmia_offline(s):
    """the same with r = p_y / [((1 + a) mean_OUT(p_y) + 1 − a) / 2]"""
    p, a = s.p_y(), 0.3
    out = np.array([p[s.outs[x], x].mean(0) for x in s.examples])
    return _rmia(s, p[s.t] / (((1 + a) * out + 1 - a) / 2))


@formula(FORMULAS)
def base_online(s):
    """mean_q [log p_y − log mean_SHADOW(p_y)]"""
    p = s.p_y()
    return (np.log(p[s.t]) - np.log(p[s.shadow].mean(0))).mean(-1)


@formula(FORMULAS)
def base_offline(s):
    """mean_q [log p_y − log mean_OUT(p_y)]"""
    p = s.p_y()
    return np.array([(np.log(p[s.t, x]) - np.log(p[s.outs[x], x].mean(0))).mean() for x in s.examples])


def _informia(s, r):
    """``r`` is ``[N, Q]``."""
    return np.log(r).mean(-1) - np.log(r[s.population(), 0]).mean()


@formula(FORMULAS)
def informia_online(s):
    """mean_q log r(x) − mean_Z log r(z), r that of rmia_online"""
    p = s.p_y()
    return _informia(s, p[s.t] / p[s.shadow].mean(0))


@formula(FORMULAS)
def informia_offline(s):
    """the same with r that of rmia_offline"""
    p, a = s.p_y(), 0.3
    out = np.array([p[s.outs[x], x].mean(0) for x in s.examples])
    return _informia(s, p[s.t] / (((1 + a) * out + 1 - a) / 2))


def _pmia(s, proxies):
    found = []
    for x in s.examples:
        if not (own := proxies(x)):
            found.append(np.nan)
            continue
        v = np.concatenate([s.side_in.phi[z] for z in own])
        o = s.side_out
        log_in, log_out = log_normal(s.phi[x], v.mean(0), v.var(0)), log_normal(s.phi[x], o.mean[x], o.variance[x])
        found.append((log_in - log_out).mean())
    return np.array(found)


@formula(FORMULAS)
def pmia_global(s):
    """mean_q [log N(φ; μ_P, σ²_P) − log N(φ; μ_out, σ²_out)], P the IN scaled logits of all examples but x"""
    return _pmia(s, lambda x: [z for z in s.examples if z != x])


@formula(FORMULAS)
def pmia_class(s):
    """the same, P those of the other examples of x's label"""
    return _pmia(s, lambda x: [z for z in s.examples if z != x and s.y[z] == s.y[x]])


@formula(FORMULAS)
def pmia_instance(s):
    """the same, P those of the other example of x's label with the largest cosine similarity of features"""
    v = s.signals["features"]
    v = v / np.linalg.norm(v, axis=1, keepdims=True)

    def nearest(x):
        alike = [z for z in s.examples if z != x and s.y[z] == s.y[x]]
        return sorted(alike, key=lambda z: -v[z] @ v[x])[:1]

    return _pmia(s, nearest)


def _bavaria(s, log_density):
    found = []
    for side in (s.side_in, s.side_out):
        n = side.n[:, None]
        m0 = np.concatenate(side.phi).mean()
        v = (n * side.variance).sum() / (side.variance.shape[1] * (side.n - 1).sum())
        two = side.n >= 2
        w = (n * side.variance)[two] / (n[two] - 1)
        g = (w**2 * (n[two] - 1) / (n[two] + 1)).mean() / w.mean() ** 2 - 1
        alpha0 = 2 + 1 / g if g > 1e-4 else 1e4
        beta0, kappa0 = alpha0 * v, 0.01
        kappa, alpha = kappa0 + n, alpha0 + n / 2
        m = (kappa0 * m0 + n * side.mean) / kappa
        beta = beta0 + n * side.variance / 2 + kappa0 * n * (side.mean - m0) ** 2 / (2 * kappa)
        found.append(log_density(s.phi, alpha, m, beta * (kappa + 1) / (alpha * kappa)))
    return (found[0] - found[1]).mean(-1)


@formula(FORMULAS)
def bavaria_t(s):
    """mean_q [log t(φ; 2α_in, m_in, s²_in) − log t(φ; 2α_out, m_out, s²_out)]"""
    return _bavaria(s, lambda phi, alpha, m, s2: stats.t.logpdf(phi, 2 * alpha, m, np.sqrt(s2)))


@formula(FORMULAS)
def bavaria_n(s):
    """mean_q [log N(φ; m_in, s²_in) − log N(φ; m_out, s²_out)]"""
    return _bavaria(s, lambda phi, alpha, m, s2: log_normal(phi, m, s2))


def _three_ranks(s):
    return [(stats.rankdata(score(s)) - 0.5) / len(s.y) for score in (bavaria_t, base_online, informia_offline)]


@formula(FORMULAS)
def mean_rank(s):
    """mean over bavaria_t, base_online and informia_offline of (rank of x's score among the target's N − ½) / N"""
    return np.mean(_three_ranks(s), 0)


@formula(FORMULAS)
def union(s):
    """max of the same"""
    return np.max(_three_ranks(s), 0)


@formula(FORMULAS)
def intersection(s):
    """min of the same"""
    return np.min(_three_ranks(s), 0)


@formula(FORMULAS)
def loss_trace_iqr(s):
    """Q.75 − Q.25 of ℓ over the epochs that the target trained"""
    return np.subtract(*np.quantile(s.losses, [0.75, 0.25], axis=0))


@formula(FORMULAS)
def gradient_norm(s):
    """−‖∇_θ ℓ‖₂"""
    return -s.signals["gradient_norm"][s.t]


@formula(FORMULAS)
def input_gradient_norm(s):
    """−‖∇_x ℓ‖₂"""
    return -s.signals["input_gradient_norm"][s.t]


@formula(FORMULAS)
def label_ratio(s):
    """log[(k_in + ½) / (n'_in + 1)] − log[(k_out + ½) / (n'_out + 1)]"""

    def log_share(models, x):
        k = sum(s.correct[m, x] == s.correct[s.t, x] for m in models[x])
        return np.log((k + 0.5) / (len(models[x]) + 1))

    return np.array([log_share(s.ins, x) - log_share(s.outs, x) for x in s.examples])


class Lists(NamedTuple):
    median: np.ndarray
    variance: np.ndarray
    values: np.ndarray


def _lists(s, models):
    shortest = min(map(len, models))
    values = np.array([s.phis[models[x][:shortest], x] for x in s.examples])
    return Lists(np.median(values, 1), values.var(1), values)


@formula(OFFICIAL_FORMULAS)
def lira_online(s):  # noqa: F811
    """mean_q [log N(φ; μ̃_in, σ²_in) − log N(φ; μ̃_out, σ²_out)]"""
    i, o = _lists(s, s.ins), _lists(s, s.outs)
    return (log_normal(s.phi, i.median, i.variance) - log_normal(s.phi, o.median, o.variance)).mean(-1)


@formula(OFFICIAL_FORMULAS)
def lira_online_fixed(s):  # noqa: F811
    """mean_q [log N(φ; μ̃_in, V_in) − log N(φ; μ̃_out, V_in)]"""
    i, o = _lists(s, s.ins), _lists(s, s.outs)
    v = i.values.var()
    return (log_normal(s.phi, i.median, v) - log_normal(s.phi, o.median, v)).mean(-1)


@formula(OFFICIAL_FORMULAS)
def lira_offline(s):  # noqa: F811
    """−mean_q log N(φ; μ̃_out, σ²_out)"""
    o = _lists(s, s.outs)
    return -log_normal(s.phi, o.median, o.variance).mean(-1)


@formula(OFFICIAL_FORMULAS)
def lira_offline_fixed(s):  # noqa: F811
    """−mean_q log N(φ; μ̃_out, V_out)"""
    o = _lists(s, s.outs)
    return -log_normal(s.phi, o.median, o.values.var()).mean(-1)
