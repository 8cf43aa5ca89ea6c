"""The exact ROC of scores against membership, and the figures read off it.

Host float64 NumPy: a rate of 1e-4 over millions of scores is a quotient of exact counts, not of float32 sums.
Everywhere a higher score means "more likely a member" and the rule is "call it a member where score >= threshold".
"""

import dataclasses
import functools
import math

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from miajax.errors import UserError
from miajax.metrics.ranking import ranked, scores_of


@dataclasses.dataclass(frozen=True, eq=False)
class Roc:
    """Every corner of the ROC, as counts.

    Attributes:
      thresholds: distinct scores, descending, with +inf put before them: the point where nothing is called a member.
      true_positives: members with a score of at least the threshold.
      false_positives: non-members with a score of at least the threshold.
      num_members: members behind the curve.
      num_non_members: non-members behind the curve.
    """

    thresholds: Float[np.ndarray, " thresholds"]
    true_positives: Int[np.ndarray, " thresholds"]
    false_positives: Int[np.ndarray, " thresholds"]
    num_members: int
    num_non_members: int

    @functools.cached_property
    def tpr(self) -> Float[np.ndarray, " thresholds"]:
        """True-positive rate at every threshold, a fraction."""
        return self.true_positives / self.num_members

    @functools.cached_property
    def fpr(self) -> Float[np.ndarray, " thresholds"]:
        """False-positive rate at every threshold, a fraction."""
        return self.false_positives / self.num_non_members

    @functools.cached_property
    def excess(self) -> Float[np.ndarray, " thresholds"]:
        """TPR - FPR at every threshold."""
        return self.tpr - self.fpr


def roc_curve(scores: Num[np.ndarray, "..."] | Bool[np.ndarray, "..."], member: Bool[np.ndarray, "..."]) -> Roc:
    """Returns the exact ROC; equal scores share one corner, NaN scores are left out.

    Args:
      scores: any shape, higher = more likely a member; infinities are ordinary extremes.
      member: same shape, True where the score belongs to a member.

    Raises:
      UserError: no member or no non-member has a score.
    """
    return ranked_roc(scores, member)[0]


def ranked_roc(
    scores: Num[np.ndarray, "..."] | Bool[np.ndarray, "..."], member: Bool[np.ndarray, "..."]
) -> tuple[Roc, Int[np.ndarray, " usable"], Bool[np.ndarray, " usable"]]:
    """Returns the ROC with the flat positions of the scores behind it, best score first, and which are members'.

    The first ``true_positives[k] + false_positives[k]`` positions are those that threshold k calls members.

    Args:
      scores: any shape; NaN is left out.
      member: same shape.

    Raises:
      UserError: no member or no non-member has a score.
    """
    flat = np.ravel(scores)
    if not np.issubdtype(flat.dtype, np.floating):
        flat = flat.astype(np.float64)
    num_usable = flat.size - int(np.count_nonzero(np.isnan(flat)))
    order, positive, key = (array[:num_usable] for array in ranked(flat, np.ravel(member)))
    num_members = int(np.count_nonzero(positive))
    if num_members in (0, num_usable):
        raise UserError(
            f"{num_members} members and {num_usable - num_members} non-members have a score",
            expected="at least one of each",
            remedy="Train more shadow models, or look up why the attack left these cells without a score",
        )
    last_of_its_value = np.ones(num_usable, bool)
    np.not_equal(key[1:], key[:-1], out=last_of_its_value[:-1])
    called = np.flatnonzero(last_of_its_value) + 1
    true_positives = np.zeros(len(called) + 1, np.int64)
    true_positives[1:] = np.cumsum(positive)[last_of_its_value]
    roc = Roc(
        thresholds=np.concatenate([np.array([np.inf], flat.dtype), scores_of(key[last_of_its_value])]),
        true_positives=true_positives,
        false_positives=np.concatenate([[0], called]) - true_positives,
        num_members=num_members,
        num_non_members=num_usable - num_members,
    )
    return roc, order, positive


def auc(roc: Roc) -> float:
    """Area under the ROC: the chance that a member outscores a non-member, ties counting one half."""
    width = np.diff(roc.false_positives)
    doubled_height = roc.true_positives[1:] + roc.true_positives[:-1]
    return float(np.dot(width, doubled_height) / (2.0 * roc.num_members * roc.num_non_members))


def advantage(roc: Roc) -> float:
    """Largest TPR - FPR over all thresholds: signed, so an attack that ranks the wrong way round gets 0."""
    return float(roc.excess.max())


def absolute_advantage(roc: Roc) -> float:
    """Largest |TPR - FPR| over all thresholds: what is left if the attacker may also flip the score."""
    return float(max(roc.excess.max(), -roc.excess.min()))


def balanced_accuracy(roc: Roc) -> float:
    """Largest mean of TPR and 1 - FPR over all thresholds, which is (1 + advantage) / 2."""
    return (1.0 + advantage(roc)) / 2.0


def allowed_false_positives(fpr: float, num_non_members: int) -> int:
    """The largest number of false positives whose rate is at most ``fpr``; 0 where the rate cannot be resolved."""
    return math.floor(fpr * num_non_members * (1.0 + 1e-12))  # 0.29 * 100 is a hair below 29


def corner_at(roc: Roc, false_positives: int) -> int:
    """Index of the lowest threshold with at most that many false positives, hence of the largest TPR among them."""
    return int(np.searchsorted(roc.false_positives, false_positives, side="right")) - 1


def tpr_at_fpr(roc: Roc, fpr: float) -> float | None:
    """The largest TPR whose FPR is at most ``fpr``: a corner of the ROC, never interpolated.

    Args:
      roc: the exact curve.
      fpr: a fraction; 0.001 is 0.1 %.

    Returns:
      The rate, or None where ``fpr`` is below 1 / (number of non-members): one false positive would exceed it.
    """
    allowed = allowed_false_positives(fpr, roc.num_non_members)
    if allowed == 0:
        return None
    return float(roc.tpr[corner_at(roc, allowed)])


def tpr_at_zero_fp(roc: Roc) -> float:
    """Fraction of members that outscore every non-member. It falls as non-members are added: compare equal numbers."""
    return float(roc.tpr[corner_at(roc, 0)])


def ppv(tpr: float, fpr: float, prior: float) -> float | None:
    """Chance that a record called a member is one, if a fraction ``prior`` of all records are members.

    Args:
      tpr: true-positive rate of the rule, a fraction.
      fpr: its false-positive rate, a fraction.
      prior: fraction of members among the records that the attacker asks about.

    Returns:
      prior TPR / (prior TPR + (1 - prior) FPR), or None where the rule calls nothing a member.
    """
    called = prior * tpr + (1.0 - prior) * fpr
    return prior * tpr / called if called > 0.0 else None


def thin(roc: Roc, num_points: int = 300) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Chooses corners for a plot with logarithmic axes.

    Each kept point is a corner of the exact curve: the largest TPR at its number of false positives. The first
    false positives are all kept, then ever fewer in geometric steps, and the end (1, 1).

    Args:
      roc: the exact curve.
      num_points: about how many points to keep, at least 10.

    Returns:
      ``fpr`` and ``tpr``, ascending; the first point has FPR 0.
    """
    geometric = np.geomspace(1.0, roc.num_non_members, num_points)
    wanted = np.unique(np.concatenate([[0.0], np.floor(geometric), [roc.num_non_members]]).astype(np.int64))
    corners = np.unique(np.searchsorted(roc.false_positives, wanted, side="right") - 1)
    return roc.fpr[corners], roc.tpr[corners]
