"""Whose rows they are: the visits of one patient, the years of one person. A group is a member whole or not at all."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from miajax.errors import UserError

LARGEST_WHOLE = 2.0**53
"""From which on a floating-point number stands for more than one whole number."""
FEW_GROUPS = 30
"""From which on an interval that resamples groups is worth its name."""
_LARGE, _TIMES = 0.2, 5.0  # of all rows, and of the mean group, from which on a note tells of the largest
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
    if values.dtype.kind == "S":
        values = _decoded(where, values)
    missing = _missing(where, values)
    if missing.any():
        raise UserError(
            f"{where}: groups has no key in row {int(missing.argmax())} ({int(missing.sum())} such rows)",
            expected="a key in every row",
            remedy=_REMEDY,
        )
    if values.dtype.kind == "f":
        if len(large := np.flatnonzero(np.abs(values) >= LARGEST_WHOLE)):
            raise UserError(
                f"{where}: groups has the key {values[large[0]]:g} as a floating-point number (row {large[0]})",
                expected=f"keys below {LARGEST_WHOLE:.0f}, from which on neighbours are the same number",
                remedy="Give such keys as texts or as integers",
            )
        values = values.astype(np.int64)
    found, codes = np.unique(values.astype(str) if values.dtype.kind == "O" else values, return_inverse=True)
    if len(found) < 2:
        raise UserError(
            f"{where}: all {num_examples} rows are of one group",
            expected="at least 2 groups, so that some are members and others are not",
            remedy="Check the column of groups",
        )
    named = tuple(keys[int(code)] for code in found) if len(keys) else tuple(str(key) for key in found)
    return np.ascontiguousarray(codes.reshape(-1), np.int32), named


def _decoded(where: str, values: np.ndarray) -> np.ndarray:
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: groups holds bytes that are no UTF-8 text", expected="whole numbers or texts") from (
            error
        )


def alike_keys(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of groups whose keys differ in blanks, case, zeros in front, or in how their letters are encoded only.

    Args:
      keys: one a group.

    Returns:
      Each group with the first one whose key is the same but for that, in order.
    """
    first: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    for group, key in enumerate(keys):
        text = unicodedata.normalize("NFKC", key).casefold()
        seen = "".join(each for each in text if not each.isspace() and unicodedata.category(each) != "Cf")
        place = first.setdefault(seen.lstrip("0") or "0" if seen.isdigit() else seen, group)
        if place != group:
            pairs.append((place, group))
    return pairs


def _missing(where: str, values: np.ndarray) -> np.ndarray:
    """Which rows have no key; a type that can be no key is refused."""
    kind = values.dtype.kind
    if kind == "O":
        bad = [not isinstance(each, (str, int, type(None))) for each in values]
        if not any(bad):
            return np.array([each is None or not str(each).strip() for each in values], bool)
    elif kind == "U":
        return np.char.str_len(np.char.strip(values)) == 0
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
    few = (
        f" Intervals that resample fewer than {FEW_GROUPS} groups may be too narrow." if len(sizes) < FEW_GROUPS else ""
    )
    if single == len(sizes):
        return f"{drawn}. Every group has one row only, so that figures by group are those by row.{few}"
    drawn += f", {single:,} of which have one row only." if single else "."
    share = sizes.max() / sizes.sum()
    if share > _LARGE and sizes.max() >= _TIMES * sizes.mean():
        drawn += f" The largest holds {100 * share:.0f} % of the rows: figures by row are largely about it."
    return drawn + few
