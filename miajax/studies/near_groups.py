"""Groups whose rows nearly copy those of another group: one person under two keys, as far as the features tell.

If one of the two is a member and the other is not, an attack that names both is counted wrong on one of them: figures
are too low for it, and leaving out one of the two protects nobody.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Num

from miajax.metrics.people import NearCopies
from miajax.studies.blind import rows_of, scale_of

_NEAR = 0.25  # of the median distance from a row to the nearest row of another group, as for near-copies of rows
_FEWEST = 2  # rows of a group that have to be near: single rows of different people are alike by chance
_SHARE = 0.5  # of a group's rows
_MOST_PAIRS = 2 * 10**9  # rows that are compared: seconds on two cores
_BLOCK = 1024
_SHOWN = 20


def near_groups(
    features: Num[np.ndarray, "examples *row"],
    groups: Int[np.ndarray, " examples"],
    names: Sequence[str],
    *,
    seed: int = 0,
) -> NearCopies:
    """Pairs of groups of which more than half of the one's rows, and two or more, nearly copy rows of the other.

    Distances are Euclidean over standardised features; near is below a quarter of the median distance from a row to the
    nearest row of another group, or exact.

    Args:
      features: as the data set has them.
      groups: of each row, 0..G-1.
      names: of the groups, G.
      seed: of the rows that are searched, where all would be too many.

    Returns:
      What was found, with up to 20 pairs.
    """
    rows = rows_of(features)
    scaled = (rows.astype(np.float32) - rows.mean(0, dtype=np.float64).astype(np.float32)) / scale_of(rows)
    asked = np.arange(len(rows))
    most = max(1, _MOST_PAIRS // len(rows))
    if len(asked) > most:
        asked = np.sort(np.random.default_rng([seed, 0x6E67]).permutation(len(rows))[:most])
    nearest, apart = _nearest_elsewhere(scaled, groups, asked)
    below = _NEAR * float(np.median(apart))
    near = (apart < below) | (apart == 0)
    sizes = np.bincount(groups[asked], minlength=int(groups.max()) + 1)
    pairs, counts = np.unique(
        np.stack([groups[asked[near]], groups[nearest[near]]], 1).reshape(-1, 2), axis=0, return_counts=True
    )
    named = [
        (int(one), int(other), int(count), int(sizes[one]))
        for (one, other), count in zip(pairs, counts, strict=True)
        if count >= _FEWEST and count > _SHARE * sizes[one]
    ]
    once = {frozenset(each[:2]): each for each in sorted(named, key=lambda each: each[2])}
    found = sorted(once.values(), key=lambda each: (-each[2], each))
    pairs = tuple((names[one], names[other], count, size) for one, other, count, size in found[:_SHOWN])
    return NearCopies(len(found), len(asked), below, pairs)


def _nearest_elsewhere(
    rows: np.ndarray, groups: np.ndarray, asked: np.ndarray
) -> tuple[Int[np.ndarray, " asked"], np.ndarray]:
    """The nearest row of another group to each row that was asked about, and its distance."""
    squares = (rows**2).sum(1)
    nearest = np.empty(len(asked), np.int64)
    for first in range(0, len(asked), _BLOCK):
        block = asked[first : first + _BLOCK]
        distances = squares - 2 * (rows[block] @ rows.T)
        distances[groups[block][:, None] == groups] = np.inf
        nearest[first : first + len(block)] = distances.argmin(1)
    return nearest, np.linalg.norm(rows[asked] - rows[nearest], axis=1)
