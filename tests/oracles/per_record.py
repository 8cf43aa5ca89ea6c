"""Per-record calibration as its definition reads, a model and a record at a time, in float64."""

import numpy as np
from scipy.stats import norm, t

from miajax.data.pairs import complementary_partners


def standardised(scores, member, valid, fewest=3):
    """Normal quantiles of Student's distribution function, of each score against the record's other non-members."""
    partners = complementary_partners(member)
    found = np.full(scores.shape, np.nan)
    for target in range(len(scores)):
        for record in range(scores.shape[1]):
            if not valid[target] or np.isnan(scores[target, record]):
                continue
            others = [
                float(scores[other, record])
                for other in range(len(scores))
                if valid[other]
                and other != target
                and (partners is None or other != partners[target])
                and not member[other, record]
                and not np.isnan(scores[other, record])
            ]
            if len(others) < fewest:
                continue
            away = float(scores[target, record]) - np.mean(others)
            spread = np.std(others, ddof=1) * np.sqrt(1 + 1 / len(others))
            if spread == 0.0:
                found[target, record] = 0.0 if away == 0.0 else np.copysign(np.inf, away)
                continue
            ratio = away / spread
            found[target, record] = np.copysign(norm.isf(t.sf(abs(ratio), len(others) - 1)), ratio)
    return found


def expected_jaccard(num, one, other):
    """Mean Jaccard overlap of two random sets of given sizes among ``num``, over all sizes that they may share."""
    from math import comb

    total = 0.0
    for shared in range(max(0, one + other - num), min(one, other) + 1):
        ways = comb(one, shared) * comb(num - one, other - shared) / comb(num, other)
        total += ways * (shared / (one + other - shared) if one + other else 0.0)
    return total
