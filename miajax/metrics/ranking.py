"""Scores in order, best first, with what is known of each cell: the sort behind every ROC.

A single-precision score, its place and its side are packed into one 64-bit word and the words are sorted: NumPy sorts
words two and a half times as fast as it sorts places by value (12.8 million: 0.8 s against 2.1 s of one core), and
nothing has to be gathered from all over the memory afterwards.
"""

import sys
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

_NAN = np.uint32(0xFFFFFFFF)
_SIGN = np.int32(31)
_MAGNITUDE = np.uint32(0x7FFFFFFF)


class Ranking(NamedTuple):
    """Cells in order of their scores along the last axis, best first, NaN last.

    Attributes:
      place: of each cell on that axis.
      is_member: of each cell.
      key: equal where scores are, and ascending; NaN has the greatest.
    """

    place: Int[np.ndarray, "*rows ranks"]
    is_member: Bool[np.ndarray, "*rows ranks"]
    key: Shaped[np.ndarray, "*rows ranks"]


def ranked(scores: Float[np.ndarray, "*rows ranks"], member: Bool[np.ndarray, "*rows ranks"]) -> Ranking:
    """Sorts along the last axis.

    Args:
      scores: of any floating type; 0 and -0 are equal.
      member: which cells are members'.
    """
    if scores.dtype != np.float32 or scores.shape[-1] >= 1 << 31 or sys.byteorder != "little":
        place = np.argsort(-scores, axis=-1)
        return Ranking(place, np.take_along_axis(member, place, -1), -np.take_along_axis(scores, place, -1))
    words = np.empty(scores.shape, np.uint64)
    halves = words.view(np.uint32).reshape(*scores.shape, 2)
    bits = (scores + np.float32(0)).view(np.uint32)
    bits ^= ~(bits.view(np.int32) >> _SIGN).view(np.uint32) & _MAGNITUDE  # ascends where scores descend
    bits[np.isnan(scores)] = _NAN
    halves[..., 1] = bits
    np.left_shift(np.arange(scores.shape[-1], dtype=np.uint32), np.uint32(1), out=halves[..., 0])
    halves[..., 0] |= member
    words.sort(axis=-1)
    low = halves[..., 0]
    return Ranking((low >> np.uint32(1)).view(np.int32), (low & np.uint32(1)).astype(bool), halves[..., 1].copy())


def scores_of(key: Shaped[np.ndarray, " cells"]) -> Float[np.ndarray, " cells"]:
    """The scores that keys stand for, none of them NaN; 0 for -0."""
    if key.dtype != np.uint32:
        return -key
    flipped = ~(key.view(np.int32) >> _SIGN).view(np.uint32) & _MAGNITUDE
    return (key ^ flipped).view(np.float32)
