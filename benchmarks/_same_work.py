"""Refuses to compare speeds of different work: sizes must be equal, and what was trained must be equally good."""

import numpy as np
from scipy.stats import t

from benchmarks._contest import Outcome, Running

_FALSE_ALARM = 1e-4  # of one comparison, by Student's t, which allows for small groups of models


class DifferentWork(Exception):
    """Two contenders did not do the same work."""


def require_same_work(ours: Running, theirs: Running) -> None:
    """Compares parameters, steps, batch, and over models (seeds) the means of final loss and accuracies.

    Raises:
      DifferentWork: a size differs, or a mean differs by more than chance.
    """
    name = theirs.name
    if dict(ours.facts) != dict(theirs.facts):
        raise DifferentWork(f"{name}: {dict(theirs.facts)}, ours: {dict(ours.facts)}")
    mine, other = ours.outcome(), theirs.outcome()
    if mine is None or other is None:
        raise DifferentWork(f"{name}: nothing was trained")
    for field in Outcome._fields:
        require_equal_means(f"{name}: {field}", getattr(mine, field), getattr(other, field))


def require_equal_means(what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Raises ``DifferentWork`` where the means of two groups of models differ by more than chance (1 in 10,000)."""
    gap = abs(ours.mean() - theirs.mean())
    # The groups' spread is the same if the work is: the larger sample's estimate serves a small one better.
    pooled = np.concatenate([ours - ours.mean(), theirs - theirs.mean()])
    freedom = max(len(pooled) - 2, 1)
    spread = np.sqrt((pooled**2).sum() / freedom)
    allowed = t.isf(_FALSE_ALARM / 2, freedom) * spread * np.sqrt(1 / len(ours) + 1 / len(theirs))
    if not gap <= allowed:
        raise DifferentWork(f"{what} {theirs.mean():.5g}, ours {ours.mean():.5g}: more than {allowed:.2g} apart")
