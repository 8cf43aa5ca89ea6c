"""Every outlier metric of a finished campaign, as a function of the models that count.

Geometry is measured in three spaces: ``input`` (pixels or columns, the whole pool), ``feature`` (penultimate layer) and
``logit``. In the last two a model's space is that of its own training set, as whoever trained it would look for
outliers; an example's value is the mean over those of the chosen models that trained on it.
"""

import dataclasses
import functools
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from miajax.arrays import AnyArray
from miajax.campaign.epochs import has_kind
from miajax.campaign.gathered import Campaign
from miajax.campaign.recorded import kept_models
from miajax.campaign.saturated import clip_of_run, clipped_logits
from miajax.errors import UserError
from miajax.outliers.density import isolation_score
from miajax.outliers.registry import METRICS, Evidence, Metric
from miajax.signals.features import penultimate_features
from miajax.typed import jit, tree_map

SPACES = ("input", "feature", "logit")
_KEPT_BY = {
    "early_logits": "early", "gradient_norm": "early", "margins": "margins", "losses": "losses",
}  # fmt: skip
# Several models' forests are averaged: each may be small. A hundred trees each would take most of the study's time.
_ONE_OF_MANY = {"isolation_forest": functools.partial(isolation_score, trees=25)}


@dataclasses.dataclass(frozen=True)
class Estimator:
    """One metric in one space, ready to be estimated from any of the campaign's models.

    Attributes:
      name: the metric's, after its space's for geometry: ``feature_knn_distance``.
      metric: its entry of the registry.
      of: ``bool[M] -> float64[N]``, models that count to values; NaN where no such model says anything.
      models: how many models it rests on at most.
    """

    name: str
    metric: Metric
    of: Callable[[Bool[np.ndarray, " models"]], Float[np.ndarray, " examples"]]
    models: int


class Spaces(NamedTuple):
    """Where some models see each example.

    Attributes:
      models: their ids.
      vectors: by space, ``float32[K, N, F]``.
      missing: why a space is not there.
    """

    models: Int[np.ndarray, " chosen"]
    vectors: dict[str, np.ndarray]
    missing: dict[str, str]


def spaces_of(campaign: Campaign, chosen: Int[np.ndarray, " chosen"]) -> Spaces:
    """Penultimate features and logits of the chosen models, where the run kept what they take."""
    vectors: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    if has_kind(campaign.folder, "logits", len(campaign.valid)):
        clip, logits = clip_of_run(campaign.folder), _rows(campaign, "logits", chosen)[:, :, 0]
        vectors["logit"] = logits if clip is None else clipped_logits(logits, clip.clip)
    else:
        missing["logit"] = "needs logits, which the run did not keep"
    parameters = kept_models(campaign)
    if parameters is None:
        missing["feature"] = "needs parameters, which the run did not keep"
    else:
        picked = tree_map(lambda leaf: leaf[chosen], parameters)
        placement, data = campaign.plan.placement(), campaign.setup.dataset
        try:
            vectors["feature"] = penultimate_features(campaign.setup.trainer, picked, data.features, placement)
        except UserError as error:
            missing["feature"] = f"needs penultimate features: {error}".rstrip(".")
    return Spaces(chosen, vectors, missing)


def estimators(
    campaign: Campaign, spaces: Spaces, wanted: Collection[str] | None = None
) -> tuple[list[Estimator], dict[str, str]]:
    """The wanted metrics, or all, that the run's records allow, and why the others are not among them."""
    found: list[Estimator] = []
    skipped: dict[str, str] = {}
    for metric in METRICS.values():
        if metric.family == "geometry":
            for space in SPACES:
                name = f"{space}_{metric.name}"
                if wanted is not None and name not in wanted:
                    continue
                if space in spaces.missing:
                    skipped[name] = spaces.missing[space]
                else:
                    found.append(_geometry(name, metric, campaign, spaces, space))
        elif wanted is not None and metric.name not in wanted:
            continue
        elif metric.family == "ensemble":
            found.append(_ensemble(metric, campaign))
        elif (trace := _trace(campaign, metric.needs[-1])) is None:
            skipped[metric.name] = f"needs --keep {_KEPT_BY[metric.needs[-1]]}, which the run did not keep"
        else:
            found.append(_dynamics(metric, campaign, *trace))
    return found, skipped


