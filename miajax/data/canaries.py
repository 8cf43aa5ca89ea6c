"""Canaries: examples planted in the pool so that an audit has something to look for.

An audit asks whether it can tell which canaries a model trained on. Examples that a model can only learn by heart give
the sharpest answer: wrong labels, or inputs from outside the data (Carlini et al. 2019, arXiv 1802.08232; Steinke,
Nasr, Jagielski 2023, arXiv 2305.08846).
"""

import dataclasses
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int

from miajax.data.dataset import Dataset
from miajax.errors import UserError

CanaryKind = Literal["mislabelled", "natural", "out_of_distribution"]
_STREAM = 0x63616E61  # keeps these draws apart from any other use of the same seed


def canary_ids(num_examples: int, count: int, seed: int) -> Int[np.ndarray, " canaries"]:
    """Which rows of the pool are canaries, ascending.

    Args:
      num_examples: N.
      count: how many, at most N.
      seed: of the draw.
    """
    return np.sort(_generator(seed, 0).permutation(num_examples)[:count])


def planted(dataset: Dataset, kind: CanaryKind, count: int, seed: int) -> Dataset:
    """The data set with canaries in the rows ``canary_ids`` of its pool; its provenance says so.

    Args:
      dataset: labels and features of its other rows, and its other parts, stay as they are.
      kind: ``mislabelled``: another label, uniformly drawn. ``out_of_distribution``: features drawn uniformly between
        the pool's least and greatest value, and a uniformly drawn label. ``natural``: left as they are.
      count: how many.
      seed: of the draws.

    Raises:
      UserError: an unknown kind, more canaries than examples, or none.
    """
    if kind not in get_args(CanaryKind):
        raise UserError(f"--canary_kind {kind} is unknown", expected=" or ".join(get_args(CanaryKind)))
    if not 1 <= count <= dataset.num_examples:
        raise UserError(f"--canaries {count}", expected=f"1 to {dataset.num_examples}, the examples of the pool")
    ids, draws = canary_ids(dataset.num_examples, count, seed), _generator(seed, 1)
    features, labels = dataset.features.copy(), dataset.labels.copy()
    if kind == "mislabelled":
        labels[ids] = (labels[ids] + draws.integers(1, dataset.num_classes, count)) % dataset.num_classes
    elif kind == "out_of_distribution":
        labels[ids] = draws.integers(0, dataset.num_classes, count)
        low, high = features.min(), features.max()
        if features.dtype == np.uint8:
            features[ids] = draws.integers(low, int(high) + 1, features[ids].shape, np.uint8)
        else:
            features[ids] = draws.uniform(low, high, features[ids].shape).astype(features.dtype)
    what = f"{count} {kind.replace('_', ' ')} examples in the pool, drawn by canary_seed {seed}"
    return dataclasses.replace(
        dataset, features=features, labels=labels, provenance={**dataset.provenance, "canaries": what}
    )


def _generator(seed: int, draw: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([_STREAM, seed, draw])))
