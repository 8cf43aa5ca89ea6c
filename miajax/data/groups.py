"""Whose rows they are: the visits of one patient, the years of one person. A group is a member whole or not at all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from miajax.errors import UserError

_REMEDY = "Give every row the key of its person, or drop such rows"


def group_codes(
    where: str, groups: Any, num_examples: int, keys: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Groups as numbers, and the key of each.

    Args:
      where: for messages.
      groups: ``[N]``, whole numbers or texts: the key of each row's group; numbers of ``keys`` where those are given.
      num_examples: N.
      keys: one a group, where ``groups`` numbers them; those without a row go.

    Returns:
      ``int32[N]`` in ``0..G-1``, by sorted key; and the G keys as text.

    Raises:
      UserError: another shape or type, a row without a key, or fewer than two groups.
    """
    values = np.asarray(groups)
    if values.shape != (num_examples,):
        raise UserError(f"{where}: groups has shape {values.shape}", expected=f"one key a row, shape ({num_examples},)")
    missing = _missing(where, values)
    if missing.any():
        raise UserError(
            f"{where}: groups has no key in row {int(missing.argmax())} ({int(missing.sum())} such rows)",
            expected="a key in every row",
            remedy=_REMEDY,
        )
    if values.dtype.kind == "f":
        values = values.astype(np.int64)
    found, codes = np.unique(values.astype(str) if values.dtype.kind == "O" else values, return_inverse=True)
    if len(found) < 2:
        raise UserError(
            f"{where}: all {num_examples} rows are of one group",
            expected="at least 2 groups, so that some are members and others are not",
            remedy="Check the column of groups",
        )
    named = tuple(keys[code] for code in found) if len(keys) else tuple(str(key) for key in found)
    return np.ascontiguousarray(codes.reshape(-1), np.int32), named


def _missing(where: str, values: np.ndarray) -> np.ndarray:
    """Which rows have no key; a type that can be no key is refused."""
    kind = values.dtype.kind
    if kind == "O":
        bad = [not isinstance(each, (str, int, type(None))) for each in values]
        if not any(bad):
            return np.array([each is None or each == "" for each in values], bool)
    elif kind in "US":
        return np.char.str_len(values) == 0
    elif kind in "biu":
        return np.zeros(len(values), bool)
    elif kind == "f":
        known = np.isfinite(values)
        if (values[known] == np.floor(values[known])).all():
            return ~known
    raise UserError(f"{where}: groups has dtype {values.dtype}", expected="whole numbers or texts, one key a row")


def group_sizes(groups: Int[np.ndarray, " examples"]) -> Int[np.ndarray, " groups"]:
    """Rows of each group."""
    return np.bincount(groups)


def rows_of_groups(groups: Int[np.ndarray, " examples"]) -> Int[np.ndarray, "groups rows"]:
    """Each group's rows, ascending, in a table as wide as the largest group; -1 where a group has fewer."""
    sizes = group_sizes(groups)
    order = np.argsort(groups, kind="stable")
    table = np.full((len(sizes), int(sizes.max())), -1, np.int32)
    place = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table[groups[order], place] = order
    return table


def means_of_groups(
    values: Float[np.ndarray, "examples columns"], groups: Int[np.ndarray, " examples"]
) -> Float[np.ndarray, "groups columns"]:
    """The mean of each group's rows, float64."""
    sums = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums / group_sizes(groups)[:, None]


def note_on_groups(name: str, groups: Int[np.ndarray, " examples"]) -> str:
    """What members are drawn by, for readers of any figure."""
    sizes = group_sizes(groups)
    single = int((sizes == 1).sum())
    rows = f"{sizes.max()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    drawn = f"Members are drawn by {name}: {len(sizes):,} groups of {rows} rows"
    if single == len(sizes):
        return f"{drawn}. Every group has one row only, so that figures by group are those by row."
    return f"{drawn}" + (f", {single:,} of which have one row only." if single else ".")
