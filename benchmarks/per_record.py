"""What per-example figures say, beside the truth: leave-one-out scores too little, models of one pool too much.

    python -m benchmarks.per_record [--quick] [--json FILE]

Three kinds of campaigns, and the mean over examples of every figure. *Noise*: signals are normal and depend on nothing
but the example's own membership; the truth is Phi(gap / sqrt 2). *Means*: a model is the mean of the vectors of its 50
members, with noise for whatever else training depends on, and its signal of an example their inner product; the pool
holds 100, and the truth comes of members drawn anew for every model. *Digits*: softmax regressions and small networks,
each trained on 150 of a pool of 300; the truth comes of models that draw their 150 from all 1,797, of which two share
one in twelve members and not one in two.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import ndtr, ndtri

from benchmarks import _flags
from benchmarks._rows import write_content
from benchmarks._simulated_signals import attack
from miajax.data.digits import load_digits
from miajax.data.splits import membership
from miajax.metrics.new_data import on_new_data
from miajax.metrics.vulnerability import empirical_auc, gaussian_vulnerability
from miajax.signals.scaled_logit import scaled_logit

FPR = 0.01
MODELS, GAPS = (8, 16, 64, 256), (0.0, 0.25, 0.5, 1.0, 2.0)
NOISES = (0.0, 0.5, 1.0, 2.0)
MEMBERS, DIMENSIONS = 50, 30
POOL, TRAINED_ON, JUDGED, STEPS = 300, 150, 300, 150
COLUMNS = {
    "truth": "true AUC",
    "auc": "`auc`",
    "auc_gaussian": "`auc_gaussian`",
    "auc_new_data": "`auc_new_data`",
    "auc_new_data_low": "`auc_new_data_low`",
    "lira_online": "AUC of its scores, lira_online",
    "lira_online_fixed": "lira_online_fixed",
    "calibrated": "calibrated",
    "true_tpr": f"true TPR at {FPR}",
    "tpr_gaussian": "Gaussian TPR",
}


def measured(phi: Float[np.ndarray, "models examples"], member: Bool[np.ndarray, "models pool"]) -> dict[str, float]:
    """Means over the judged examples, the first of the pool, of every per-example figure."""
    valid, own = np.ones(len(phi), bool), member[:, : phi.shape[1]]
    auc = empirical_auc(phi, own, valid)
    gaussian = gaussian_vulnerability(phi, own, valid, FPR)
    fresh = on_new_data(auc, phi, member, valid)
    scores = {
        name: empirical_auc(attack(name, phi.astype(np.float32), own), own, valid)
        for name in ("lira_online", "lira_online_fixed", "calibrated")
    }
    columns = {
        "auc": auc, "auc_gaussian": gaussian.auc, "auc_new_data": fresh.auc, "auc_new_data_low": fresh.auc_low,
        **scores, "tpr_gaussian": gaussian.tpr,
    }  # fmt: skip
    return {name: float(np.nanmean(values)) for name, values in columns.items() if np.isfinite(values).any()}


def noise(num_models: int, gap: float, examples: int, seed: int = 1) -> dict[str, float]:
    """Signals that depend on nothing but their own example's membership."""
    rng = np.random.default_rng([seed, num_models])
    member = membership(seed, examples, num_models, "fixed_size")
    found = measured(rng.normal(size=member.shape) + gap * member, member)
    return {"truth": float(ndtr(gap / np.sqrt(2))), "true_tpr": float(ndtr(gap - ndtri(1 - FPR))), **found}


def means(num_models: int, level: float, repeats: int, seed: int = 0) -> dict[str, float]:
    """Models that are noisy means of their members, from pools and from members drawn anew."""
    rng = np.random.default_rng([seed, num_models])
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        pool = rng.normal(size=(2 * MEMBERS, DIMENSIONS))
        member = np.stack([rng.permutation(2 * MEMBERS) < MEMBERS for _ in range(num_models)])
        trained = member @ pool / MEMBERS + level * rng.normal(size=(num_models, DIMENSIONS)) / np.sqrt(MEMBERS)
        for name, value in {**measured(trained @ pool.T, member), **_means_anew(rng, level)}.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _means_anew(rng: np.random.Generator, level: float, examples: int = 100) -> dict[str, float]:
    """In closed form: each example's signals are normal, IN and OUT |x|^2 / n apart."""
    squared = (rng.normal(size=(examples, DIMENSIONS)) ** 2).sum(axis=1)
    gap = squared / MEMBERS
    sd_out = np.sqrt(squared * (1 + level**2) / MEMBERS)
    sd_in = np.sqrt(squared * ((1 - 1 / MEMBERS) + level**2) / MEMBERS)
    return {
        "truth": float(ndtr(gap / np.hypot(sd_in, sd_out)).mean()),
        "true_tpr": float(ndtr((gap - sd_out * ndtri(1 - FPR)) / sd_in).mean()),
    }


