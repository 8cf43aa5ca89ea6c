"""The tables of Khalil et al. 2025 (arXiv 2511.16792): one model each, a threshold on the loss."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class PublishedRow(NamedTuple):
    """Fractions; seconds of one training on the authors' machine, or of all answers where only answers change.

    ``settings`` are those of the defence that its name does not tell.
    """

    train_accuracy: float | None
    test_accuracy: float | None
    threshold_auc: float
    threshold_advantage: float
    seconds: float | None
    settings: Mapping[str, Any] = MappingProxyType({})


def _row(
    train: float | None, test: float | None, auc: float, advantage: float, seconds: float | None, **settings: float
) -> PublishedRow:
    """From per cent."""
    parts = [None if value is None else value / 100 for value in (train, test)]
    return PublishedRow(parts[0], parts[1], auc / 100, advantage / 100, seconds, settings)


SOURCE = "Khalil et al. 2025 (arXiv 2511.16792), its tables of defences"
CAVEATS = (
    "The source attacks one model with one threshold, and takes validation set, test set and the attack's non-members "
    "from the same examples; its DP-SGD walks fixed slices that its accountant does not describe.",
)
NAMED = {("purchase100", "purchase_mlp"): (0.0115, 0.0100), ("cifar10", "densenet_bc_100_12"): (0.0104, 0.0100)}
"""TPR and FPR of the examples that the source calls vulnerable: those of which its one model is most confident."""
TABLES: dict[tuple[str, str], dict[str, PublishedRow]] = {
    ("purchase100", "purchase_mlp"): {
        "original": _row(97.76, 87.54, 57.27, 13.86, 1201),
        "early_stopping": _row(96.88, 89.58, 55.07, 10.40, 200),
        "l2_5e-4": _row(94.91, 89.34, 53.25, 7.26, 1209),
        "l2_1e-3": _row(92.63, 88.37, 52.22, 4.87, 1205),
        "l2_5e-3": _row(77.76, 76.16, 50.92, 1.73, 1207),
        "l2_dropout_25": _row(90.02, 87.14, 51.87, 3.70, 1489),
        "l2_dropout_50": _row(86.52, 84.45, 51.44, 2.46, 1320),
        "label_smoothing": _row(99.15, 88.52, 59.43, 16.43, 1699, label_smoothing=0.03),
        "dp_sgd": _row(61.71, 61.21, 50.36, 0.70, 3507, dp_epsilon=2.38),
    },
    ("cifar10", "densenet_bc_100_12"): {
        "original": _row(99.97, 87.91, 60.27, 22.07, 3558),
        "early_stopping": _row(99.97, 87.93, 60.21, 21.96, 2024),
        "l2_5e-4": _row(99.99, 91.46, 57.11, 19.13, 3573),
        "l2_1e-3": _row(99.95, 89.61, 58.07, 20.52, 3564),
        "l2_5e-3": _row(60.35, 59.71, 50.06, 0.82, 3574),
        "l2_dropout_25": _row(99.85, 91.78, 56.00, 15.44, 3616),
        "l2_dropout_50": _row(91.97, 84.89, 53.61, 7.52, 3610),
        "label_smoothing": _row(99.99, 86.47, 67.33, 37.04, 3539, label_smoothing=0.1),
        "dp_sgd": _row(59.51, 59.55, 50.00, 0.53, 7738, dp_epsilon=4.95),
        "reweighting_0.1": _row(None, None, 55.94, 11.89, None),
        "l2_dropout_25_reweighting": _row(None, None, 53.76, 7.73, 0.46),
    },
}
