"""Membership, ids and labels from elsewhere: codes that say what rows are, so a wrong one moves every row."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from miajax.errors import UserError

_LARGEST_LABEL = np.iinfo(np.int32).max


def numbers(array: np.ndarray, where: str, dims: Sequence[int], expected: str) -> np.ndarray:
    """The array itself, if it holds numbers along as many axes as it should, and at least one.

    Raises:
      UserError: it does not.
    """
    if array.dtype.kind not in "fiub" or array.ndim not in dims or array.size == 0:
        raise UserError(f"{where}: {array.dtype}{list(array.shape)}", expected=expected)
    return array


def membership_of(codes: np.ndarray, where: str) -> Bool[np.ndarray, "*shape"]:
    """Membership from codes 0 and 1, of whatever dtype.

    Raises:
      UserError: there are other codes; the first ones are named.
    """
    if codes.dtype.kind not in "fiub" or not np.isin(codes, (0, 1)).all():
        found = np.unique(codes)[:4] if codes.dtype.kind in "fiub" else np.asarray([codes.dtype])
        listed = ", ".join(f"{value:g}" if codes.dtype.kind in "fiub" else str(value) for value in found)
        raise UserError(f"{where} holds {listed}", expected="codes of 0 and 1 only, 1 for members")
    return codes.astype(bool)


def ids_of(ids: np.ndarray, num_examples: int, where: str, complete: bool) -> Int[np.ndarray, " rows"]:
    """Example ids, each at most once.

    Args:
      ids: whole numbers ``[K]``.
      num_examples: N; ids are ``0..N-1``.
      where: for messages.
      complete: whether every one of the N has to be there.

    Raises:
      UserError: something else; the first id that is outside, repeated or missing is named.
    """
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise UserError(f"{where}: ids {ids.dtype}{list(ids.shape)}", expected="whole numbers [K]")
    outside = np.flatnonzero((ids < 0) | (ids >= num_examples))
    if len(outside):
        one_based = ids.min() == 1 and ids.max() == num_examples
        raise UserError(
            f"{where}: ids[{outside[0]}] is {ids[outside[0]]}",
            expected=f"0..{num_examples - 1}",
            remedy="They seem to count from 1: subtract 1" if one_based else "",
        )
    times = np.bincount(ids.astype(np.int64), minlength=num_examples)
    if times.max(initial=0) > 1:
        example = int(times.argmax())
        raise UserError(
            f"{where}: ids name an example more than once ({example}: {times[example]} times)",
            expected="each example once",
            remedy="Where members were drawn with replacement, ask the model about each of them once",
        )
    if complete and not times.all():
        left_out = int(times.argmin())
        raise UserError(f"{where}: ids leave out example {left_out}", expected=f"each of 0..{num_examples - 1} once")
    return ids.astype(np.int64)


def labels_of(labels: np.ndarray, num_examples: int, where: str, cut: bool = False) -> Int[np.ndarray, " examples"]:
    """Labels ``int32[N]`` from whole numbers of whatever dtype.

    Args:
      labels: ``[N]``, or more where ``cut``.
      num_examples: N.
      where: for messages.
      cut: whether labels of later examples are dropped: the published script trains on the first of ``y_train`` too.

    Raises:
      UserError: another number of them, or no whole numbers.
    """
    labels = np.asarray(labels).reshape(-1)
    labels = labels[:num_examples] if cut else labels
    whole = labels.dtype.kind in "iuf" and bool(np.isfinite(labels).all() and (labels == np.floor(labels)).all())
    if labels.shape != (num_examples,) or not whole or np.abs(labels.astype(np.float64)).max() > _LARGEST_LABEL:
        raise UserError(f"{where}: labels {labels.dtype}{list(labels.shape)}", expected=f"{num_examples} whole numbers")
    return labels.astype(np.int32)
