"""Whether another set of shadow models names the same records: overlap, what any and all find, decisions that flip.

After the study of attacks' disagreement (CCS 2025, RPI-DSPlab/MIAE): coverage is the union of what several attackers
find at one false-positive rate, stability the intersection, and the Jaccard index sets the one against the other.
Attackers here share the target and nothing else. What independent attackers of the same rates would show stands beside
every figure.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaln

from miajax.metrics.clusters import Groups, by_group, rows_a_draw, squares
from miajax.metrics.figures import Estimate
from miajax.metrics.forms import Form
from miajax.metrics.intervals import CONFIDENCE, crossed_spread, rate_interval
from miajax.metrics.paired import FEWEST_SETS
from miajax.metrics.pooled import leverage

QUANTILES = (0.5, 0.9, 0.99)


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far several attackers of one target agree, all of them at thresholds that they set on other models.

    Attributes:
      tpr, fpr: of one attacker, the mean over attackers.
      jaccard: members that two attackers both name, over those that either names.
      found_by_any, found_by_all: shares of the members.
      false_by_any, false_by_all: shares of the non-members.
      flips: share of the members that are named by some attackers and not by others.
      flips_of_records: by share of the records, how often a record's membership is told one way by one attacker and the
        other way by another, over targets that trained on it.
    """

    tpr: Estimate
    fpr: Estimate
    jaccard: Annotated[Estimate, Form(chance="chance_jaccard")]
    found_by_any: Annotated[Estimate, Form(chance="chance_found_by_any")]
    found_by_all: Annotated[Estimate, Form(chance="chance_found_by_all")]
    false_by_any: Annotated[Estimate, Form(chance="chance_false_by_any")]
    false_by_all: Annotated[Estimate, Form(chance="chance_false_by_all")]
    flips: Annotated[Estimate, Form(chance="chance_flips")]
    flips_of_records: Mapping[float, float]