def _geometry(name: str, metric: Metric, campaign: Campaign, spaces: Spaces, space: str) -> Estimator:
    data = campaign.setup.dataset
    if space == "input":
        rows = np.asarray(data.features, np.float32).reshape(data.num_examples, -1)
        values = _score(metric, rows, data.labels, data.num_classes)
        return Estimator(name, metric, lambda valid: values, 0)
    member = campaign.member[spaces.models]
    by_model = np.full(member.shape, np.nan)
    for place, (vectors, trained) in enumerate(zip(spaces.vectors[space], member, strict=True)):
        score = _ONE_OF_MANY.get(metric.name, functools.partial(_score, metric, num_classes=data.num_classes))
        by_model[place, trained] = score(vectors[trained], data.labels[trained])
    return _mean(name, metric, by_model, member, spaces.models)


def _score(metric: Metric, vectors: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    if not metric.pure:
        return np.asarray(metric.score(Evidence(labels, vectors), num_classes))
    return np.asarray(_compiled(metric.name, num_classes)(Evidence(labels, vectors)), np.float64)


@functools.cache
def _compiled(name: str, num_classes: int) -> Callable[[Evidence], AnyArray]:
    @jit
    def compiled(evidence: Evidence) -> AnyArray:
        return METRICS[name].score(evidence, num_classes)

    return compiled


def _mean(name: str, metric: Metric, values: np.ndarray, member: np.ndarray, models: np.ndarray) -> Estimator:
    return Estimator(
        name, metric, lambda valid: mean_over_trained(values, member & valid[models][:, None]), len(models)
    )


def mean_over_trained(
    values: Float[np.ndarray, "models examples"], trained: Bool[np.ndarray, "models examples"]
) -> Float[np.ndarray, " examples"]:
    """Mean over the models that trained on each example and have a finite value; NaN where there is none."""
    counted = trained & np.isfinite(values)
    number = counted.sum(0)
    total = np.where(counted, values, 0.0).sum(0, dtype=np.float64)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _ensemble(metric: Metric, campaign: Campaign) -> Estimator:
    read = Evidence(
        campaign.setup.dataset.labels,
        member=campaign.member,
        correct=campaign.correct,
        probability=expit(np.asarray(campaign.signals[:, :, 0])),
    )
    compiled = _compiled(metric.name, campaign.setup.dataset.num_classes)
    return Estimator(
        metric.name, metric, lambda valid: np.asarray(compiled(read._replace(valid=valid)), np.float64),
        len(campaign.valid),
    )  # fmt: skip


def _dynamics(metric: Metric, campaign: Campaign, models: np.ndarray, trace: np.ndarray) -> Estimator:
    assert metric.per_model is not None
    evidence = Evidence(campaign.setup.dataset.labels)._replace(**{metric.needs[-1]: trace})
    values = np.asarray(metric.per_model(evidence))
    return _mean(metric.name, metric, values, campaign.member[models], models)


def _trace(campaign: Campaign, field: str) -> tuple[np.ndarray, np.ndarray] | None:
    """A field of ``Evidence`` about training, and the models whose groups kept it; None if none did."""
    kind = {"gradient_norm": "early_gradient_norm"}.get(field, field)
    kept = list(campaign.folder.kept(kind, len(campaign.valid)))
    if not kept:
        return None
    models = np.concatenate([np.arange(group.start, group.stop) for group, _ in kept])
    return models, np.concatenate([np.asarray(part) for _, part in kept])


def _rows(campaign: Campaign, kind: str, models: np.ndarray) -> np.ndarray:
    """A large array of some models only, in the order of ``models``."""
    picked: dict[int, np.ndarray] = {}
    for group, part in campaign.folder.parts(kind, len(campaign.valid)):
        picked |= {int(model): np.asarray(part[model - group.start]) for model in models if model in group}
    return np.stack([picked[int(model)] for model in models])
