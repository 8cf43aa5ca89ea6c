"""Outlier metrics of groups of rows, such as people, against what attacks find of whole groups."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from miajax.campaign.run import Campaign
from miajax.metrics.groups import joined, of_groups
from miajax.metrics.vulnerability import exposure_at_pooled_fpr, gaussian_vulnerability
from miajax.runs.derived import remember
from miajax.runs.group_names import group_names
from miajax.runs.tables import read_table, write_table
from miajax.studies import common
from miajax.studies.attacked.groups import FILE, join_of
from miajax.studies.outlier_metrics import Estimator
from miajax.studies.outliers.figures import MetricOfGroups, OutliersOfGroups, Part
from miajax.studies.outliers.table import Half, OutlierTable, best, ranking

Mask = Bool[np.ndarray, " models"]
PARTS: tuple[Part, ...] = ("all", "easy", "hard", "named_share")


def remembered(metrics: Sequence[Estimator]) -> list[Estimator]:
    """The metrics, each measured once from the same models."""

    def once(of: Callable[[Mask], np.ndarray]) -> Callable[[Mask], np.ndarray]:
        found: dict[bytes, np.ndarray] = {}

        def values(models: Mask) -> np.ndarray:
            key = models.tobytes()
            if key not in found:
                found[key] = of(models)
            return found[key]

        return values

    return [dataclasses.replace(each, of=once(each.of)) for each in metrics]


def group_table(
    campaign: Campaign,
    metrics: Sequence[Estimator],
    scores: Callable[[Mask], np.ndarray],
    attack: str,
    pair: tuple[Half, Half],
    number: int,
) -> OutlierTable:
    """All metrics against both vulnerabilities, of groups.

    A group's metric is the mean over its rows; it is vulnerable as far as two Gaussians tell the means of its rows'
    scaled logits apart, and in the share of the models in which the attack names it, scores of its rows joined.

    Args:
      campaign: whose members were drawn by group.
      metrics: of rows.
      scores: ``bool[M] -> float32[M, N]``, the attack's, from the models that count.
      attack: its name.
      pair: the two halves of the models.
      number: resamples of groups.
    """
    groups = campaign.setup.dataset.groups
    assert groups is not None, "members were drawn by group"
    whole = of_groups(campaign.member, groups)
    phi = joined(np.asarray(campaign.signals).mean(-1), groups, "mean")

    def mean(values: Float[np.ndarray, " examples"]) -> np.ndarray:
        return joined(values[None], groups, "mean")[0]

    def of_group(metric: Estimator) -> Estimator:
        def values(models: Mask) -> np.ndarray:
            return mean(metric.of(models))

        return dataclasses.replace(metric, of=values)

    def separation(models: Mask) -> np.ndarray:
        return gaussian_vulnerability(phi, whole, models).auc

    def named_share(models: Mask) -> np.ndarray:
        together = joined(np.asarray(scores(models)), groups, join_of(attack))
        return exposure_at_pooled_fpr(together, whole, models, common.EXPOSURE_FPR).tpr

    def fit(models: Mask) -> np.ndarray:
        counted = whole & models[:, None] & ~np.isnan(phi)
        number = counted.sum(0)
        return np.where(number, np.where(counted, phi, 0.0).sum(0) / np.maximum(number, 1), np.nan)

    outcomes = {"separation": separation, "named_share": named_share}
    return OutlierTable([of_group(each) for each in metrics], outcomes, fit, pair, number=number)


def outliers_of_groups(table: OutlierTable) -> OutliersOfGroups:
    """All that is said of groups."""
    measured = table.measured()
    return OutliersOfGroups(
        num_groups=len(table.known),
        num_known=int(table.known.sum()),
        metrics={name: MetricOfGroups(**{part: ranking(of[part]) for part in PARTS}) for name, of in measured.items()},
        ceiling=ranking(table.ceiling()),
        best={part: best(measured, part) for part in PARTS},
        metrics_not_run=table.skipped,
    )


def store_groups(campaign: Campaign, columns: Mapping[str, np.ndarray]) -> None:
    """Writes columns of groups into ``per_group.parquet``; columns of other studies stay, if of the same groups."""
    dataset, path = campaign.setup.dataset, campaign.folder.path
    assert dataset.groups is not None, "members were drawn by group"
    keep = campaign.setup.config.data.keep_keys
    names = group_names(dataset.group_keys, path, keep)
    order = np.arange(len(names)) if keep else np.argsort(names)
    rows = np.bincount(dataset.groups).astype(np.int32)
    own: dict[str, Any] = {name: of[order] for name, of in ({"key": names, "rows": rows} | dict(columns)).items()}
    there = read_table(path / FILE) if (path / FILE).exists() else {}
    same = "key" in there and np.array_equal(there["key"], own["key"])
    write_table(path / FILE, {**(there if same else {}), **own})
    remember(path, path / FILE)