def ratio(
    part: Float[np.ndarray, "models examples"],
    whole: Float[np.ndarray, "models examples"],
    groups: Groups = None,
    *,
    reason: str = "Nothing was named.",
    chance: float | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The sum of ``part`` over that of ``whole`` with an interval that lets models and examples vary.

    Linearised: a cell moves the ratio R by (part - R whole) / sum(whole).

    Args:
      part, whole: of every cell; ``0 <= part <= whole``.
      groups: examples that were drawn together, or None.
      reason: why there is none where ``whole`` is 0 throughout.
      chance: what independent attackers show.
      confidence: nominal coverage.
    """
    total = float(whole.sum())
    if total == 0.0:
        return Estimate(None, reason=reason, chance=chance)
    value = float(part.sum() / total)
    cells = by_group((part - value * whole) / total, groups)
    counts = by_group(whole / whole.max(), groups)
    of_models, of_examples = (cells.sum(axis) / (1.0 - _leverage(counts.sum(axis))) for axis in (1, 0))
    spread = crossed_spread(of_models, of_examples, squares(cells, None))
    trials = max(total / float(whole.max()) / rows_a_draw(groups), 1.0)
    return Estimate(value, rate_interval(min(max(value, 0.0), 1.0), spread, trials, confidence), chance=chance)


def _leverage(weights: np.ndarray) -> np.ndarray:
    return leverage(np.round(weights).astype(np.int64))


def agreement(
    named: Bool[np.ndarray, "attackers targets examples"],
    member: Bool[np.ndarray, "targets examples"],
    groups: Groups = None,
) -> Agreement:
    """How far attackers agree on the members of the same targets.

    Args:
      named: what each of two or more attackers calls a member; a record without a score is not named.
      member: True where the target trained on the record.
      groups: records that were drawn together, or None.
    """
    count = len(named)
    pairs = count * (count - 1) / 2
    inside, outside = member.astype(float), (~member).astype(float)
    times = named.sum(0).astype(float)  # attackers that name the cell
    both = times * (times - 1) / 2 / pairs
    either = (pairs - (count - times) * (count - times - 1) / 2) / pairs
    any_, all_ = times > 0, times == count
    flips = any_ & ~all_
    rates_in, rates_out = (
        ((named & side).sum(2) / np.maximum(side.sum(1), 1)).astype(float) for side in (member, ~member)
    )  # [attackers, targets]
    of_members = member.sum(1)

    def over_targets(chance: np.ndarray, side: np.ndarray) -> float:
        return float(chance @ side.sum(1) / max(int(side.sum()), 1))

    any_in, all_in = 1.0 - (1.0 - rates_in).prod(0), rates_in.prod(0)
    any_out, all_out = 1.0 - (1.0 - rates_out).prod(0), rates_out.prod(0)
    no_member, no_other = "No member has a score.", "No non-member has a score."

    def share(cells: np.ndarray, side: np.ndarray, chance: float | None, reason: str) -> Estimate:
        return ratio(cells * side, side, groups, reason=reason, chance=chance)

    trained = member.sum(0)
    own = np.where(trained > 0, (flips & member).sum(0) / np.maximum(trained, 1), np.nan)
    known = own[~np.isnan(own)]
    return Agreement(
        tpr=share(times / count, inside, None, no_member),
        fpr=share(times / count, outside, None, no_other),
        jaccard=ratio(
            both * inside, either * inside, groups, chance=chance_jaccard(rates_in, of_members),
            reason="No attacker names a member.",
        ),
        found_by_any=share(any_, inside, over_targets(any_in, member), no_member),
        found_by_all=share(all_, inside, over_targets(all_in, member), no_member),
        false_by_any=share(any_, outside, over_targets(any_out, ~member), no_other),
        false_by_all=share(all_, outside, over_targets(all_out, ~member), no_other),
        flips=share(flips, inside, over_targets(any_in - all_in, member), no_member),
        flips_of_records={q: float(np.quantile(known, q)) for q in QUANTILES if known.size},
    )  # fmt: skip


def chance_jaccard(rates: Float[np.ndarray, "attackers targets"], sizes: np.ndarray) -> float | None:
    """Expected overlap of independent sets: two that name the shares p and q have p q over p + q - p q.

    Args:
      rates: share of each target's members that each attacker names.
      sizes: members of each target.

    Returns:
      The ratio of the sums over pairs of attackers and targets, as ``Agreement.jaccard`` is one; None where nothing is
      named.
    """
    total = rates.sum(0)
    both = (total**2 - (rates**2).sum(0)) / 2
    either = (len(rates) - 1) * total - both
    whole = float(either @ sizes)
    return float(both @ sizes) / whole if whole > 0.0 else None


def expected_jaccard(num: int, one: int, other: int) -> float:
    """Mean Jaccard overlap of two random sets of ``one`` and ``other`` of ``num`` records (hypergeometric)."""
    if one + other == 0:
        return 0.0
    shared = np.arange(max(0, one + other - num), min(one, other) + 1)

    def log_choose(n: "int | np.ndarray", k: "int | np.ndarray") -> np.ndarray:
        return gammaln(np.add(n, 1)) - gammaln(np.add(k, 1)) - gammaln(np.subtract(n, k) + 1)

    logs = log_choose(one, shared) + log_choose(num - one, other - shared) - log_choose(num, other)
    return float((np.exp(logs) * shared / (one + other - shared)).sum())


def over_pairs(
    part: Float[np.ndarray, "pairs examples"],
    whole: Float[np.ndarray, "pairs examples"],
    groups: Groups = None,
    **said: Any,
) -> Estimate:
    """``ratio`` over pairs of sets of models: pairs are a sample from ``FEWEST_SETS`` on, of fewer only examples are.

    A variance from two or three pairs would have one or two degrees of freedom, and an interval from 0 to 1.

    Args:
      part, whole, groups: as of ``ratio``, a row for each pair.
      **said: further arguments of ``ratio``.
    """
    if len(part) < FEWEST_SETS:
        part, whole = part.sum(0, keepdims=True), whole.sum(0, keepdims=True)
    return ratio(part, whole, groups, **said)


def most_named(
    shares: Float[np.ndarray, " examples"], scores: Float[np.ndarray, " examples"], count: int
) -> Bool[np.ndarray, " examples"]:
    """The records that are named most often; of equals, those with the higher mean score.

    Args:
      shares: how often each record is named; NaN last.
      scores: mean score of each, which orders equals.
      count: of records to take.
    """
    order = np.lexsort((-np.nan_to_num(scores, nan=-np.inf), -np.nan_to_num(shares, nan=-1.0)))
    chosen = np.zeros(len(shares), bool)
    chosen[order[:count]] = True
    return chosen


def shared_top(
    tops: Bool[np.ndarray, "sets examples"], groups: Groups = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Mean share of one set's top records that the next disjoint set has in its own top, all of equal size.

    Consecutive sets are paired, so that no set is in two pairs; see ``over_pairs`` for the interval.

    Args:
      tops: of 2 or more disjoint sets of models, who is on top; an odd last set is left out.
      groups: records that were drawn together, or None.
      confidence: nominal coverage.
    """
    pairs = len(tops) // 2
    one, other = tops[0 : 2 * pairs : 2], tops[1 : 2 * pairs : 2]
    size = float(one[0].sum())
    return over_pairs(
        (one & other).astype(float), (one.astype(float) + other) / 2, groups,
        chance=size / tops.shape[1], confidence=confidence,
    )  # fmt: skip