def digits(hidden: int, num_models: int, seed: int = 0) -> dict[str, float]:
    """Trained models; ``hidden`` units, 0 for softmax regression."""
    rng = np.random.default_rng([seed, hidden])
    data = load_digits()
    order = rng.permutation(data.num_examples)
    features = jnp.asarray(np.asarray(data.features).reshape(len(order), -1)[order], jnp.float32)
    labels = jnp.asarray(np.asarray(data.labels)[order])
    train = jax.jit(jax.vmap(functools.partial(_trained, features=features, labels=labels, hidden=hidden)))
    found = {}
    for where, size in (("pool", POOL), ("anew", len(order))):
        rows = np.stack([rng.permutation(size)[:TRAINED_ON] for _ in range(num_models)])
        member = np.zeros((num_models, size), bool)
        np.put_along_axis(member, rows, True, axis=1)
        keys = jax.random.split(jax.random.key(int(rng.integers(1 << 30))), num_models)
        parts = [train(keys[at : at + 32], jnp.asarray(rows[at : at + 32])) for at in range(0, num_models, 32)]
        phi = np.concatenate([np.asarray(part) for part in parts])
        if where == "pool":
            found = measured(phi, member)
        else:
            valid = np.ones(num_models, bool)
            found["truth"] = float(np.nanmean(empirical_auc(phi, member[:, :JUDGED], valid)))
            found["true_tpr"] = float(np.nanmean(gaussian_vulnerability(phi, member[:, :JUDGED], valid, FPR).tpr))
    return found


def _trained(
    key: Array,
    rows: Int[Array, " members"],
    features: Float[Array, "pool features"],
    labels: Int[Array, " pool"],
    hidden: int,
) -> Float[Array, " judged"]:
    """Full-batch gradient descent with momentum; the scaled logits of the judged examples."""
    width = features.shape[1]
    shapes = ((width, hidden), (hidden, 10)) if hidden else ((width, 10),)
    keys = jax.random.split(key, len(shapes))
    weights = [(jax.random.normal(k, s) / np.sqrt(s[0]), jnp.zeros(s[1])) for k, s in zip(keys, shapes, strict=True)]

    def logits(weights, x):
        for place, (matrix, bias) in enumerate(weights):
            x = (jax.nn.relu(x) if place else x) @ matrix + bias
        return x

    def loss(weights):
        return -jnp.take_along_axis(
            jax.nn.log_softmax(logits(weights, features[rows])), labels[rows][:, None], axis=1
        ).mean()

    def step(state, _):
        weights, velocity = state
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, jax.grad(loss)(weights))
        return (jax.tree.map(lambda w, v: w - 0.3 * v, weights, velocity), velocity), None

    (weights, _), _ = jax.lax.scan(step, (weights, jax.tree.map(jnp.zeros_like, weights)), None, STEPS)
    return scaled_logit(logits(weights, features[:JUDGED]), labels[:JUDGED])


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for each kind of campaign."""
    lines = [["campaign", *COLUMNS.values()]]
    for row in rows:
        found = row["figures"]
        lines.append([row["name"], *("null" if name not in found else f"{found[name]:.3f}" for name in COLUMNS)])
    return lines


def main(json: Path | None = None, quick: bool = False) -> None:
    """Measures both biases.

    Args:
      json: where to write the figures.
      quick: fewer examples, pools and models.
    """
    examples, repeats, trained = (400, 2, 64) if quick else (3000, 20, 256)
    jobs = [
        (f"noise, {m} models, gap {gap:g}", functools.partial(noise, m, gap, examples)) for m in MODELS for gap in GAPS
    ]
    jobs += [
        (f"means, {m} models, noise {level:g}", functools.partial(means, m, level, repeats))
        for m in MODELS[1:]
        for level in NOISES
    ]
    for hidden, what in ((0, "softmax regression"), (32, "network of 32 units")):
        jobs.append((f"digits, {what}, {trained} models", functools.partial(digits, hidden, trained)))
    rows = []
    for name, job in jobs:
        rows.append({"name": name, "figures": job()})
        print(*table(rows)[-1], sep="  ", flush=True)
    if json:
        write_content(json, {"rows": rows, "table": table(rows)})


if __name__ == "__main__":
    _flags.call(main)
