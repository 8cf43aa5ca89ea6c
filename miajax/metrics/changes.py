"""Whose exposure changed between two runs on the same examples: exact tests, and a rule that counts all of them.

Exposure is the share of the models trained on an example in which an attack names it, at one pooled false-positive rate
for each run. Where both runs have the same models' memberships, a model of one is paired with its twin in the other
and the exact sign test of the models that changed sides decides; else Fisher's exact test of the two shares. Among all
examples, those are named whose change passes Benjamini and Hochberg's rule (JRSS B 57, 1995), so that of the examples
named at most the rate is expected to be named by chance; the direction of the change counts as part of the claim
(Benjamini and Yekutieli, JASA 100, 2005).
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.metrics.vulnerability import exposure_at_pooled_fpr

FALSE_DISCOVERIES = 0.05
"""Share of the examples named that may be expected to be named by chance."""


class Changes(NamedTuple):
    """How each example's exposure changed.

    Attributes:
      before, after: ``float64[N]``, share of its models in which the attack names it; NaN without such a model.
      p: ``float64[N]``, of the exact two-sided test; NaN where either share is missing.
      direction: ``int64[N]``, 1 where exposure rose by the rule (protection was lost), -1 where it fell, else 0.
      models: ``int64[N]``, models behind the smaller of the two shares.
    """

    before: Float[np.ndarray, " examples"]
    after: Float[np.ndarray, " examples"]
    p: Float[np.ndarray, " examples"]
    direction: Int[np.ndarray, " examples"]
    models: Int[np.ndarray, " examples"]


def exposure_changes(
    before: Float[np.ndarray, "models examples"],
    after: Float[np.ndarray, "others examples"],
    member_before: Bool[np.ndarray, "models examples"],
    member_after: Bool[np.ndarray, "others examples"],
    valid_before: Bool[np.ndarray, " models"],
    valid_after: Bool[np.ndarray, " others"],
    *,
    fpr: float,
    paired: bool,
    rate: float = FALSE_DISCOVERIES,
) -> Changes:
    """Tests every example for a change of exposure.

    Args:
      before, after: an attack's scores in the two runs, higher = more likely a member; NaN is left out.
      member_before, member_after: True where the model trained on the example.
      valid_before, valid_after: False for models to leave out.
      fpr: pooled false-positive rate of each run's threshold, a fraction.
      paired: model m of the one has the members of model m of the other.
      rate: of false discoveries, a fraction.
    """
    runs = ((before, member_before, valid_before), (after, member_after, valid_after))
    found = [exposure_at_pooled_fpr(*run, fpr) for run in runs]
    cells = [member & valid[:, None] & ~np.isnan(scores) for scores, member, valid in runs]
    hits = [scores >= each.threshold for (scores, _, _), each in zip(runs, found, strict=True)]
    if paired:
        both = cells[0] & cells[1]
        models = both.sum(0)
        p = _sign_test((both & hits[0] & ~hits[1]).sum(0), (both & ~hits[0] & hits[1]).sum(0))
    else:
        counts = [each.sum(0) for each in cells]
        models = np.minimum(*counts)
        p = _fisher_test(*((hit & cell).sum(0) for hit, cell in zip(hits, cells, strict=True)), *counts)
    p = np.where(models > 0, p, np.nan)
    sign = np.sign(np.nan_to_num(found[1].tpr - found[0].tpr)).astype(np.int64)
    return Changes(found[0].tpr, found[1].tpr, p, np.where(discoveries(p, rate), sign, 0), models)


def discoveries(p: Float[np.ndarray, " tests"], rate: float = FALSE_DISCOVERIES) -> Bool[np.ndarray, " tests"]:
    """Which tests pass Benjamini and Hochberg's rule; NaN is no test."""
    known = np.flatnonzero(np.isfinite(p))
    passed = np.zeros(len(p), bool)
    order = known[np.argsort(p[known], kind="stable")]
    below = np.flatnonzero(p[order] <= rate * np.arange(1, len(order) + 1) / max(len(order), 1))
    passed[order[: below[-1] + 1 if len(below) else 0]] = True
    return passed


def models_to_see_one(num_examples: int, rate: float = FALSE_DISCOVERIES) -> int:
    """Pairs of models that must all change sides before a single example can be named among so many."""
    return math.ceil(math.log2(2 * num_examples / rate) - 1e-9)


def _sign_test(lost: np.ndarray, gained: np.ndarray) -> np.ndarray:
    """Two-sided, of pairs that changed sides: either way is equally likely where nothing changed."""
    from scipy.stats import binom  # scipy.stats costs half a second of every command that imports it

    return np.minimum(1.0, 2.0 * binom.cdf(np.minimum(lost, gained), lost + gained, 0.5))


def _fisher_test(hits: np.ndarray, others: np.ndarray, models: np.ndarray, other_models: np.ndarray) -> np.ndarray:
    """Two-sided by doubling the smaller tail."""
    from scipy.stats import hypergeom

    of = (models + other_models, hits + others, models)
    return np.minimum(1.0, 2.0 * np.minimum(hypergeom.cdf(hits, *of), hypergeom.sf(hits - 1, *of)))
