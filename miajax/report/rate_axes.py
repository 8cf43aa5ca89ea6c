"""Axes of rates: logarithmic where one interval would flatten all that is shown."""

import math

import numpy as np
from jaxtyping import Float

from miajax.report.plots import Drawn, power_of_ten

_FLATTENS = 3  # times the largest rate: an interval that reaches farther flattens the rates on a linear axis


def floor_of_rates(values: Float[np.ndarray, "..."], tops: Float[np.ndarray, "..."]) -> float | None:
    """Where a logarithmic axis of rates should begin; None where a linear one shows them well.

    It does not where an interval reaches so high that all the rates would lie flat on the axis.

    Args:
      values: rates; NaN is left out.
      tops: upper ends of their intervals; NaN is left out.
    """
    known, ends = values[np.isfinite(values) & (values > 0)], tops[np.isfinite(tops)]
    if not known.size or not ends.size or ends.max() <= _FLATTENS * known.max():
        return None
    return 10.0 ** math.floor(math.log10(known.min() / 2))


def logarithmic_rates(axes: Drawn, floor: float) -> None:
    """A logarithmic upright axis from ``floor``, which stands for 0, to 1."""
    powers = range(round(math.log10(floor)) + 1, 1)
    axes.set_yscale("log")
    axes.yaxis.set_ticks([floor, *(10.0**power for power in powers)], ["0", *map(power_of_ten, powers)])
    axes.yaxis.set_ticks([], minor=True)
    axes.set_ylim(0.8 * floor, 2.0)
