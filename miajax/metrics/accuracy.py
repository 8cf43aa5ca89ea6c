"""Accuracy over the cells of a campaign, ready for intervals and for paired differences."""

import numpy as np
from jaxtyping import Bool

from miajax.metrics.paired import Influence


def share_correct(
    correct: Bool[np.ndarray, "models examples"], counted: Bool[np.ndarray, "models examples"]
) -> Influence:
    """The share of the counted cells that are right, with every cell's influence on it.

    ``paired.mean_rate`` gives it an interval that lets models and examples vary; ``paired.mean_difference`` gives one
    to the difference of two shares, of members and non-members (the generalisation gap) or of two epochs.

    Args:
      correct: whether each model classifies each example as its label.
      counted: the cells that count, such as the members of valid models; at least one.
    """
    number = int(counted.sum())
    share = float((correct & counted).sum() / number)
    cells = np.where(counted, (correct - share) / number, 0.0)
    return Influence(share, cells.sum(1), cells.sum(0), cells, number)
