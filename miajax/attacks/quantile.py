"""Quantile regression: is the example's margin high for an example that looks like it?

Bertran et al. 2023 (arXiv 2307.03694) and amazon-science/quantile-mia. No shadow model is trained: a small network
learns from the target's non-members what margin to expect of an example, as mean and deviation or as a quantile. The
pool's non-members would be expected too well if the network saw them, so the pool is cut into folds and each example is
judged by a network trained on the others. This file trains networks: it is the one attack that is no pure function.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax  # pyright: ignore[reportMissingTypeStubs]
from jaxtyping import Array, Float, Int

from miajax.attacks.attack import REFERENCES, Attack, Member, Names, Partners, Scores, Valid, needed
from miajax.attacks.options import AttackOptions, QuantileOptions
from miajax.signals.bundle import AnyArray, Signals
from miajax.signals.scaled_logit import hinge
from miajax.typed import grad, jit, lax_map

_TARGETS_AT_ONCE = 8


class Regressor(nn.Module):
    """Two hidden layers from standardised features to the parameters of the margin's distribution."""

    hidden: int
    outputs: int

    @nn.compact
    def __call__(self, features: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """Predicts for rows of features."""
        for _ in range(2):
            features = nn.relu(nn.Dense(self.hidden)(features))
        return nn.Dense(self.outputs)(features)


def gaussian_loss(prediction: Float[AnyArray, "*batch 2"], margin: Float[AnyArray, "*batch"]) -> Float[Array, "*batch"]:
    """Negative log-likelihood of a Gaussian given as mean and log-deviation, without its constant."""
    mean, log_deviation = prediction[..., 0], prediction[..., 1]
    return jnp.asarray(log_deviation) + 0.5 * ((margin - mean) * jnp.exp(-log_deviation)) ** 2


def pinball_loss(
    prediction: Float[AnyArray, "*batch 1"], margin: Float[AnyArray, "*batch"], level: float
) -> Float[Array, "*batch"]:
    """The loss that the quantile of ``level`` minimises."""
    excess = margin - prediction[..., 0]
    return jnp.maximum(level * excess, (level - 1) * excess)


@jit(static_argnames="options")
def _expected(
    features: Float[AnyArray, "examples features"],
    margins: Float[AnyArray, "models examples"],
    ids: Int[AnyArray, "models capacity"],
    counts: Int[AnyArray, " models"],
    keys: Int[AnyArray, " models"],
    *,
    options: QuantileOptions,
) -> Float[Array, "models examples outputs"]:
    """What one network per target expects of all examples, ``[M, N, outputs]``.

    Args:
      features: ``[N, F]``, standardised.
      margins: ``[M, N]``, standardised.
      ids, counts: ``int32[M, capacity]``, ``int32[M]``: the examples that each network trains on.
      keys: ``int32[M]``, folded into the seed.
    """
    gaussian = options.target == "gaussian"
    network: Any = Regressor(options.hidden, 2 if gaussian else 1)
    optimizer = optax.adam(options.learning_rate)
    root = jax.random.key(options.seed, impl="threefry2x32")

    def loss(params: Any, rows: Array, margin: Array) -> Array:
        prediction = jnp.asarray(network.apply(params, features[rows]))
        each = gaussian_loss(prediction, margin) if gaussian else pinball_loss(prediction, margin, options.level)
        return each.mean()

    def train(model: tuple[Array, Array, Array, Array]) -> Array:
        margin, own_ids, count, key = model
        init_key, batch_key = jax.random.split(jax.random.fold_in(root, key))
        params = network.init(init_key, features[:1])

        def step(state: tuple[Any, Any], index: Array) -> tuple[tuple[Any, Any], None]:
            params, moments = state
            draw = jax.random.randint(jax.random.fold_in(batch_key, index), (options.batch_size,), 0, count)
            rows = own_ids[draw]
            gradient = grad(loss)(params, rows, margin[rows])
            updates, moments = optimizer.update(gradient, moments)
            return (optax.apply_updates(params, updates), moments), None

        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(options.steps))
        return network.apply(params, features)

    return lax_map(train, (margins, ids, counts, keys), batch_size=_TARGETS_AT_ONCE)


def quantile_scores(
    margins: Float[np.ndarray, "models examples"],
    features: Float[np.ndarray, "examples features"],
    member: np.ndarray,
    options: QuantileOptions,
) -> Float[np.ndarray, "models examples"]:
    """How far each margin lies above what its example's features let expect; higher = member.

    Args:
      margins: ``[M, N]``, label's logit less the best other one.
      features: ``[N, F]``, any scale.
      member: ``bool[M, N]``.
      options: ``gaussian`` gives (margin - mean) / deviation, ``pinball`` margin - quantile.

    Returns:
      ``float32[M, N]``; NaN for a target without non-members in all folds but one.
    """
    num_models, num_examples = margins.shape
    features = np.asarray(features, np.float32).reshape(num_examples, -1)
    features = (features - features.mean(0)) / np.maximum(features.std(0), 1e-6)
    fold = np.random.default_rng(options.seed).permutation(num_examples) % options.folds
    targets = np.arange(num_models, dtype=np.int32)

    outside = np.where(member, np.nan, margins)
    centre, spread = np.nanmean(outside, 1, keepdims=True), np.nanstd(outside, 1, keepdims=True)
    standard = ((margins - centre) / np.maximum(spread, 1e-6)).astype(np.float32)

    scores = np.full(margins.shape, np.nan, np.float32)
    for held_out in range(options.folds):
        usable = ~member & (fold != held_out)
        counts = usable.sum(1).astype(np.int32)
        ids = np.argsort(~usable, 1, kind="stable").astype(np.int32)
        keys = targets * options.folds + held_out
        expected = np.asarray(_expected(features, standard, ids, np.maximum(counts, 1), keys, options=options))
        if options.target == "gaussian":
            judged = (standard - expected[..., 0]) * np.exp(-expected[..., 1])
        else:
            judged = (standard - expected[..., 0]) * spread
        scores = np.where((fold == held_out) & (counts > 0)[:, None], judged, scores)
    return scores


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    margins = np.asarray(hinge(jnp.asarray(needed(signals.logits)[:, :, 0]), needed(signals.labels)))
    scores = np.full(margins.shape, np.nan, np.float32)
    scores[valid] = quantile_scores(
        margins[valid], np.asarray(needed(signals.features)), np.asarray(member)[valid], options.quantile
    )
    return {"quantile": scores}


ATTACKS = (
    Attack(
        "quantile",
        "Quantile regression",
        _family_scores,
        "quantile",
        ("logits", "labels", "features"),
        0,
        0,
        requires=REFERENCES,
        knowledge="examples like the target's that it did not train on, and the target's margin on them",
        source="Bertran et al. 2023 (arXiv 2307.03694); amazon-science/quantile-mia",
        cost="a small network per target and fold, no shadow model",
        pure=False,
    ),
)
