"""How likely a model finds the label, against how likely the other models find it: what RMIA and BASE compare."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from miajax.attacks.attack import Partners
from miajax.attacks.options import RmiaOptions
from miajax.signals.bundle import AnyArray
from miajax.signals.scaled_logit import scaled_logit


def log_likelihood(
    logits: Float[AnyArray, "*batch classes"], labels: Int[AnyArray, "..."], options: RmiaOptions
) -> Float[Array, "*batch"]:
    """The log-probability of the label under the options' likelihood.

    ``softmax`` at temperature T, or the soft-margin Taylor softmax of Zarifzadeh et al. 2024 (arXiv 2312.03262) after
    Banerjee et al. 2020 (arXiv 2011.11538): with t the Taylor polynomial of exp, t(z_y - m) over itself plus the other
    t(z_j). The published code stops a degree early, at an odd one, where t turns negative below logits of about -1.6.

    Args:
      logits: ``[..., C]``; the Taylor form depends on their shift, as published.
      labels: broadcastable against the leading axes.
    """
    scaled = logits / options.temperature
    if options.likelihood == "softmax":
        return -jax.nn.softplus(-scaled_logit(scaled, labels))
    own = jnp.asarray(labels)[..., None] == jnp.arange(logits.shape[-1])
    label = _taylor_exp(jnp.where(own, scaled, 0).sum(-1) - options.taylor_margin, options.taylor_order)
    others = jnp.where(own, 0, _taylor_exp(scaled, options.taylor_order)).sum(-1)
    return -jnp.log1p(others / label)


def _taylor_exp(x: AnyArray, order: int) -> Array:
    total = jnp.full_like(x, 1 / math.factorial(order))
    for degree in range(order - 1, -1, -1):
        total = total * x + 1 / math.factorial(degree)
    return total


def others_log_mean(
    log_values: Float[AnyArray, "models ..."], side: Bool[AnyArray, "models ..."], partners: Partners = None
) -> Float[Array, "models ..."]:
    """``log mean exp`` over some models, leaving out each with its complementary partner; -inf where none is left.

    A forward and a backward sweep, as in ``leave_one_out``: a model that towers over the others takes nothing away
    from what is left without it.

    Args:
      log_values: ``[M, ...]``; anything where ``side`` is False.
      side: the models that count, broadcastable against ``log_values``; both of a pair may.
      partners: see ``Partners``.
    """
    side = jnp.asarray(side)
    weight = side.astype(log_values.dtype)
    entries = jnp.where(side, log_values, -jnp.inf)
    removed = weight
    first = None
    if partners is not None:  # the sweeps take a pair for one entry, where its first model stands
        models = jnp.arange(len(side))
        alone = (partners == models).reshape(-1, *[1] * (side.ndim - 1))
        first = jnp.minimum(partners, models)
        removed = weight + jnp.where(alone, 0, weight[partners])
        joined = jnp.logaddexp(entries, jnp.where(alone, -jnp.inf, entries[partners]))
        entries = jnp.where((first == models).reshape(alone.shape), joined, -jnp.inf)
    nothing = jnp.full_like(entries[0], -jnp.inf)

    def forwards(before: Array, value: Array) -> tuple[Array, Array]:
        return jnp.logaddexp(before, value), before

    def backwards(after: Array, model: tuple[Array, Array]) -> tuple[Array, Array]:
        value, before = model
        return jnp.logaddexp(after, value), jnp.logaddexp(before, after)

    _, before = lax.scan(forwards, nothing, entries)
    _, others = lax.scan(backwards, nothing, (entries, before), reverse=True)
    others = others if first is None else others[first]
    return others - jnp.log(jnp.maximum(weight.sum(0) - removed, 1))
