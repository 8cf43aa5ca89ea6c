"""Online LiRA that does not take an example's views for independent: one Gaussian over all queries on each side.

The covariance of few models over many views is singular, so it is shrunk towards its diagonal:
(1 - lambda) S + lambda diag(S). Lambda = 1 gives Q times ``lira_online``.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

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
from miajax.attacks.leave_one_out import leave_one_out_products
from miajax.attacks.options import AttackOptions
from miajax.signals.bundle import AnyArray, Signals
from miajax.typed import fori_loop, jit


@jit(static_argnames="shrinkage")
def _kernel(
    scaled_logit: ScaledLogit, member: Member, valid: Valid, partners: Partners, *, shrinkage: float
) -> Float[Array, "models examples"]:
    return joint_log_ratio(jnp.swapaxes(scaled_logit, 1, 2), member, valid, partners, shrinkage)


def joint_log_ratio(
    vectors: Float[AnyArray, "models numbers block"],
    member: Bool[AnyArray, "models block"],
    valid: Bool[AnyArray, " models"],
    partners: Partners,
    shrinkage: float,
) -> Float[Array, "models block"]:
    """log N(v; in) - log N(v; out), each side one Gaussian of a shrunk covariance; NaN where that is singular.

    Args:
      vectors: what each model says of each example.
      member, valid, partners: see ``Attack.score``.
      shrinkage: lambda.
    """
    both = sides(member, valid)[:, :, None, :]
    log_density = jax.vmap(_log_density, (None, 0, None, None))(vectors, both, partners, shrinkage)
    return log_density[0] - log_density[1]


def _log_density(
    phi: Float[AnyArray, "models queries block"], side: Array, partners: Partners, shrinkage: float
) -> Array:
    """Of every model under the Gaussian of the side's other models, without the constant, ``[M, block]``."""
    others = leave_one_out_products(phi, side, partners)
    covariance = jnp.moveaxis(others.sum_squares / others.count[:, None], 0, 2)
    diagonal = jnp.eye(len(covariance), dtype=bool)[:, :, None, None]
    shrunk = jnp.where(diagonal, covariance, (1 - shrinkage) * covariance)
    log_det, distance = _log_det_and_distance(shrunk, jnp.swapaxes(phi - others.mean, 0, 1))
    return -0.5 * (log_det + distance)


def _log_det_and_distance(matrix: Float[Array, "n n ..."], vector: Float[Array, "n ..."]) -> tuple[Array, Array]:
    """``log det A`` and ``v' A^-1 v`` of many positive definite matrices, NaN where one is not.

    Gaussian elimination over the leading axes, vectorised over the rest: LAPACK takes small matrices one at a time.
    """

    def eliminate(k: Array, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        matrix, vector, log_det, distance = state
        pivot, column, entry = matrix[k, k], matrix[:, k], vector[k]
        pivot = jnp.where(pivot > 0, pivot, jnp.nan)
        matrix = matrix - column[:, None] * (matrix[k] / pivot)
        vector = vector - column * (entry / pivot)
        return matrix, vector, log_det + jnp.log(pivot), distance + entry * entry / pivot

    zero = jnp.zeros(vector.shape[1:], vector.dtype)
    _, _, log_det, distance = fori_loop(0, len(vector), eliminate, (matrix, vector, zero, zero))
    return log_det, distance


def _family_scores(
    names: Names, signals: Signals, member: Member, valid: Valid, options: AttackOptions, partners: Partners
) -> Scores:
    phi = needed(signals.scaled_logit)
    num_models, _, queries = phi.shape
    kernel = functools.partial(_kernel, shrinkage=options.covariance_shrinkage)
    width = block_width(2 * num_models * queries**2)
    arrays = (phi, member, valid, partners)
    return {"lira_online_fullcov": map_examples(kernel, arrays, (1, 1, None, None), width)}


ATTACKS = (
    Attack(
        "lira_online_fullcov",
        "LiRA online (full covariance)",
        _family_scores,
        "lira_fullcov",
        ("scaled_logit",),
        2,
        2,
        requires=WITH_AND_WITHOUT,
        source="Carlini et al. 2022 (arXiv 2112.03570), its views under one joint Gaussian; shrinkage derived here",
        cost="shadow models; elimination of a Q x Q covariance per cell",
        log_likelihood_ratio=True,
        least_queries=2,
        few_queries="takes several queries; with one it is lira_online",
    ),
)
