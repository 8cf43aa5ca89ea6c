"""The validation part: what early stopping may look at, kept away from members and non-members alike."""

import dataclasses

import numpy as np

from miajax.data.dataset import Dataset
from miajax.errors import UserError

_STREAM = 0x76616C69  # keeps this draw apart from any other use of the same seed


def carve_validation(dataset: Dataset, fraction: float, seed: int) -> Dataset:
    """The data set with part of its pool set aside as the validation part, before any shadow split.

    Drawn by class: of each class's n examples, fraction × n go, give or take one. Where rows have groups, whole groups
    are carved instead, whatever their classes: somebody who is in the validation part is no member. Both parts keep the
    pool's order.

    Args:
      dataset: without a validation part.
      fraction: of the pool, in (0, 1); exactly floor(fraction × N) examples, or groups, are carved.
      seed: 0 or more; the same seed carves the same examples.

    Raises:
      UserError: a fraction that leaves one side empty, or a class without examples in the pool.
    """
    if dataset.validation_features is not None:
        raise ValueError(f"data set {dataset.name} already has a validation part")
    total = dataset.num_examples
    if not 0.0 < fraction < 1.0 or not 1 <= fraction * total < total:
        raise UserError(
            f"a validation fraction of {fraction} of {total} examples leaves one side empty",
            expected="a fraction between 0 and 1 with at least one example on each side",
        )
    carved = np.zeros(total, bool)
    if dataset.groups is None:
        shuffled = np.random.default_rng([_STREAM, seed]).permutation(total)
        by_class = shuffled[np.argsort(dataset.labels[shuffled], kind="stable")]
        # A step of the staircase floor(k f) every 1/f examples: the total is exact, no class is off by more than one.
        staircase = np.floor(np.arange(total + 1) * fraction + 1e-9)
        carved[by_class[np.diff(staircase) > 0]] = True
        how = f"{carved.sum()} of {total} carved by class, seed {seed}"
    else:
        carved, how = _carved_groups(dataset.groups, fraction, seed)
    return dataclasses.replace(
        dataset,
        features=dataset.features[~carved],
        labels=dataset.labels[~carved],
        tree_features=None if dataset.tree_features is None else dataset.tree_features[~carved],
        groups=None if dataset.groups is None else dataset.groups[~carved],
        source_rows=np.flatnonzero(~carved) if dataset.source_rows is None else dataset.source_rows[~carved],
        validation_features=dataset.features[carved],
        validation_labels=dataset.labels[carved],
        provenance={**dataset.provenance, "validation": how},
    )


def _carved_groups(groups: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, str]:
    """Which rows are carved, and how."""
    number = int(groups.max()) + 1
    count = int(np.floor(fraction * number + 1e-9))
    if not 1 <= count < number - 1:
        raise UserError(
            f"a validation fraction of {fraction} of {number} groups leaves one side empty",
            expected="a fraction with at least one group in the validation part and two in the pool",
        )
    chosen = np.random.default_rng([_STREAM, seed]).permutation(number)[:count]
    return np.isin(groups, chosen), f"{count} of {number} groups carved, seed {seed}"
