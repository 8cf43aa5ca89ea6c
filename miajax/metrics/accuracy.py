"""Accuracy over the cells of a campaign, ready for intervals and for paired differences."""

import numpy as np
from jaxtyping import Bool, Float

from miajax.metrics.clusters import Groups, by_group, rows_a_draw
from miajax.metrics.intervals import critical_value
from miajax.metrics.paired import Influence


def share_correct(
    correct: Bool[np.ndarray, "models examples"] | Float[np.ndarray, "models examples"],
    counted: Bool[np.ndarray, "models examples"],
    groups: Groups = None,
) -> Influence:
    """The share of the counted cells that are right, with every cell's influence on it.

    ``paired.mean_rate`` gives it an interval that lets models and examples vary; ``paired.mean_difference`` gives one
    to the difference of two shares, of members and non-members (the generalisation gap) or of two epochs.

    Args:
      correct: whether each model classifies each example as its label; of groups of rows, the share of them.
      counted: the cells that count, such as the members of valid models; at least one.
      groups: examples that were drawn together, or None.
    """
    number = int(counted.sum())
    share = float(np.where(counted, correct, False).sum() / number)
    cells = by_group(np.where(counted, (correct - share) / number, 0.0), groups)
    return Influence(share, cells.sum(1), cells.sum(0), cells, _trials(number, groups))


def mean_of_cells(
    values: Float[np.ndarray, "models examples"],
    counted: Bool[np.ndarray, "models examples"],
    groups: Groups = None,
) -> Influence:
    """The mean of the counted cells' values, such as losses, with every cell's influence on it.

    Args:
      values: finite wherever they count.
      counted: the cells that count; at least one.
      groups: examples that were drawn together, or None.
    """
    number = int(counted.sum())
    mean = float(np.where(counted, values, 0.0).sum() / number)
    cells = by_group(np.where(counted, (values - mean) / number, 0.0), groups)
    return Influence(mean, cells.sum(1), cells.sum(0), cells, _trials(number, groups))


def _trials(cells: int, groups: Groups) -> int:
    """Independent draws behind so many cells."""
    return max(1, round(cells / rows_a_draw(groups)))


def share_by_model(
    correct: Bool[np.ndarray, "models examples"] | Float[np.ndarray, "models examples"],
    counted: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    groups: Groups = None,
) -> Influence:
    """The mean over models of each model's share of its counted cells that are right, with every cell's influence.

    Args:
      correct: whether each model classifies each example as its label; of groups of rows, the share of them.
      counted: the cells that count, such as the members; a valid model without any is left out.
      valid: the models that count; one of them at least has a counted cell.
      groups: examples that were drawn together, or None.
    """
    counts = np.where(valid, counted.sum(1), 0)
    models = int((counts > 0).sum())
    weight = np.where(counts > 0, 1.0 / np.maximum(counts, 1), 0.0)[:, None] / models
    right = np.where(counted & (counts > 0)[:, None], correct, False)
    own = right.sum(1) / np.maximum(counts, 1)
    mean = float(own[counts > 0].mean())
    # A model's share less the mean is spread over its cells, so that models of unlike numbers of cells weigh alike.
    cells = by_group(np.where(counted & (counts > 0)[:, None], weight * (correct - mean), 0.0), groups)
    kept = counts > 0
    return Influence(mean, cells.sum(1)[kept], cells.sum(0), cells[kept], _trials(int(counts.sum()), groups))


def interval_over_models(values: Float[np.ndarray, " models"]) -> list[float] | None:
    """A 95 % interval for the mean of a figure that each model has: models are the sample (Student's t).

    For accuracies on examples whose single answers were not kept, such as a data set's own test split.

    Args:
      values: one a model; NaN is left out.

    Returns:
      ``[low, high]``, or None for fewer than 2 models, which say nothing about how models vary.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return None
    reach = critical_value(len(known) - 1) * float(known.std(ddof=1)) / len(known) ** 0.5
    return [float(known.mean()) - reach, float(known.mean()) + reach]
