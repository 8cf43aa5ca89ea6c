"""Rows that belong together (the visits of one person) are one draw: influences summed by group before any variance.

A figure over rows keeps its value; what is resampled in its interval are groups. With every row a group of its own
nothing changes.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Num

Groups = Int[np.ndarray, " examples"] | None
"""The group of each row, 0..G-1; None where each row is one of its own."""


def by_group(
    values: Num[np.ndarray, "*models examples"] | Bool[np.ndarray, "*models examples"], groups: Groups
) -> Num[np.ndarray, "*models groups"] | Bool[np.ndarray, "*models groups"]:
    """Sums over each group's rows along the last axis; the values themselves without groups."""
    if groups is None:
        return values
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    kind = np.int64 if values.dtype.kind in "biu" else values.dtype
    return np.add.reduceat(values[..., order], starts, axis=-1, dtype=kind)


def rows_a_draw(groups: Groups) -> float:
    """Rows that count as one draw: the size of the group that a row drawn at random is in, on average; 1 without."""
    if groups is None:
        return 1.0
    sizes = np.bincount(groups).astype(np.float64)
    return float(sizes @ sizes / sizes.sum())


def squares(cells: Float[np.ndarray, "models examples"], groups: Groups) -> float:
    """Sum of the squared influences of the cells that are drawn at once: a model's rows of one group."""
    together = by_group(cells, groups)
    return float(np.vdot(together, together))


def renumbered(groups: Groups, kept: np.ndarray) -> Groups:
    """Groups of some rows only, those without a row left out."""
    if groups is None:
        return None
    return np.unique(groups[kept], return_inverse=True)[1].reshape(-1)
