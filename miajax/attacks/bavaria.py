"""BaVarIA: LiRA with a prior, so that a handful of shadow models is enough.

Brännvall 2026 (arXiv 2603.11799): on each side the scaled logits of an example are Gaussian with a normal-inverse-gamma
prior on mean and variance. The score is the log ratio of the predictive densities: Student's t (``bavaria_t``), or a
Gaussian with the same centre and scale (``bavaria_n``). The prior is estimated from all examples, target and partner
left out: its mean and variance from their pooled values, its strengths by the method of moments from how much the means
and the variances of the examples differ beyond what so few models explain. Without models a side falls back to its
prior; with many, both scores become online LiRA's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from miajax.arrays import AnyArray
from miajax.attacks.attack import (
    WITH_AND_WITHOUT,
    Attack,
    Member,
    Names,
    Partners,
    ScaledLogit,
    Scores,
    Valid,
    needed,
    sides,
)
from miajax.attacks.blocks import block_width, map_examples
from miajax.attacks.leave_one_out import LeaveOneOut, leave_one_out
from miajax.attacks.options import AttackOptions
from miajax.signals.bundle import Signals
from miajax.typed import jit

_STRONGEST = 1e4  # a prior worth more models than anyone trains: examples that do not differ


class NormalInverseGamma(NamedTuple):
    """A prior of mean and variance: variance ~ InvGamma(alpha, beta), mean ~ N(mean, variance / kappa).

    Attributes:
      mean, kappa, alpha, beta: arrays that broadcast against the statistics they are updated with.
    """

    mean: Float[Array, "..."]
    kappa: Float[Array, "..."]
    alpha: Float[Array, "..."]
    beta: Float[Array, "..."]

    def updated(self, sample: LeaveOneOut) -> "NormalInverseGamma":
        """The posterior after a sample of known count, mean and sum of squares."""
        kappa = self.kappa + sample.count
        shift = sample.mean - self.mean
        pull = self.kappa * sample.count / kappa
        return NormalInverseGamma(
            mean=self.mean + shift * sample.count / kappa,
            kappa=kappa,
            alpha=self.alpha + sample.count / 2,
            beta=self.beta + (sample.sum_squares + pull * shift * shift) / 2,
        )

    def squared_scale(self) -> Array:
        """Of the predictive distribution of one more value."""
        return self.beta * (self.kappa + 1) / (self.alpha * self.kappa)

    def log_student_t(self, value: AnyArray) -> Array:
        """Log-density of one more value: Student's t with 2 alpha degrees of freedom."""
        scale2 = self.squared_scale()
        z2 = (value - self.mean) ** 2 / (2 * self.alpha * scale2)
        log_norm = _log_gamma_step(self.alpha) - 0.5 * jnp.log(2 * jnp.pi * self.alpha)
        return log_norm - 0.5 * jnp.log(scale2) - (self.alpha + 0.5) * jnp.log1p(z2)

    def log_normal(self, value: AnyArray) -> Array:
        """The same with Gaussian tails."""
        scale2 = self.squared_scale()
        return -0.5 * (jnp.log(2 * jnp.pi * scale2) + (value - self.mean) ** 2 / scale2)


def _log_gamma_step(a: Array) -> Array:
    """``log Gamma(a + 1/2) - log Gamma(a)``, by its asymptotic series where the difference would cancel."""
    small = jnp.minimum(a, 8.0)
    exact = jax.lax.lgamma(small + 0.5) - jax.lax.lgamma(small)
    large = jnp.maximum(a, 8.0)
    series = 0.5 * jnp.log(large) - 1 / (8 * large) + 1 / (192 * large**3) - 1 / (640 * large**5)
    return jnp.where(a < 8, exact, series)


def _both_sides(
    scaled_logit: ScaledLogit, member: Member, valid: Valid, partners: Partners
) -> tuple[Array, LeaveOneOut]:
    phi = jnp.swapaxes(scaled_logit, 1, 2)
    return phi, jax.vmap(leave_one_out, (None, 0, None))(phi, sides(member, valid)[:, :, None, :], partners)


