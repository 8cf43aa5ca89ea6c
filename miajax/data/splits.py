"""Which examples each shadow model trains on."""

import math
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int

from miajax.errors import UserError

Split = Literal["fixed_size", "balanced", "bernoulli"]
SPLITS: tuple[str, ...] = get_args(Split)
_STREAM = 0x6D69616A  # keeps split draws apart from any other use of the same seed


def _draw(seed: int, unit: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([_STREAM, seed, unit])))


def _share(fraction: float, total: int) -> int:
    """floor(fraction × total), where .29 × 100 is 29 and not, as in binary floats, 28."""
    return math.floor(fraction * total + 1e-9)


def membership(
    seed: int,
    num_examples: int,
    num_models: int,
    split: Split = "fixed_size",
    member_fraction: float = 0.5,
    groups: Int[np.ndarray, " examples"] | None = None,
) -> np.ndarray:
    """The membership of every model, a function of its arguments alone.

    Row i depends on (seed, num_examples, split, member_fraction, groups, i) only, so more models never change earlier
    rows. With groups, whole groups are drawn as examples are without: all counts below are of groups.

    Args:
      seed: root seed, 0 or more.
      num_examples: N, the pool's size.
      num_models: M.
      split: ``fixed_size``: each row an independent subset of exactly floor(f N) members. ``balanced``: rows 2k and
        2k+1 are complements, so each example is a member of exactly M/2 models (of M even; f must be 1/2; for odd N
        the larger half alternates between the two by pair). ``bernoulli``: each cell independently with probability f.
      member_fraction: f, in (0, 1).
      groups: ``int[N]`` in 0..G-1, each example's group, or None where every example is drawn by itself.

    Returns:
      ``bool[M, N]``, True where the example is a member.

    Raises:
      UserError: a fraction that leaves no member or no non-member, or ``balanced`` with f other than 1/2.
    """
    if split not in SPLITS:
        raise UserError(f"--split {split} is unknown", expected=" or ".join(SPLITS))
    unit, total = ("example", num_examples) if groups is None else ("group", int(groups.max()) + 1)
    if not 0.0 < member_fraction < 1.0 or not 1 <= _share(member_fraction, total) < total:
        raise UserError(
            f"--member_fraction {member_fraction} of {total} {unit}s leaves one side empty",
            expected=f"a fraction between 0 and 1 with at least one {unit} on each side",
        )
    if split == "balanced" and member_fraction != 0.5:
        raise UserError(
            f"--split balanced with --member_fraction {member_fraction}",
            expected="0.5, since its pairs are complements",
            remedy="Use --split fixed_size for other fractions",
        )
    rows = np.zeros((num_models, total), bool)
    size = _share(member_fraction, total)
    for i in range(num_models):
        if split == "fixed_size":
            rows[i, _draw(seed, i).permutation(total)[:size]] = True
        elif split == "bernoulli":
            rows[i] = _draw(seed, i).random(total) < member_fraction
        else:
            pair, second = divmod(i, 2)
            half = (total + pair % 2) // 2
            rows[i, _draw(seed, pair).permutation(total)[:half]] = True
            if second:
                rows[i] = ~rows[i]
    return rows if groups is None else rows[:, groups]


def member_capacity(
    num_examples: int, split: Split, member_fraction: float, groups: Int[np.ndarray, " examples"] | None = None
) -> int:
    """The static width that holds any model's members, whatever M.

    Exact, or 8 standard deviations above the mean: for bernoulli, and where drawn groups differ in size.
    """
    if groups is not None:
        return _capacity_of_groups(np.bincount(groups), split, member_fraction)
    if split == "fixed_size":
        return _share(member_fraction, num_examples)
    if split == "balanced":
        return (num_examples + 1) // 2
    spread = 8.0 * (num_examples * member_fraction * (1 - member_fraction)) ** 0.5
    return min(num_examples, int(np.ceil(member_fraction * num_examples + spread)))


def _capacity_of_groups(sizes: Int[np.ndarray, " groups"], split: Split, member_fraction: float) -> int:
    total = int(sizes.sum())
    if split == "bernoulli":
        spread = 8.0 * (member_fraction * (1 - member_fraction) * float(sizes @ sizes)) ** 0.5
        return min(total, int(np.ceil(member_fraction * total + spread)))
    drawn = member_capacity(len(sizes), split, member_fraction)
    largest = int(np.sort(sizes)[-drawn:].sum())
    # Of a sum of groups drawn without replacement.
    spread = 8.0 * (drawn * (1 - drawn / len(sizes)) * float(sizes.var(ddof=1))) ** 0.5
    return min(largest, int(np.ceil(drawn * sizes.mean() + spread)))


def is_ragged(num_examples: int, split: Split, groups: Int[np.ndarray, " examples"] | None = None) -> bool:
    """Whether models of this split may have different numbers of members."""
    sizes = None if groups is None else np.bincount(groups)
    if sizes is not None and np.ptp(sizes) > 0:
        return True
    return split == "bernoulli" or (split == "balanced" and (num_examples if sizes is None else len(sizes)) % 2 == 1)


def member_ids(member: np.ndarray, capacity: int) -> tuple[np.ndarray, np.ndarray]:
    """Turns membership into padded row numbers.

    Args:
      member: ``bool[M, N]``.
      capacity: width of the result, at least the largest number of members.

    Returns:
      ``ids int32[M, capacity]``, ascending, padded with the row's first member; ``counts int32[M]``.
    """
    counts = member.sum(1).astype(np.int32)
    if counts.size and counts.max() > capacity:
        raise ValueError(f"a model has {counts.max()} members, more than the capacity {capacity}")
    ids = np.empty((len(member), capacity), np.int32)
    for i, row in enumerate(member):
        members = np.flatnonzero(row)
        ids[i, : len(members)] = members
        ids[i, len(members) :] = members[0] if len(members) else 0
    return ids, counts
