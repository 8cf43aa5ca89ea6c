"""Disjoint sets of a run's models, each attacked as a run of its own."""

import numpy as np

from miajax.signals.bundle import Signals


def disjoint_sets(valid: np.ndarray, size: int, most: int) -> list[np.ndarray]:
    """Up to ``most`` disjoint sets of ``size`` valid models, in order of their ids, so that pairs stay together."""
    ids = np.flatnonzero(valid)
    return [ids[first : first + size] for first in range(0, len(ids) - size + 1, size)][:most]


def signals_of(signals: Signals, rows: np.ndarray) -> Signals:
    """The signals of some models."""
    whole = ("labels", "features", "population_labels")
    picked = {
        field: value[rows] for field, value in signals._asdict().items() if field not in whole and value is not None
    }
    return signals._replace(**picked)
