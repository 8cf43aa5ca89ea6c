"""Undoing logit reweighting: what somebody who knows centroids and weight reads out of the answers.

Derived here from the definition in ``reweighting``. An answer tells on which ray from the centroid the logits lie, and
hides how far out: one unknown. Float64 on the host, since a small difference of large logits is what it starts from.
"""

import numpy as np
from jaxtyping import Float, Shaped

_HALVINGS = 60  # of an interval within [0, 1]: to the last bit of float64


def undo_reweighting(
    answers: Shaped[np.ndarray, "*batch classes"], centroids: Shaped[np.ndarray, "classes classes"], weight: float
) -> Float[np.ndarray, "*batch classes"]:
    """The logits that ``reweight_logits`` turns into these answers, float64.

    With a the centroid's length, and p and r the components of ``d = answer - centroid`` along and across it, the
    logits are ``centroid + d / s``, where the kept share s in (0, weight] solves

        s = weight cos(logits, centroid) = weight (a s + p) / sqrt((a s + p)^2 + r^2).

    The right side is concave where ``a s + p > 0``: beyond the point where its slope falls below 1 the difference of
    both sides is monotone, and halving an interval finds the one solution there. For p >= 0 there is no other. Short of
    the centroid (p < 0) logits farther out on the same ray may give the same answer; the nearer ones are returned, so
    that unsure answers, far from their centroid at a wide angle, come back too sure. Logits that point away from
    their centroid (s < 0) are not recovered either. Classes without a centroid (NaN) have plain answers already.

    Args:
      answers: ``[..., C]``, from ``reweight_logits``.
      centroids: those that it was given.
      weight: the one that it was given, above 0: at 0 answers say nothing but their class.
    """
    answers = np.asarray(answers, np.float64)
    centroid = np.asarray(centroids, np.float64)[answers.argmax(-1)]
    length = np.linalg.norm(centroid, axis=-1)
    known = length > 0  # false for NaN, too
    length = np.where(known, length, 1.0)
    centroid = np.where(known[..., None], centroid, 0.0)
    moved = answers - centroid
    direction = centroid / length[..., None]
    along = (moved * direction).sum(-1)
    across = np.linalg.norm(moved - along[..., None] * direction, axis=-1)

    steepest = np.sqrt(np.maximum((weight * length * across**2) ** (2 / 3) - across**2, 0.0))  # a s + p of slope 1
    low = np.clip((steepest - along) / length, 0.0, weight)
    high = np.full_like(low, weight)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reach = length * middle + along
        beyond = weight * reach < middle * np.hypot(reach, across)
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    kept = np.where(known & (high > 0), high, 1.0)
    return centroid + moved / kept[..., None]