@jit
def _cells(scaled_logit: ScaledLogit, member: Member, valid: Valid, partners: Partners) -> dict[str, Array]:
    """What one example says of the prior, ``[2, M, block]`` each."""
    _, others = _both_sides(scaled_logit, member, valid, partners)
    count = others.count[:, :, 0]
    variance = others.sum_squares / jnp.maximum(others.count - 1, 1)
    return {
        "count": count,
        "mean": others.mean.mean(2),
        "mean_square": (others.mean**2).mean(2),
        "sum_squares": others.sum_squares.mean(2),
        "variance": variance.mean(2),
        "variance_square": (variance**2).mean(2) * jnp.maximum(count - 1, 0) / (count + 1),
    }


@jit
def _prior(cells: dict[str, Array]) -> NormalInverseGamma:
    """One prior per side and target, ``[2, M]``, by the method of moments over the examples."""

    def over(weight: Array, values: Array) -> Array:
        return (weight * values).sum(-1) / weight.sum(-1)

    count = cells["count"]
    some, two = (count >= 1).astype(count.dtype), (count >= 2).astype(count.dtype)
    mean = over(count, cells["mean"])
    variance = cells["sum_squares"].sum(-1) / jnp.maximum(count - 1, 0).sum(-1)
    # Var(sample mean) = between + variance / n
    between = over(some, cells["mean_square"]) - over(some, cells["mean"]) ** 2
    between = between - variance * over(some, 1 / jnp.maximum(count, 1))
    # E[s^4] = E[sigma^4] (n + 1) / (n - 1), and E[sigma^4] / E[sigma^2]^2 = 1 + 1 / (alpha - 2)
    spread = over(two, cells["variance_square"]) / over(two, cells["variance"]) ** 2 - 1
    kappa = jnp.where(between * _STRONGEST > variance, variance / between, _STRONGEST)
    alpha = jnp.where(spread * _STRONGEST > 1, 2 + 1 / spread, _STRONGEST)
    return NormalInverseGamma(mean, kappa, alpha, alpha * variance)


@jit
def _score(
    scaled_logit: ScaledLogit,
    member: Member,
    valid: Valid,
    partners: Partners,
    prior: Sequence[Array] | Float[Array, "parameters sides models"],
) -> dict[str, Array]:
    phi, others = _both_sides(scaled_logit, member, valid, partners)
    posterior = NormalInverseGamma(*(field[:, :, None, None] for field in prior)).updated(others)
    student, normal = posterior.log_student_t(phi), posterior.log_normal(phi)
    return {"bavaria_t": (student[0] - student[1]).mean(1), "bavaria_n": (normal[0] - normal[1]).mean(1)}


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    phi = needed(signals.scaled_logit)
    arrays, width = (phi, member, valid, partners), block_width(phi.shape[0] * phi.shape[2])
    prior = _prior(map_examples(_cells, arrays, (1, 1, None, None), width))
    if options.bavaria.mean_strength is not None:
        prior = prior._replace(kappa=jnp.full_like(prior.kappa, options.bavaria.mean_strength))
    if options.bavaria.variance_strength is not None:
        alpha = options.bavaria.variance_strength
        prior = prior._replace(alpha=jnp.full_like(prior.alpha, alpha), beta=prior.beta / prior.alpha * alpha)
    scores = map_examples(_score, (*arrays, prior), (1, 1, *[None] * 3), width)
    return {name: scores[name] for name in names}


def _attack(name: str, label: str) -> Attack:
    return Attack(
        name,
        label,
        _family_scores,
        "bavaria",
        ("scaled_logit",),
        0,
        0,
        requires=WITH_AND_WITHOUT,
        knowledge="shadow models, even few, trained with and without some examples on data like the target's",
        source="Brännvall 2026 (arXiv 2603.11799); prior and update derived here",
        cost="shadow models; two passes over their scaled logits for all targets",
        log_likelihood_ratio=True,
    )


ATTACKS = (_attack("bavaria_t", "BaVarIA t"), _attack("bavaria_n", "BaVarIA n"))
